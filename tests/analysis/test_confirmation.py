"""Confirmation: which winner is named, how often wrongly, and who gets the next seed."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from tune_mnist.analysis.confirmation import (
    ALPHA,
    EFFECT_VARIANCE,
    Repeats,
    Standings,
    first_look,
    interval,
    repeats,
    standings,
    wanted_seeds,
)

MNIST, DIGITS = 1 / 6000, 1 / 179  # one image of the validation images

Draw = Callable[[random.Random], float]


def seen(*accuracies: Sequence[float]) -> list[Repeats]:
    """Return configurations with these accuracies on seeds 1, 2, 3, ..."""
    return [Repeats(dict(enumerate(values, 1))) for values in accuracies]


def stand(*accuracies: Sequence[float]) -> Standings:
    return standings(seen(*accuracies), resolution=MNIST)


# The intervals


def test_the_intervals_ends_are_where_the_martingale_reaches_one_over_alpha() -> None:
    values, alpha = [0.011, 0.013, 0.008, 0.012, 0.009, 0.014], 0.02
    n, mean = len(values), sum(values) / len(values)
    variance = sum((value - mean) ** 2 for value in values) / (n - 1)
    for end in interval(values, alpha, resolution=MNIST):
        t_squared = n * (mean - end) ** 2 / variance
        a = 1 + n * EFFECT_VARIANCE
        ratio = (1 + t_squared / (n - 1)) / (1 + t_squared / (n - 1) / a)
        assert ratio ** (n / 2) / math.sqrt(a) == pytest.approx(1 / alpha)


def test_the_mean_ever_leaves_its_intervals_at_most_as_often_as_promised() -> None:
    misses = 0
    for replay in range(1000):
        draw = random.Random(replay)
        values = [draw.gauss(0.0, 0.002) for _ in range(30)]
        looks = (interval(values[:n], ALPHA, resolution=1e-9) for n in range(2, 31))
        misses += any(not low <= 0.0 <= high for low, high in looks)
    assert misses / 1000 <= ALPHA + three_errors()


def test_the_interval_is_infinite_before_the_first_look() -> None:
    values = [0.010, 0.010, 0.011, 0.010]
    at = first_look(ALPHA / 4)
    assert at == 4
    assert interval(values[: at - 1], ALPHA / 4, resolution=MNIST) == (-math.inf, math.inf)
    assert all(map(math.isfinite, interval(values[:at], ALPHA / 4, resolution=MNIST)))


def test_equal_differences_on_few_images_are_no_proof() -> None:
    one_image_each = [DIGITS, DIGITS, DIGITS]
    assert interval(one_image_each, ALPHA, resolution=DIGITS)[0] < 0


# The winner


def three_errors() -> float:
    """Return three standard errors of a rate of `ALPHA` over 1,000 replays."""
    return 3 * math.sqrt(ALPHA * (1 - ALPHA) / 1000)


def looks(draws: Sequence[Draw], seeds: int, images: int, replay: int) -> list[Standings]:
    """Yield the standings after every trial of one replay; seeds go where they are wanted."""
    rng, results = random.Random(replay), [dict[int, float]() for _ in draws]
    found = []
    while True:
        now = standings([Repeats(result) for result in results], resolution=1 / images)
        found.append(now)
        wanted = wanted_seeds(now, seeds)
        short = [i for i, result in enumerate(results) if len(result) < wanted[i]]
        if not short:
            return found
        i = min(short, key=lambda i: len(results[i]))
        results[i][len(results[i])] = round(draws[i](rng) * images) / images


def noise(mean: float, deviation: float) -> Draw:
    return lambda rng: rng.gauss(mean, deviation)


# All are tied at the top, perhaps with one far below: any winner named is a false one.
TIED = {
    "two, thousands of images": ([noise(0.98, 0.001)] * 2, 6000),
    "two, of different noise": ([noise(0.98, 0.002), noise(0.98, 0.0005)], 6000),
    "two, few images": ([noise(0.98, 0.003)] * 2, 179),
    "two, and one far below": ([noise(0.98, 0.001)] * 2 + [noise(0.9, 0.001)], 6000),
}


@pytest.mark.parametrize("case", TIED)
def test_looking_after_every_trial_names_a_false_winner_in_at_most_5_percent(case: str) -> None:
    draws, images = TIED[case]
    false = sum(
        any(now.winner is not None for now in looks(draws, 10, images, replay))
        for replay in range(1000)
    )
    assert false / 1000 <= ALPHA + three_errors()


def test_a_winner_that_is_clearly_better_is_named_within_few_seeds() -> None:
    draws = [noise(0.970, 0.001), noise(0.978, 0.001), noise(0.960, 0.001)]
    last = [looks(draws, 10, 6000, replay)[-1] for replay in range(50)]
    assert all(now.winner == 1 for now in last)
    assert sum(one.seeds for now in last for one in now.of_each) / 50 < 3 * 7


def test_a_seed_that_is_hard_for_all_does_not_hide_a_difference() -> None:
    hard = [0.0, -0.02, 0.01, -0.01, 0.02]
    better = [0.950 + h + e for h, e in zip(hard, [0, 1e-4, -1e-4, 1e-4, 0], strict=True)]
    assert stand(better, [0.945 + h for h in hard]).winner == 0


def test_more_configurations_need_more_proof() -> None:
    better, worse = [0.95, 0.951, 0.949, 0.9505], [0.944, 0.9455, 0.945, 0.946]
    assert stand(better, worse).winner == 0
    assert stand(better, worse, *([[0.5, 0.51, 0.49, 0.5]] * 20)).winner is None


def test_a_single_configuration_is_measured_without_a_comparison() -> None:
    now = stand([0.95, 0.96, 0.94])
    assert now.of_each[0].mean == pytest.approx(0.95)
    assert now.of_each[0].deviation == pytest.approx(0.01)
    assert now.of_each[0].separable is None


# Deterministic models, and failures


def row(seed: int, accuracy: float, **more: Any) -> dict[str, Any]:
    done = {"train_accuracy": 1.0, "train_loss": None, "val_loss": None, "parameters": 9}
    return {**done, "status": "completed", "seed": seed, "val_accuracy": accuracy, **more}


def test_equal_trainings_on_two_seeds_are_deterministic() -> None:
    assert repeats([row(1, 0.9), row(2, 0.9)]).deterministic
    assert not repeats([row(1, 0.9)]).deterministic


def test_equal_accuracies_of_different_trainings_are_not_deterministic() -> None:
    assert not repeats([row(1, 0.9, val_loss=0.31), row(2, 0.9, val_loss=0.32)]).deterministic


def test_no_variance_is_invented_for_a_deterministic_model() -> None:
    better, worse = (repeats([row(1, a), row(2, a)]) for a in (0.95, 0.94))
    now = standings([worse, better], resolution=MNIST)
    assert now.winner == 1
    assert (now.of_each[0].deviation, now.of_each[0].mean_interval) == (0.0, (0.94, 0.94))
    assert now.of_each[0].difference_interval == pytest.approx((-0.01, -0.01))
    assert wanted_seeds(now, 10) == [2, 2]


def test_equal_deterministic_models_have_no_winner() -> None:
    same = repeats([row(1, 0.95), row(2, 0.95)])
    assert standings([same, same], resolution=MNIST).winner is None


def test_a_configuration_that_fails_on_a_fresh_seed_is_out() -> None:
    failed = repeats([row(1, 0.99), {"status": "failed", "seed": 2, "error": "diverged"}])
    now = standings([failed, *seen([0.9, 0.91, 0.9])], resolution=MNIST)
    assert now.leader == 1
    assert now.of_each[0].error == "diverged"
    stopped = {"status": "stopped", "seed": 3, "error": None}
    assert repeats([stopped, {"status": "failed", "seed": 2, "error": "diverged"}]).error
    assert wanted_seeds(now, 10)[0] == 1


# Where the next seed goes


def test_the_first_seeds_are_two_then_as_many_as_a_first_comparison_takes() -> None:
    assert wanted_seeds(stand([], [], []), 10) == [2, 2, 2]
    assert wanted_seeds(stand([0.9, 0.91], [0.9, 0.92], [0.9, 0.9]), 10) == [4, 4, 4]
    assert wanted_seeds(stand([0.9, 0.91], [0.9, 0.92], [0.9, 0.9]), 3) == [3, 3, 3]


def test_the_next_seed_goes_to_the_leader_and_to_those_not_separable_from_it() -> None:
    close, rival = [0.950, 0.951, 0.949, 0.950, 0.952], [0.951, 0.950, 0.948, 0.951, 0.950]
    far = [0.900, 0.901, 0.899, 0.900, 0.902]
    now = stand(close, rival, far)
    assert now.of_each[2].separable
    assert wanted_seeds(now, 10) == [6, 6, 5]


def test_no_more_seeds_are_wanted_than_were_asked_for() -> None:
    """At the last seed the order is still open."""
    close, rival = [0.950, 0.951, 0.949, 0.950, 0.952], [0.951, 0.950, 0.948, 0.951, 0.950]
    assert wanted_seeds(stand(close, rival), 6) == [6, 6]
    assert wanted_seeds(stand(close, rival), 5) == [5, 5]


def test_no_seed_is_wanted_once_a_winner_is_named() -> None:
    now = stand([0.950, 0.951, 0.949, 0.950], [0.900, 0.901, 0.899, 0.900])
    assert now.winner == 0
    assert wanted_seeds(now, 10) == [4, 4]
