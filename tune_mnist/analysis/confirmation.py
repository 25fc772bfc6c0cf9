"""Is the winner better, or lucky? What the same configurations reach with fresh seeds.

The best of many single runs is partly the luckiest. So the top K configurations run again with new
seeds, the same for each, and are compared seed by seed. Results are checked after every trial, and
the comparison stops once the order is settled. An ordinary t-test forbids that; the intervals here
stay valid however often they are checked.

    interval     a confidence sequence for a mean: a t-test's interval that is valid at every check
    standings    where each configuration stands against the leader
    wanted_seeds how many seeds each should have run by now: more where the order is still open

Assumption: a configuration's accuracies over seeds, and the differences between two configurations,
are Gaussian with unknown variance. That is close, because an accuracy is a mean over thousands of
images. A few seeds cannot show what a rare disastrous seed would cost. All seeds use the same
images, so the intervals say nothing about other images. docs/decisions/004-confirmation.md explains
the choice of this confidence sequence.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ALPHA = 0.05
"""The most probable a false winner may be, over all checks and comparisons together."""

EFFECT_VARIANCE = 10.0
"""Prior variance of difference / standard deviation; narrow intervals for 4 to 50 seeds."""

Interval = tuple[float, float]

_FINGERPRINT = ("train_accuracy", "val_accuracy", "train_loss", "val_loss", "parameters")


@dataclass(frozen=True)
class Repeats:
    """One configuration on several seeds.

    Args:
        accuracies: seed to validation accuracy, a fraction.
        deterministic: every seed gave exactly the same training, so any other seed would too.
        error: the error of a seed that failed; None if none failed.
    """

    accuracies: Mapping[int, float]
    deterministic: bool = False
    error: str | None = None


@dataclass(frozen=True)
class Standing:
    """Where one configuration stands.

    Args:
        seeds: the number of seeds with an accuracy.
        mean: the mean accuracy; None without any.
        deviation: the standard deviation (n - 1); None with fewer than two seeds.
        mean_interval: 95 % confidence sequence of the mean.
        difference: mean paired difference to the leader; None for the leader itself, and without
            common seeds.
        difference_interval: confidence sequence of the difference, corrected for K comparisons.
        separable: whether the leader is better beyond seed noise; None for the leader itself, and
            for a configuration that failed.
        deterministic, error: as in `Repeats`.
    """

    seeds: int
    mean: float | None
    deviation: float | None
    mean_interval: Interval
    difference: float | None
    difference_interval: Interval
    separable: bool | None
    deterministic: bool
    error: str | None


@dataclass(frozen=True)
class Standings:
    """The standings of all configurations.

    Args:
        leader: index of the best mean among the configurations that no other beats; None before the
            first result.
        winner: the leader if every other configuration is separable from it, else None.
        of_each: one standing for each configuration, in the given order.
    """

    leader: int | None
    winner: int | None
    of_each: tuple[Standing, ...]


def repeats(rows: Iterable[Mapping[str, Any]]) -> Repeats:
    """Return the repeats of one configuration, from its rows in the store, one for each seed."""
    done = list(rows)
    completed = [row for row in done if row["status"] == "completed"]
    prints = {tuple(row.get(name) for name in _FINGERPRINT) for row in completed}
    return Repeats(
        {row["seed"]: row["val_accuracy"] for row in completed},
        deterministic=len(completed) > 1 and len(prints) == 1,
        error=next((row["error"] for row in done if row["status"] == "failed"), None),
    )


def interval(values: Sequence[float], alpha: float, *, resolution: float) -> Interval:
    """Return the confidence sequence of a mean of Gaussian values, after these values.

    With probability 1 - alpha, the mean lies in all the intervals after 1, 2, 3, ... values. So the
    result may be checked at any time, and any rule may decide when to stop.

    Args:
        values: accuracies or differences of accuracies, in the order they came.
        alpha: in (0, 1).
        resolution: 1 / number of images, the finest step of an accuracy. The standard deviation is
            taken to be at least resolution / sqrt(6), what rounding alone gives a difference.
    Returns: the lowest and highest mean that the values do not refute; infinite while they are too
        few (`first_look`).
    Source: the scale-invariant mixture of t likelihood ratios, effect size ~ N(0, g): Lai, Annals
        of Statistics 4 (1976); Wang and Ramdas, arXiv 2310.03722 (2024). A martingale
        sqrt(1/A) ((1 + r) / (1 + r/A))^(n/2), A = 1 + n g, r = t^2 / (n - 1), solved for t.
    """
    n = len(values)
    a = 1 + n * EFFECT_VARIANCE
    q = math.exp((math.log(a) - 2 * math.log(alpha)) / n) if n else math.inf
    if q >= a:  # even the largest t would not refute a mean
        return -math.inf, math.inf
    mean, variance = _moments(values)
    variance = max(variance, resolution**2 / 6)
    half = math.sqrt(variance * (n - 1) / n * (q - 1) / (1 - q / a))
    return mean - half, mean + half


def first_look(alpha: float) -> int:
    """Return the number of values from which on `interval` is finite."""
    n = 2
    while (n - 1) / 2 * math.log(1 + n * EFFECT_VARIANCE) <= -math.log(alpha):
        n += 1
    return n


def standings(configurations: Sequence[Repeats], *, resolution: float) -> Standings:
    """Compare configurations that ran with the same seeds.

    The probability of ever naming a false winner is at most `ALPHA`. A false winner needs one of
    the best configuration's K - 1 difference intervals to be wrong, so each has ALPHA / (K - 1).

    Args:
        configurations: all K, with the seeds that each has by now. Two are compared on the seeds
            that both have. One with an error is not ranked, but counts in K.
        resolution: as in `interval`.
    """
    alpha = ALPHA / max(1, len(configurations) - 1)
    ranked = [i for i, one in enumerate(configurations) if one.accuracies and one.error is None]

    beaten: set[int] = set()
    for i, j in itertools.combinations(ranked, 2):
        low, high = _difference(configurations[i], configurations[j], alpha, resolution)
        beaten |= ({j} if low > 0 else set()) | ({i} if high < 0 else set())
    unbeaten = [i for i in ranked if i not in beaten] or ranked
    leader = max(unbeaten, key=lambda i: _mean(configurations[i]), default=None)
    of_each = tuple(
        _standing(one, None if leader in (None, i) else configurations[leader], alpha, resolution)
        for i, one in enumerate(configurations)
    )
    rest = [of_each[i] for i in range(len(of_each)) if i != leader and of_each[i].error is None]
    settled = leader is not None and all(one.separable for one in rest)
    return Standings(leader, leader if settled else None, of_each)


def wanted_seeds(now: Standings, seeds: int) -> list[int]:
    """Return how many seeds each configuration should have run by now.

    Two seeds show whether it is deterministic. Next come as many as a first comparison needs. From
    then on, the leader and those not yet separable from it get one more at a time.

    Args:
        now: the standings so far.
        seeds: the most seeds for each, >= 2.
    """
    rivals = len(now.of_each) - 1
    least = min(seeds, first_look(ALPHA / rivals)) if rivals else seeds

    def wanted(index: int, one: Standing) -> int:
        if one.error is not None or one.deterministic:
            return one.seeds
        if one.seeds < least:
            return 2 if one.seeds < 2 else least
        settled = now.winner is not None if index == now.leader else one.separable
        return one.seeds if settled else min(seeds, one.seeds + 1)

    return [wanted(index, one) for index, one in enumerate(now.of_each)]


def _standing(one: Repeats, leader: Repeats | None, alpha: float, resolution: float) -> Standing:
    values = list(one.accuracies.values())
    low, high = interval(values, ALPHA, resolution=resolution)
    if one.deterministic:
        low = high = values[0]
    difference, between = None, (-1.0, 1.0)
    if leader is not None and (paired := _paired(one, leader)):
        difference = sum(paired) / len(paired)
        between = _difference(one, leader, alpha, resolution)
    return Standing(
        seeds=len(values),
        mean=sum(values) / len(values) if values else None,
        deviation=math.sqrt(_moments(values)[1]) if len(values) > 1 else None,
        mean_interval=(max(0.0, low), min(1.0, high)),
        difference=difference,
        difference_interval=(max(-1.0, between[0]), min(1.0, between[1])),
        separable=None if leader is None or one.error is not None else between[1] < 0,
        deterministic=one.deterministic,
        error=one.error,
    )


def _difference(one: Repeats, other: Repeats, alpha: float, resolution: float) -> Interval:
    """Return the interval of one mean accuracy minus the other; exact if both are deterministic."""
    paired = _paired(one, other)
    if one.deterministic and other.deterministic:
        return paired[0], paired[0]
    return interval(paired, alpha, resolution=resolution)


def _paired(one: Repeats, other: Repeats) -> list[float]:
    """Return the differences on common seeds; a deterministic configuration has every seed."""
    first, second = one.accuracies, other.accuracies
    if one.deterministic:
        first = dict.fromkeys(second, next(iter(first.values())))
    elif other.deterministic:
        second = dict.fromkeys(first, next(iter(second.values())))
    return [accuracy - second[seed] for seed, accuracy in first.items() if seed in second]


def _mean(one: Repeats) -> float:
    return sum(one.accuracies.values()) / len(one.accuracies)


def _moments(values: Sequence[float]) -> tuple[float, float]:
    """Return the mean and the variance (n - 1) of at least two values."""
    mean = sum(values) / len(values)
    return mean, sum((value - mean) ** 2 for value in values) / (len(values) - 1)
