"""`confirm` on an SVM: told apart from noise, stored, and not run again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tune_mnist.store.reader import read_trials


def command(folder: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "tune_mnist", *words], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def confirmed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("confirmed")
    command(folder, "search", "svm", "--dataset", "digits", "--trials", "4", "--name", "s")
    return folder, command(folder, "confirm", "s", "--top", "2", "--seeds", "4")


def test_an_svm_is_called_deterministic_instead_of_inventing_variance(
    confirmed: tuple[Path, str],
) -> None:
    assert "deterministic: equal for every seed" in confirmed[1]


def test_a_deterministic_configuration_runs_twice_and_no_more(confirmed: tuple[Path, str]) -> None:
    rows = read_trials(confirmed[0] / "results", search="s-confirm").to_pylist()
    assert sorted(row["seed"] for row in rows) == [1, 1, 2, 2]


def test_a_confirmation_that_has_ended_runs_nothing_again(confirmed: tuple[Path, str]) -> None:
    command(confirmed[0], "confirm", "s", "--seeds", "4")
    assert len(read_trials(confirmed[0] / "results", search="s-confirm")) == 4
