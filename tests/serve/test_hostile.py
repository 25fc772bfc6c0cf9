"""Hostile headers are refused with 4xx, whatever they hold.

    EXAMPLES=1000 pytest tests/serve/test_hostile.py

tries so many of each by hand.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from tests.serve.conftest import HERE, client_of, filled
from tune_mnist.serve.guard import Access

TRIED = settings(
    max_examples=int(os.environ.get("EXAMPLES", "50")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
VALUES = st.binary(max_size=200).filter(lambda value: not set(value) & {0, 10, 13})
NAMES = st.text(min_size=1, max_size=120) | st.text("./:%{}\\?#", min_size=1, max_size=20)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    results: Path = tmp_path_factory.mktemp("hostile") / "results"
    filled(results)
    with client_of(results, Access({HERE}, submit="write-me")) as asking:
        yield asking


def status(client: TestClient, **headers: bytes) -> int:
    given = {b"authorization": b"Bearer write-me"}
    given |= {name.replace("_", "-").encode(): value for name, value in headers.items()}
    answer = client.get("/api/searches/svm-1/events", headers=given)
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code


@TRIED
@given(VALUES.filter(lambda value: value.strip().lower() != HERE.encode()))
@example(b"127.0.0.1:8080.evil.example")
def test_a_host(guarded: TestClient, value: bytes) -> None:
    assert status(guarded, host=value) == 421


@TRIED
@given(VALUES)
@example(f"http://{HERE}@evil.example".encode())
def test_an_origin(guarded: TestClient, value: bytes) -> None:
    assert status(guarded, origin=value) == 403


@TRIED
@given(VALUES)
@example(b"Bearer")
@example(b"Bearer write-me, Bearer x")
def test_a_token(guarded: TestClient, value: bytes) -> None:
    assert status(guarded, authorization=value) == 401


@TRIED
@given(VALUES.filter(lambda value: not (value.strip().isdigit() and int(value) <= 5)))
@example(b"99999999999999999999999")
def test_an_id_of_an_event(guarded: TestClient, value: bytes) -> None:
    assert status(guarded, last_event_id=value) in (400, 422)


@TRIED
@given(NAMES)
@example("../../etc/passwd")
@example("svm-1:stop:stop")
def test_a_name(guarded: TestClient, name: str) -> None:
    headers = {"Authorization": "Bearer write-me"}
    written = quote(name, safe="/:.%", errors="surrogatepass")
    for path in ("", "/trials", "/events", "/models/winner"):
        answer = guarded.get(f"/api/searches/{written}x{path}", headers=headers)
        assert 400 <= answer.status_code < 500
