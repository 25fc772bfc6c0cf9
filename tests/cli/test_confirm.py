"""`confirm` on an SVM: told apart from noise, stored, and not run again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tune_mnist.analysis.confirmation import Repeats, standings
from tune_mnist.cli.confirm import _conclusion
from tune_mnist.searching.history.confirmation import Confirmation
from tune_mnist.store.plans import SearchRecord
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
    asked = ("--dataset", "digits", "--trials", "4", "--max-concurrent", "1", "--name", "s")
    command(folder, "search", "svm", *asked)
    return folder, command(folder, "confirm", "s", "--top", "2", "--seeds", "4")


def test_an_svm_is_called_deterministic_instead_of_inventing_variance(
    confirmed: tuple[Path, str],
) -> None:
    assert "deterministic: equal for every seed" in confirmed[1]


def test_a_deterministic_configuration_runs_twice_and_no_more(confirmed: tuple[Path, str]) -> None:
    rows = read_trials(confirmed[0] / "results", search="s-confirm").to_pylist()
    assert sorted(row["seed"] for row in rows) == [1, 1, 2, 2]


def test_a_model_of_each_confirmed_configuration_is_kept(confirmed: tuple[Path, str]) -> None:
    rows = read_trials(confirmed[0] / "results", search="s-confirm").to_pylist()
    kept = (confirmed[0] / "results" / "models" / "search=s-confirm").iterdir()
    of_trial = {row["trial"]: row["config"] for row in rows}
    assert sorted(of_trial[one.name] for one in kept) == sorted({row["config"] for row in rows})


def test_a_confirmation_that_has_ended_runs_nothing_again(confirmed: tuple[Path, str]) -> None:
    command(confirmed[0], "confirm", "s", "--seeds", "4")
    assert len(read_trials(confirmed[0] / "results", search="s-confirm")) == 4


def test_an_exact_comparison_assumes_nothing(confirmed: tuple[Path, str]) -> None:
    assert "exactly" in confirmed[1] or "equal on every seed" in confirmed[1]
    assert "scatter" not in confirmed[1]


def test_a_winner_among_noisy_models_is_said_with_what_is_assumed() -> None:
    accuracies = ([0.95, 0.951, 0.949, 0.9505], [0.90, 0.901, 0.902, 0.9])
    now = standings([Repeats(dict(enumerate(of))) for of in accuracies], resolution=1 / 6000)
    record = SearchRecord(search="s")
    made = Confirmation("s", "s-confirm", record, 2, ("a", "b"), ({}, {}), (1, 2, 3, 4))
    told = _conclusion(now, ["first", "second"], made)
    assert told.startswith("confirmed: first is the best of 2, at 95% over all looks")
    assert "95 % holds if accuracies scatter alike above and below their mean" in told
