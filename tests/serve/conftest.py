"""A service that begins nothing: its answers, without processes and without Ray."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.store.example_trials import PARAMETERS, report, trial
from tune_mnist.actions.service.bodies import Offered
from tune_mnist.serve.app import make_app
from tune_mnist.serve.guard import Access
from tune_mnist.serve.service import Service
from tune_mnist.store.plans import SearchRecord
from tune_mnist.store.writer import Writer

HERE = "127.0.0.1:8080"


def client_of(results: Path, access: Access | None = None) -> TestClient:
    service = Service(Offered(str(results), data={"cats": "/data/cats"}))
    app = make_app(service, access or Access({HERE}))
    return TestClient(app, base_url=f"http://{HERE}", raise_server_exceptions=False)


def filled(root: Path) -> None:
    """Make a store with one search of five trials that has ended."""
    with Writer(root, "svm-1", PARAMETERS) as writer:
        writer.write_search(
            SearchRecord(search="svm-1", dataset="mnist", space={"name": "svm", "model": "svm"})
        )
        for number, accuracy in enumerate((0.5, 0.9, 0.7, None, 0.8)):
            columns = {"status": "failed", "error": "no luck"} if accuracy is None else {}
            config = {"kernel": "rbf" if number % 2 else "poly", "C": float(number)}
            row = trial(f"{number:05d}", accuracy, config=config, **columns)
            writer.append_trial(row, [report(1)])
        writer.end_search("done")


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A store with one search of five trials that has ended."""
    filled(tmp_path / "results")
    return tmp_path / "results"


@pytest.fixture
def client(results: Path) -> Iterator[TestClient]:
    """A client of a service on that store."""
    with client_of(results) as asking:
        yield asking
