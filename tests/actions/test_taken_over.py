"""A search that another process has taken over ends with one line, and not with "resume it"."""

from __future__ import annotations

from pathlib import Path

import pytest

from tune_mnist.cli import run
from tune_mnist.errors import Fault
from tune_mnist.searching.on_ray.run import SearchRun
from tune_mnist.store.writer import SearchTakenError, StoreError

TAKEN = "trial 1 could not be written: process 7 on b has taken the search over"


@pytest.mark.parametrize(("error", "lines"), [(SearchTakenError, 1), (StoreError, 3)])
def test_what_is_printed(
    error: type[StoreError],
    lines: int,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def ends(self: SearchRun, known: object) -> None:
        raise error([Fault("s3://bucket/x", "", TAKEN, "let that one finish it")])

    monkeypatch.setattr(SearchRun, "search", ends)
    asked = ("search", "svm", "--dataset", "digits", "--trials", "1")
    assert run([*asked, "--results", str(tmp_path / "results")]) == 2
    said = capsys.readouterr().err.splitlines()
    assert [TAKEN in line for line in said[-lines:]] == [True] + [False] * (lines - 1)
