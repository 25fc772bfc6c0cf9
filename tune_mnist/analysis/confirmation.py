"""Is the winner better, or lucky? What the same configurations reach over fresh seeds.

The best of many single runs is partly the luckiest. So the top K run again with new seeds, the
same for each, and are compared seed by seed. One looks after every trial and stops when the order
is settled, which an ordinary t-test forbids; the intervals here hold at all looks at once.

    interval     a confidence sequence for a mean: a t-test's interval that may be looked at often
    standings    where each configuration stands against the leader
    wanted_seeds how many seeds each needs by now, so that they go where the order is open

Assumed: a configuration's accuracies over seeds, and the differences of two, are Gaussian, their
variance unknown. An accuracy is a mean over thousands of images, so near enough; what a rare
disastrous seed would cost, a few seeds cannot show. The images stay the same: the intervals are
about seeds, not about other images. docs/decisions/004-confirmation.md says why this sequence.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ALPHA = 0.05
"""Probability, over all looks and comparisons together, that a false winner is ever named."""

EFFECT_VARIANCE = 10.0
"""Prior variance of difference / standard deviation; intervals near narrowest for 4 to 50 seeds."""

Interval = tuple[float, float]

_FINGERPRINT = ("train_accuracy", "val_accuracy", "train_loss", "val_loss", "parameters")


@dataclass(frozen=True)
class Repeats:
    """One configuration on several seeds.

    Args:
        accuracies: validation accuracy, a fraction, by seed.
        deterministic: every seed gave the very same training, so any other would too.
        error: of a seed that failed; None: none did.
    """

    accuracies: Mapping[int, float]
    deterministic: bool = False
    error: str | None = None


@dataclass(frozen=True)
class Standing:
    """Where one configuration stands.

    Args:
        seeds: accuracies that it has.
        mean: of them; None without any.
        deviation: their standard deviation (n - 1); None with fewer than two, 0.0 if deterministic.
        mean_interval: 95 % confidence sequence of its mean.
        difference: its mean paired difference to the leader; None for the leader, or without
            common seeds.
        difference_interval: confidence sequence of that, corrected for K.
        separable: the leader is better, beyond seed noise; None for the leader.
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
    """All configurations' standings, in the order they were given.

    Args:
        leader: index of the best mean among those that none beats; None before the first result.
        winner: the leader where every other one is separable from it, else None.
        of_each: one a configuration.
    """

    leader: int | None
    winner: int | None
    of_each: tuple[Standing, ...]


def repeats(rows: Iterable[Mapping[str, Any]]) -> Repeats:
    """Return what the store's rows of one configuration, one a seed, come to."""
    done = list(rows)
    completed = [row for row in done if row["status"] == "completed"]
    prints = {tuple(row.get(name) for name in _FINGERPRINT) for row in completed}
    return Repeats(
        {row["seed"]: row["val_accuracy"] for row in completed},
        deterministic=len(completed) > 1 and len(prints) == 1,
        error=next((row["error"] for row in done if row["status"] == "failed"), None),
    )


def interval(values: Sequence[float], alpha: float, *, resolution: float) -> Interval:
    """Return a confidence sequence for the mean of Gaussian values, after these many of them.

    With probability 1 - alpha the mean lies in the intervals after 1, 2, 3, ... values, in all of
    them at once: however often one looks, and whatever decides when to stop.

    Args:
        values: accuracies or differences of accuracies, in the order they came.
        alpha: in (0, 1).
        resolution: 1 / number of images; no difference is known finer. Their standard deviation
            is taken to be at least what rounding alone gives a difference, resolution / sqrt(6).
    Returns: lowest and highest mean that is not refuted; infinite before that many values.
    Source: the scale-invariant mixture of t likelihood ratios, effect size ~ N(0, g): Lai, Annals
        of Statistics 4 (1976); Wang and Ramdas, arXiv 2310.03722 (2024). A martingale
        sqrt(1/A) ((1 + r) / (1 + r/A))^(n/2), A = 1 + n g, r = t^2 / (n - 1), solved for t.
    """
    n = len(values)
    a = 1 + n * EFFECT_VARIANCE
    q = math.exp((math.log(a) - 2 * math.log(alpha)) / n) if n else math.inf
    if q >= a:  # no t, however large, would refute a mean
        return -math.inf, math.inf
    mean, variance = _moments(values)
    variance = max(variance, resolution**2 / 6)
    half = math.sqrt(variance * (n - 1) / n * (q - 1) / (1 - q / a))
    return mean - half, mean + half


def first_look(alpha: float) -> int:
    """Return how many values there must be before `interval` can be finite."""
    n = 2
    while (n - 1) / 2 * math.log(1 + n * EFFECT_VARIANCE) <= -math.log(alpha):
        n += 1
    return n


def standings(configurations: Sequence[Repeats], *, resolution: float) -> Standings:
    """Compare configurations that ran on the same seeds.

    Named is a winner that is not best with probability `ALPHA` at most, over all looks: that
    takes the interval of a difference to the best one to fail, and there are K - 1 of them.

    Args:
        configurations: all K, on as many seeds as each has by now; a seed is compared where both
            have it. One with an error is out of the ranking, but counts in K.
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

    Two show whether it is deterministic. Then as many as a first comparison takes, then one more
    at a time, for the leader and for those not yet separable from it.

    Args:
        now: what is known.
        seeds: >= 2, at most for each.
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
    """Return the interval of one's mean accuracy less the other's; exact where both are."""
    paired = _paired(one, other)
    if one.deterministic and other.deterministic:
        return paired[0], paired[0]
    return interval(paired, alpha, resolution=resolution)


def _paired(one: Repeats, other: Repeats) -> list[float]:
    """Return the differences on the seeds that both have; a deterministic one has every seed."""
    first, second = one.accuracies, other.accuracies
    if one.deterministic:
        first = dict.fromkeys(second, next(iter(first.values())))
    elif other.deterministic:
        second = dict.fromkeys(first, next(iter(second.values())))
    return [accuracy - second[seed] for seed, accuracy in first.items() if seed in second]


def _mean(one: Repeats) -> float:
    return sum(one.accuracies.values()) / len(one.accuracies)


def _moments(values: Sequence[float]) -> tuple[float, float]:
    """Return mean and variance (n - 1) of two values or more."""
    mean = sum(values) / len(values)
    return mean, sum((value - mean) ** 2 for value in values) / (len(values) - 1)
