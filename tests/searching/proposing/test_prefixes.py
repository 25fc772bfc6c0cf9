"""Trials that differ only in their epochs: one training, and the same numbers as without."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.searching.conftest import RESNET, Searched, plan_text
from tune_mnist.searching.proposing.prefixes import longest_first
from tune_mnist.spaces import Config
from tune_mnist.store.reader import read_reports

Search = Callable[..., Searched]

GRID = RESNET.replace("epochs: 2", "epochs: {choice: [1, 2, 3]}").replace(", trials: 2", "")

SAME = ("train_accuracy", "val_accuracy", "test_accuracy", "train_loss", "val_loss", "confusion")


def measured(rows: list[dict[str, Any]]) -> dict[str, tuple[Any, ...]]:
    return {row["config"]: tuple(row[name] for name in SAME) for row in rows}


def test_shared_trials_measure_what_each_by_itself_does(search: Search, tmp_path: Path) -> None:
    outcome, shared = search(GRID, "shared")
    alone_outcome, alone = search(GRID, "alone", share=False)
    assert measured(shared) == measured(alone)
    assert (outcome.shared, alone_outcome.shared) == (4, 0)
    longest = {row["trial"] for row in shared if row["config.epochs"] == 3}
    assert {row["shared_with"] for row in shared if row["config.epochs"] < 3} == longest
    reports = read_reports(tmp_path / "results", search="shared").to_pylist()
    assert len(reports) == 2 * (1 + 2 + 3)


def test_a_shared_trial_has_the_time_that_its_own_training_would_take(search: Search) -> None:
    _, rows = search(GRID.replace("[0.01, 0.001]", "[0.01]"))
    by_epochs = {row["config.epochs"]: row for row in rows}
    for row in rows:
        parts = row["setup_s"] + row["fit_s"] + row["eval_s"]
        assert abs(row["wall_time_s"] - parts) < 1e-6
    assert by_epochs[1]["fit_s"] < by_epochs[2]["fit_s"] < by_epochs[3]["fit_s"]


def test_the_plan_says_what_is_trained_once(tmp_path: Path) -> None:
    [note] = [note for note in plan_text(tmp_path, GRID).notes if note.startswith("epochs")]
    assert "2 trainings cover 6 configurations; the shorter ones are read off after 1 and 2" in note
    assert not [n for n in plan_text(tmp_path, GRID, share=False).notes if "trainings" in n]


def test_the_longest_comes_first_where_the_first_of_its_training_stood() -> None:
    configs: list[Config] = [{"batch_size": size, "epochs": n} for n in (1, 2) for size in (16, 32)]
    ordered = [(config["batch_size"], config["epochs"]) for config in longest_first(configs)]
    assert ordered == [(16, 2), (16, 1), (32, 2), (32, 1)]


def test_a_schedule_that_depends_on_the_length_is_never_shared(
    search: Search, tmp_path: Path
) -> None:
    both = GRID.replace("[0.01, 0.001]", "[0.01]").replace(
        "epochs: {choice: [1, 2, 3]}",
        "epochs: {choice: [1, 2]}\n  schedule: {choice: [constant, one-cycle]}",
    )
    plan = plan_text(tmp_path, both)
    assert plan.lengths == (1,)
    assert [note for note in plan.notes if "3 trainings cover 4 configurations" in note]
    outcome, rows = search(both, "shared")
    _, alone = search(both, "alone", share=False)
    assert measured(rows) == measured(alone)
    shared = [(row["config.schedule"], row["config.epochs"]) for row in rows if row["shared_with"]]
    assert (outcome.shared, shared) == (1, [("constant", 1)])
    cosine = both.replace("[constant, one-cycle]", "[cosine, one-cycle]")
    assert plan_text(tmp_path, cosine).lengths == ()


@pytest.mark.parametrize(("scheduler", "lengths"), [("none", (1, 2)), ("pbt", ())])
def test_trials_that_change_while_they_run_share_nothing(
    tmp_path: Path, scheduler: str, lengths: tuple[int, ...]
) -> None:
    text = (
        "model: resnet\ndataset: digits\nparameters:\n  epochs: {choice: [1, 2, 4]}\n"
        f"  learning_rate: {{choice: [0.1, 0.01]}}\nsearch: {{scheduler: {scheduler}, trials: 4}}\n"
    )
    assert plan_text(tmp_path, text, sampler="random").lengths == lengths
