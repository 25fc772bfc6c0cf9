"""Which trials continue at a rung; no Ray runs."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tune_mnist.dominance import spread, unbeaten
from tune_mnist.searching.stopping.rungs import Rung, Rungs
from tune_mnist.spaces import Objective

ACCURACY = Objective()
SECONDS = Objective.model_validate({"metric": "wall_time_s"})
COSTS = st.lists(
    st.tuples(*[st.integers(0, 5).map(float)] * 2), min_size=4, max_size=24, unique=True
)


def last_goes_on(eta: float, costs: list[tuple[float, ...]]) -> bool:
    rung = Rung(1.0, eta)
    return [rung.enter(str(number), cost) for number, cost in enumerate(costs)][-1]


@given(COSTS, st.sampled_from([2.0, 3.0, 4.0]))
def test_as_many_go_on_as_the_rung_has_places_whatever_the_order(
    costs: list[tuple[float, ...]], eta: float
) -> None:
    """Each as the last to come, so that the rung knows the same trials."""
    others = [[*costs[:i], *costs[i + 1 :], costs[i]] for i in range(len(costs))]
    on = [last_goes_on(eta, order) for order in others]
    assert sum(on) == max(1, int(len(costs) / eta))
    assert on == [last_goes_on(eta, [*reversed(order[:-1]), order[-1]]) for order in others]


@given(COSTS)
def test_none_goes_on_that_a_stopped_one_dominates(costs: list[tuple[float, ...]]) -> None:
    on = [last_goes_on(2.0, [*costs[:i], *costs[i + 1 :], costs[i]]) for i in range(len(costs))]
    for i, j in itertools.product(range(len(costs)), repeat=2):
        dominates = costs[i] != costs[j] and all(np.array(costs[i]) <= np.array(costs[j]))
        assert not (dominates and on[j] and not on[i])


def test_one_objective_is_plain_successive_halving() -> None:
    rung = Rung(1.0, 2.0)
    accuracies = [0.5, 0.6, 0.4, 0.7, 0.6, 0.9]
    on = [rung.enter(str(number), [-value]) for number, value in enumerate(accuracies)]
    assert on == [True, True, False, True, True, True]  # the second 0.6 equals the first


def test_equal_trials_go_on_together() -> None:
    rung = Rung(1.0, 4.0)
    assert all(rung.enter(str(number), [0.5, 1.0]) for number in range(8))


def test_who_has_gone_on_is_not_asked_again() -> None:
    rung = Rung(1.0, 2.0)
    assert rung.enter("a", [1.0])
    assert rung.enter("b", [0.0])
    assert rung.enter("a", [9.0])


def test_a_net_begins_with_the_best_and_covers_the_front() -> None:
    front = np.array([[0.0, 4.0], [1.0, 3.0], [2.0, 2.0], [3.0, 1.0], [4.0, 0.0]])
    assert unbeaten(front).all()
    assert spread(front)[:3].tolist() == [0, 4, 2]


def measured(fidelity: float, accuracy: float, seconds: float = 1.0) -> dict[str, float]:
    return {"fidelity": fidelity, "val_accuracy": accuracy, "wall_time_s": seconds}


def test_a_slower_and_worse_trial_is_stopped_a_faster_and_worse_one_is_not() -> None:
    scheduler = Rungs([ACCURACY, SECONDS], [1.0, 2.0], brackets=1, seed=0)
    for number in range(3):
        scheduler.goes_on(f"good {number}", number, measured(1.0, 0.9, 2.0 + number))
    assert not scheduler.goes_on("slow", 3, measured(1.0, 0.8, 9.0))
    assert scheduler.goes_on("fast", 4, measured(1.0, 0.8, 1.0))


def test_fractions_meet_their_rung_whatever_the_last_bit() -> None:
    scheduler = Rungs([ACCURACY], [1 / 9, 1 / 3, 1.0], brackets=1, seed=0)
    assert scheduler.goes_on("a", 0, measured(3 * (1 / 9), 0.9))
    assert not scheduler.goes_on("b", 1, measured(np.nextafter(1 / 3, 0), 0.1))


def test_nothing_is_stopped_below_the_first_rung_or_at_the_whole() -> None:
    scheduler = Rungs([ACCURACY], [2.0, 4.0], brackets=1, seed=0)
    scheduler.goes_on("a", 0, measured(2.0, 0.9))
    assert scheduler.goes_on("b", 1, measured(1.0, 0.1))


def test_hyperband_draws_every_bracket_the_same_again() -> None:
    def stopped(seed: int) -> list[bool]:
        scheduler = Rungs([ACCURACY], [1.0, 2.0, 4.0], brackets=3, seed=seed)
        for number in range(200):
            scheduler.goes_on(f"good {number}", number, measured(1.0, 0.9))
        return [not scheduler.goes_on(f"bad {n}", n, measured(1.0, 0.1)) for n in range(200)]

    np.random.seed(random.randrange(2**32))  # Ray's ASHA would draw from this
    first = stopped(0)
    assert first == stopped(0) != stopped(1)
    assert 0.3 < np.mean(first) < 0.7  # by Hyperband's shares 4 : 3 : 3


@pytest.mark.parametrize(("rungs", "kept"), [([1.0, 2.0], 50), ([1 / 9, 1 / 3], 33)])
def test_a_rung_keeps_the_share_that_the_next_one_costs(rungs: list[float], kept: int) -> None:
    scheduler = Rungs([ACCURACY], rungs, brackets=1, seed=0)
    for number in range(99):
        scheduler.goes_on(str(number), number, measured(rungs[0], number / 200))
    assert scheduler.goes_on("in", 99, measured(rungs[0], (100 - kept) / 200 + 0.001))
    assert not scheduler.goes_on("out", 100, measured(rungs[0], (96 - kept) / 200))
