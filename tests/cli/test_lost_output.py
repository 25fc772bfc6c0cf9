"""Output that nobody can read any more costs no result and gives no traceback."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest

from tests.analysis.example_store import trial, write_store
from tune_mnist.cli import run
from tune_mnist.store.reader import read_trials

pytestmark = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")


def test_a_search_on_a_full_disk_of_output_finishes_and_says_so_in_one_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tune_mnist", "search", "svm", "--dataset", "digits"]
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(
            [*command, "--trials", "2", "--sampler", "random", "--name", "s"],
            cwd=tmp_path,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert len(read_trials(tmp_path / "results", search="s")) == 2
    of_the_data, *lines = ended.stderr.splitlines()
    assert of_the_data.startswith("digits: 10 classes; ")
    assert lines == [
        "no test images of its own: tested on the 20 % held out of the training pool",
        "stdout: cannot be written (No space left on device); a part of the output is lost,"
        " but no result",
    ]
    assert ended.returncode == 1


@pytest.mark.parametrize("how", ["closed", "full"])
def test_lost_output_is_one_line_and_exit_1(
    how: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given = None if how == "closed" else Path("/dev/full").open("w")  # noqa: SIM115
    monkeypatch.setattr(sys, "stdout", given)
    assert run(["spaces"]) == 1
    assert capsys.readouterr().err.startswith("stdout: cannot be written")
    if given:
        given.close()


def test_a_reader_that_has_read_enough_is_told_nothing(tmp_path: Path) -> None:
    command = f"{sys.executable} -m tune_mnist spaces show svm | head -c 1; echo >&-"
    ended = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (len(ended.stdout), ended.stderr.count("tune_mnist")) == (1, 0)


def test_no_file_takes_the_place_of_a_closed_stream() -> None:
    code = "import os, tune_mnist.__main__ as m; m._occupy_closed(); os.fstat(0); os.fstat(1)"
    command = ["bash", "-c", f'{sys.executable} -c "{code}" <&- >&-']
    assert subprocess.run(command, check=False).returncode == 0


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_what_an_encoding_lacks_is_escaped(
    encoding: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_store(tmp_path, [trial("a", dataset="文字–é", test_accuracy=None)])
    printed = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", printed)
    for more in ([], ["--format", "csv"], ["--format", "json"], ["--within", "0.1"]):
        assert run(["leaderboard", "--results", str(tmp_path), *more]) == 0
    assert b"\\u6587" in printed.buffer.getvalue()
