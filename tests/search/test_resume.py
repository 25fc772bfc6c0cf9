"""A search that ended early goes on where it was, and its proposals can be made again."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.search.conftest import RESNET, SVM, Searched, Silent
from tune_mnist.search.proposals import Proposals
from tune_mnist.search.recorder import Row
from tune_mnist.search.resume import earlier_runs, replay
from tune_mnist.store.reader import read_trials

Search = Callable[..., Searched]

LEARNING = SVM.replace("[0.1, 1.0, 10.0]", "[0.1, 0.3, 1.0, 3.0, 10.0]").replace("grid", "tpe")


class Interrupts(Silent):
    """Presses Ctrl-C once something has been seen of as many trials."""

    def __init__(self, after: int) -> None:
        self.left = after

    def trial_finished(self, row: Row) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGINT)


def outcomes(rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return sorted((row["trial"], row["config"], row["val_accuracy"]) for row in rows)


@pytest.mark.parametrize("sampler", ["grid", "tpe", "random"])
def test_an_interrupted_search_ends_as_one_that_was_not(search: Search, sampler: str) -> None:
    settings: dict[str, Any] = {"sampler": sampler, "max_concurrent": 1, "trials": 6}
    _, whole = search(LEARNING, "whole", **settings)
    first, some = search(LEARNING, "cut", observer=Interrupts(3), **settings)
    outcome, rows = search(LEARNING, "cut", resume=True, **settings)
    assert first.reason == "interrupted"
    assert 3 <= len(some) < 6
    assert outcome.counts == {"completed": 6}
    assert outcomes(rows) == outcomes(whole)


def test_trials_is_the_number_in_total(search: Search) -> None:
    search(LEARNING, trials=2)
    _, rows = search(LEARNING, resume=True, trials=5)
    assert len(rows) == 5
    assert len({row["config"] for row in rows}) == 5


def test_what_ran_side_by_side_is_proposed_again(search: Search, tmp_path: Path) -> None:
    search(LEARNING, trials=9, max_concurrent=2)
    earlier = earlier_runs(tmp_path / "results", "s")
    again, reproduced = replay(Proposals(earlier.space, "cpu"), earlier)
    assert reproduced == len(again) == 9
    asked = read_trials(tmp_path / "results", search="s").to_pylist()
    seen = {int(row["trial"]): row["proposed_after"] for row in asked}
    assert [proposal.seen for proposal in again] == [seen[number] for number in range(9)]


class InterruptsAfterEpoch(Silent):
    """Presses Ctrl-C when the first trial has reported twice."""

    reports = 0

    def trial_reported(self, trial: str, measurement: Row) -> None:
        self.reports += 1
        if self.reports == 2:
            os.kill(os.getpid(), signal.SIGINT)


def test_a_trial_goes_on_from_its_last_saved_state(
    search: Search, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tune_mnist.search.run.SAVE_EVERY_S", 0.0)
    text = RESNET.replace("epochs: 2", "epochs: 6").replace(", trials: 2", ", trials: 1")
    _, whole = search(text, "whole")
    search(text, "cut", observer=InterruptsAfterEpoch())
    [checkpoint] = earlier_runs(tmp_path / "results", "cut").checkpoints.values()
    _, rows = search(text, "cut", resume=True)
    assert checkpoint.name.startswith("checkpoint_")
    assert outcomes(rows) == outcomes(whole)
    assert rows[0]["test_accuracy"] == whole[0]["test_accuracy"]
    assert not (tmp_path / "results" / ".checkpoints" / "cut").exists()
