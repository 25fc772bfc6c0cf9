"""A search for balanced accuracy: measured, stored, the objective of sampler and scheduler."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.searching.conftest import RESNET, SVM, Searched
from tune_mnist.analysis.ranking import goal_of, ranked_trials, ranking
from tune_mnist.store.reader import read_reports, read_trials
from tune_mnist.store.selection import Selection

BALANCED = "objective: {metric: val_balanced_accuracy}\n"


def test_the_winner_is_the_best_in_balanced_accuracy_and_the_ranking_shows_it(
    search: Callable[..., Searched], tmp_path: Path
) -> None:
    text = SVM.replace("{choice: [0.1, 1.0, 10.0]}", "{choice: [0.001, 1.0]}")
    text = text.replace("search:", "  class_weight: {choice: [none, balanced]}\nsearch:")
    outcome, rows = search(text + BALANCED)
    assert {row["config.class_weight"] for row in rows} == {"none", "balanced"}
    best = max(rows, key=lambda row: (row["val_balanced_accuracy"], -row["wall_time_s"]))
    assert outcome.best is not None
    assert outcome.best["trial"] == best["trial"]
    root, selection = tmp_path / "results", Selection("s")
    goal = goal_of(root, selection)
    shown = ranking(ranked_trials(read_trials(root), goal), goal)
    assert shown["val_balanced_accuracy"][0].as_py() == best["val_balanced_accuracy"]
    assert shown["test_balanced_accuracy"][0].as_py() == best["test_balanced_accuracy"]
    assert len(best["recall"]) == 10


def test_a_scheduler_compares_by_it_also_with_what_the_store_answers(
    search: Callable[..., Searched], tmp_path: Path
) -> None:
    text = RESNET.replace("grid, trials", "grid, scheduler: asha, trials") + BALANCED
    _, rows = search(text)
    reports = read_reports(tmp_path / "results").to_pylist()
    assert all(0 <= one["val_balanced_accuracy"] <= 1 for one in reports)
    outcome, again = search(text, "again", remember=True)
    assert outcome.reused == len(rows)
    known = {row["config"]: row["val_balanced_accuracy"] for row in rows}
    assert {row["config"]: row["val_balanced_accuracy"] for row in again} == known
