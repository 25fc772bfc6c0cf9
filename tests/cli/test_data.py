"""`data` shows what a search would train on; `search` says the same before it trains."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.datasets.written import write_classes
from tune_mnist.cli import run
from tune_mnist.store.plans import read_search
from tune_mnist.store.reader import read_trials

SUMMARY = (
    "pets: 2 classes; 28 / 4 / 8 images to train / validate / test; 5x6 pixels, grey;"
    " smallest class cat, 14 to train"
)


@pytest.fixture(autouse=True)
def _own_surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    return write_classes(tmp_path / "pets")


def test_the_table_counts_each_class_in_each_part(
    pets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["data", str(pets)]) == 0
    said = capsys.readouterr()
    assert said.out.splitlines()[0] == SUMMARY
    rows = [line.split() for line in said.out.splitlines()]
    assert ["cat", "14", "2", "4"] in rows
    assert ["dog", "14", "2", "4"] in rows
    assert "tested on the 20 % held out" in said.err


def test_the_page_is_written_beside_the_table(
    pets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["data", str(pets), "--html", "sheet.html"]) == 0
    assert capsys.readouterr().out.endswith("wrote sheet.html\n")
    assert Path("sheet.html").read_text("utf-8").count("<img") == 2 * (5 + 2 + 4)


@pytest.mark.parametrize("command", [["data"], ["search", "svm", "--dry-run", "--dataset"]])
def test_bad_images_are_refused_or_left_out_as_asked(
    pets: Path, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    (pets / "cat" / "000.png").write_bytes(b"")
    assert run([*command, str(pets)]) == 2
    assert "--skip-bad-images trains without it" in capsys.readouterr().err
    assert run([*command, str(pets), "--skip-bad-images"]) == 0
    assert "1 file that cannot be decoded left out: cat/000.png" in capsys.readouterr().err


def test_a_dry_run_says_what_would_be_trained_on(
    pets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["search", "svm", "--dataset", str(pets), "--dry-run"]) == 0
    assert capsys.readouterr().err.splitlines()[0] == SUMMARY


def test_the_cache_is_cleared_by_a_command(
    pets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["data", str(pets)]) == 0
    assert run(["data", "--clear-cache"]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("removed 1 data sets, 0.0 MB, from ")
    assert list((tmp_path / "cache" / "tune_mnist" / "decoded").iterdir()) == []


def test_without_a_data_set_it_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["data"]) == 2
    assert capsys.readouterr().err.startswith("--dataset: is missing; name mnist,")


def test_a_search_of_a_folder_that_is_not_utf_8_keeps_its_trials_and_resumes(
    tmp_path: Path,
) -> None:
    """The data set and a class have such names; a bad image is recorded."""
    work = tmp_path
    name = os.fsdecode(b"pets\xe9")
    write_classes(work / name)
    (work / name / "cat").rename(work / name / os.fsdecode(b"ch\xe4t"))
    (work / name / "dog" / "003.png").write_bytes(b"bad")
    line = [sys.executable, "-m", "tune_mnist", "search", "svm", "--dataset", f"./{name}"]
    line += ["--trials", "1", "--name", "s", "--skip-bad-images"]
    done = subprocess.run(line, cwd=work, capture_output=True, timeout=180, check=False)
    assert done.returncode == 0, done.stderr
    (row,) = read_trials(work / "results").to_pylist()
    assert (row["dataset"], row["status"]) == ("pets\\xe9", "completed")
    record = read_search(work / "results", "s")
    assert "1 file that cannot be decoded left out: dog/003.png" in record.notes
    line = [sys.executable, "-m", "tune_mnist", "resume", "s", "--trials", "2"]
    done = subprocess.run(line, cwd=work, capture_output=True, timeout=180, check=False)
    assert done.returncode == 0, done.stderr
    assert len(read_trials(work / "results")) == 2


def test_a_working_folder_that_is_not_utf_8_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    work = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    write_classes(work / "pets")
    monkeypatch.chdir(work)
    assert run(["data", "pets"]) == 0
    capsys.readouterr()
    assert run(["search", "svm", "--dataset", "pets", "--dry-run"]) == 2
    said = capsys.readouterr().err
    assert said == (
        f"--results: {tmp_path}/caf\\xe9/results is not UTF-8; name a folder whose whole path is"
        " UTF-8\n"
    )
