"""One request through every face: the command line, a JSON file, the Python API."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tune_mnist import SearchRequest, search
from tune_mnist.metrics import LATENCIES
from tune_mnist.store.plans import read_search
from tune_mnist.store.reader import read_reports, read_trials

ASKED: dict[str, Any] = {
    "space": "svm",
    "dataset": "digits",
    "trials": 3,
    "max_concurrent": 1,
    "where": ["parameters <= 1000000"],
    "name": "s",
}
TIMES = {"wall_time_s", "setup_s", "fit_s", "eval_s", *LATENCIES, "started", "finished"}


def command(folder: Path, *arguments: str) -> None:
    line = [sys.executable, "-m", "tune_mnist", "search", *arguments]
    subprocess.run(line, cwd=folder, check=True, capture_output=True)


def by_options(folder: Path) -> None:
    options = ("--dataset", "digits", "--trials", "3", "--max-concurrent", "1", "--name", "s")
    command(folder, "svm", *options, "--where", "parameters <= 1000000")


def by_file(folder: Path) -> None:
    """With an option beside it, which wins."""
    (folder / "request.json").write_text(json.dumps({**ASKED, "trials": 99}))
    command(folder, "--request", "request.json", "--trials", "3")


def by_api(folder: Path) -> None:
    search(SearchRequest(**ASKED, results=folder / "results"), progress=False)


def left(folder: Path) -> tuple[Any, ...]:
    """What a search left in its store, less the times that no two runs share."""
    root = folder / "results"
    record = read_search(root, "s").model_dump(exclude={"started": True, "ended": {"at"}})
    rows = [read(root, search="s").to_pylist() for read in (read_trials, read_reports)]
    return record, *(
        [{k: v for k, v in row.items() if k not in TIMES} for row in of_kind] for of_kind in rows
    )


@pytest.fixture(scope="module")
def by_every_face(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Any, ...]]:
    faces: dict[str, Callable[[Path], None]] = {
        "options": by_options,
        "file": by_file,
        "api": by_api,
    }
    found = {}
    for name, ask in faces.items():
        folder = tmp_path_factory.mktemp(name)
        ask(folder)
        found[name] = left(folder)
    return found


def test_options_a_file_and_the_api_leave_the_same_record_and_the_same_rows(
    by_every_face: dict[str, tuple[Any, ...]],
) -> None:
    record, trials, measurements = by_every_face["options"]
    assert record["request"] == ASKED
    assert (len(trials), len(measurements)) == (3, 3)
    assert by_every_face["file"] == by_every_face["options"]
    assert by_every_face["api"] == by_every_face["options"]


def test_an_option_beside_a_file_wins(by_every_face: dict[str, tuple[Any, ...]]) -> None:
    record, trials, _ = by_every_face["file"]
    assert record["request"]["trials"] == 3
    assert len(trials) == 3
