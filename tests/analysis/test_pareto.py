from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.analysis.example_store import failed, stored, trial
from tune_mnist.analysis.columns import Floats
from tune_mnist.analysis.pareto import (
    knee,
    pareto_sets,
    parse_objectives,
    set_sentence,
)
from tune_mnist.dominance import fronts, unbeaten
from tune_mnist.errors import InputError

_COST = st.sampled_from([1.0, 2.0, 3.0, 4.0])
_POINTS = st.integers(2, 3).flatmap(
    lambda objectives: st.lists(st.tuples(*[_COST] * objectives), min_size=1, max_size=12)
)


def dominates(one: Floats, other: Floats) -> bool:
    return bool((one <= other).all() and (one < other).any())


@given(_POINTS)
def test_the_set_is_the_trials_that_no_other_dominates(points: list[tuple[float, ...]]) -> None:
    costs = np.array(points)
    by_definition = [not any(dominates(other, one) for other in costs) for one in costs]
    assert unbeaten(costs).tolist() == by_definition


@given(_POINTS)
def test_each_front_is_dominated_only_by_the_fronts_before_it(
    points: list[tuple[float, ...]],
) -> None:
    costs = np.array(points)
    front = fronts(costs, len(costs))
    for number, one in zip(front, costs, strict=True):
        beaten_by = {int(n) for n, o in zip(front, costs, strict=True) if dominates(o, one)}
        assert max(beaten_by, default=0) == number - 1


def test_sorting_stops_once_enough_trials_have_a_front() -> None:
    costs = np.array([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]])
    assert fronts(costs, 2).tolist() == [1, 2, 0]


@pytest.mark.parametrize(
    ("costs", "at"),
    [
        ([[0, 10], [1, 2], [2, 1], [10, 0]], [1, 2]),
        ([[0, 1000], [1, 900], [2, 100], [10, 0]], [2]),  # scaled: units do not matter
        ([[0, 0.5, 1], [1, 0, 0.5], [0.2, 0.2, 0.2], [0.5, 1, 0]], [2]),
        ([[0, 4, 7], [1, 1, 7], [4, 0, 7]], [1]),  # an objective that is the same in all
    ],
)
def test_knee_is_farthest_below_the_line_between_the_ends(
    costs: list[list[float]], at: list[int]
) -> None:
    found = np.flatnonzero(knee(np.array(costs, float), np.ones(len(costs), dtype=bool)))
    assert len(found) == 1
    assert found[0] in at


@pytest.mark.parametrize(
    "costs", [[[0, 1], [1, 0]], [[0, 2], [1, 1], [2, 0]], [[0, 2], [1.5, 1.5], [2, 0]]]
)
def test_a_straight_set_has_no_knee(costs: list[list[float]]) -> None:
    assert not knee(np.array(costs, float), np.ones(len(costs), dtype=bool)).any()


def test_the_set_comes_first_then_the_fronts_behind_it(tmp_path: Path) -> None:
    rows = [
        trial("slow", 0.9, wall_time_s=20.0),
        trial("worse", 0.85, wall_time_s=15.0),
        trial("quick", 0.8, wall_time_s=5.0),
        trial("bent", 0.89, wall_time_s=6.0),
        failed("lost", "lost"),
    ]
    [found] = pareto_sets(stored(tmp_path, rows), ("val_accuracy", "wall_time_s"), 20)
    assert found.trials["trial"].to_pylist() == ["slow", "bent", "quick", "worse"]
    assert found.trials["front"].to_pylist() == [1, 1, 1, 2]
    assert found.trials["knee"].to_pylist() == [False, True, False, False]
    assert (found.size, found.of) == (3, 4)


def test_each_data_set_has_its_own_pareto_set(tmp_path: Path) -> None:
    rows = [trial("a", 0.7), trial("b", 0.9, dataset="mnist")]
    sets = pareto_sets(stored(tmp_path, rows), ("val_accuracy", "wall_time_s"), 20)
    assert [(found.dataset, found.size) for found in sets] == [("digits", 1), ("mnist", 1)]


def test_trials_that_lack_an_objective_are_counted_and_left_out(tmp_path: Path) -> None:
    rows = [trial("a", parameters=100), trial("b")]
    [found] = pareto_sets(stored(tmp_path, rows), ("val_accuracy", "parameters"), 20)
    assert found.trials["trial"].to_pylist() == ["a"]
    assert "1 more were stopped early or lack an objective" in set_sentence(found)


def test_a_trial_that_was_stopped_early_is_not_compared(tmp_path: Path) -> None:
    rows = [
        trial("a", 0.8, wall_time_s=9.0),
        trial("fast", 0.9, wall_time_s=1.0, status="stopped"),
        trial("b", 0.9, wall_time_s=10.0),
    ]
    [found] = pareto_sets(stored(tmp_path, rows), ("val_accuracy", "wall_time_s"), 20)
    assert found.trials["trial"].to_pylist() == ["b", "a"]
    assert found.size == 2


def test_an_objective_that_no_trial_has_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match="none of 1 trials is completed and has val_accuracy and parameters"
    ):
        pareto_sets(stored(tmp_path, [trial("a")]), ("val_accuracy", "parameters"), 20)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("val_acuracy,wall_time_s", "did you mean val_accuracy?"),
        ("val_accuracy", "at least two different"),
        ("val_accuracy,val_accuracy", "at least two different"),
        ("test_accuracy,wall_time_s", "never chooses"),
    ],
)
def test_bad_objectives_are_refused(text: str, hint: str) -> None:
    with pytest.raises(InputError, match=hint):
        parse_objectives(text)
