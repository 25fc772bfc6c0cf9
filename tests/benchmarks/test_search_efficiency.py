"""The replay: what a search costs on a recorded grid, and that ours searches that grid alone."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest

from benchmarks.replay import NAMES, Config, Parameter, Point, Table, key, load, replay, time_to
from benchmarks.search_efficiency import Ours


def two_rungs(model: str) -> Table:
    points = {
        key({"C": 1.0}): Point((0.5, 0.8), (1.0, 3.0)),
        key({"C": 2.0}): Point((0.6, 0.9), (1.0, 3.0)),
        key({"C": 3.0}): Point((0.4, 0.7), (1.0, 3.0)),
    }
    return Table("t", model, {"C": Parameter((1.0, 2.0, 3.0))}, (1 / 3, 1.0), points, 0.0)


class InOrder:
    """Proposes the grid in its order; stops at the first rung what is below `least`."""

    def __init__(self, least: float = 0.0) -> None:
        self._queue: Iterator[Config] = iter([{"C": 1.0}, {"C": 3.0}, {"C": 2.0}])
        self._least = least

    def ask(self) -> tuple[int, Config] | None:
        config = next(self._queue, None)
        return None if config is None else (0, config)

    def report(self, trial: int, rung: int, fidelity: float, accuracy: float) -> bool:
        return accuracy >= self._least

    def tell(self, trial: int, accuracy: float, *, stopped: bool) -> None: ...


@pytest.mark.parametrize(
    ("model", "rungs", "least", "found"),
    [
        ("resnet", False, 0.0, 8.0),  # two workers, 1 + 3 seconds a trial, the best comes third
        ("resnet", True, 0.5, 5.0),  # the second is stopped after 1 s, the third ends at 1 + 4
        ("svm", False, 0.0, 6.0),  # a whole SVM needs no smaller one before it
        ("svm", True, 0.0, 8.0),  # under a scheduler it pays for both
    ],
)
def test_a_replay_costs_what_the_trainings_would(
    model: str, rungs: bool, least: float, found: float
) -> None:
    trace = replay(InOrder(least), two_rungs(model), 100.0, rungs=rungs)
    assert time_to(trace, 0.0) == pytest.approx(found)


def test_what_ends_after_the_horizon_does_not_count() -> None:
    trace = replay(InOrder(), two_rungs("resnet"), 7.0, rungs=False)
    assert trace[-1][1] == pytest.approx(0.1)
    assert time_to(trace, 0.0) == math.inf


@pytest.mark.parametrize("name", NAMES)
def test_ours_searches_a_recorded_grid_to_its_end(name: str) -> None:
    """Any configuration that the table lacks would be a KeyError, a duplicate would end later."""
    table = load(name)
    seen = replay(Ours(table, "random", "none", 0), table, math.inf, rungs=False)
    assert seen[-1][1] == 0.0
