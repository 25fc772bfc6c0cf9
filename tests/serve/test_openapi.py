"""The service answers as its OpenAPI document says, whatever it is asked.

    EXAMPLES=5000 pytest tests/serve/test_openapi.py

runs so many requests by hand; CI runs fewer.
"""

from __future__ import annotations

import os
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks

from tests.serve.conftest import HERE, filled
from tune_mnist.actions.service.bodies import Offered
from tune_mnist.serve import guard
from tune_mnist.serve.app import make_app
from tune_mnist.serve.guard import Access
from tune_mnist.serve.service import Service

EXAMPLES = int(os.environ.get("EXAMPLES", "300"))
load_all_checks()
CHECKED: list[Any] = [
    CHECKS.get_one(name)
    for name in (
        *("not_a_server_error", "status_code_conformance", "content_type_conformance"),
        *("response_headers_conformance", "response_schema_conformance"),
    )
]


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Any:
    results = tmp_path_factory.mktemp("openapi") / "results"
    filled(results)
    app = make_app(Service(Offered(str(results))), Access({HERE, "testserver"}))
    return schemathesis.openapi.from_asgi("/api/openapi.json", app)


@pytest.fixture(autouse=True)
def _no_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "CHANGES_AT_ONCE", 10**9)


OPERATIONS = [
    *(f"{verb} /api/searches/{{search}}" for verb in ("PUT", "GET", "DELETE")),
    *(f"POST /api/searches/{{search}}:{verb}" for verb in ("stop", "resume", "confirm")),
    "POST /api/searches/{search}/trials:suggest",
    *(f"POST /api/searches/{{search}}/trials/{{trial}}:{verb}" for verb in ("report", "complete")),
    *("GET /api/searches", "POST /api/searches", "GET /api/searches/{search}/models/{trial}"),
    *(
        f"GET /api/searches/{{search}}/{of}"
        for of in ("trials", "reports", "leaderboard", "events")
    ),
    *(
        WITHOUT_INPUT := [
            *("GET /api/spaces", "GET /api/datasets", "GET /api/models"),
            *("GET /healthz", "GET /readyz", "GET /metrics"),
        ]
    ),
]
TRIED = [
    (operation, mode)
    for operation in OPERATIONS
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    if mode is GenerationMode.POSITIVE or operation not in WITHOUT_INPUT
]


def test_all_operations_are_tried(api: Any) -> None:
    found = {f"{one.ok().method.upper()} {one.ok().path}" for one in api.get_all_operations()}
    assert found == set(OPERATIONS)


@pytest.mark.parametrize(("operation", "mode"), TRIED)
def test_no_fault_and_no_answer_that_is_not_declared(
    api: Any, operation: str, mode: GenerationMode
) -> None:
    method, path = operation.split()

    @settings(
        max_examples=max(1, EXAMPLES // len(TRIED)),
        deadline=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=api[path][method].as_strategy(generation_mode=mode))
    def tried(case: schemathesis.Case[Any]) -> None:
        case.call_and_validate(checks=CHECKED)

    tried()
