"""Claim: `confirm` names a false winner in at most 5 % of searches, however often it looks.

    python -m benchmarks.confirmation_errors [--replays N]

Simulated, because only then the best is known: in every world two configurations have equal means,
so each winner that is named is a false one. They are looked at after every seed, up to 5, 10 and 20
seeds, on 6,000 validation images.

    symmetric    Gaussian, 0.3 points from seed to seed
    skewed       the same, and one of the two loses 5 points on one seed in ten
    both skewed  both do, on different seeds
    recorded     our ResNets on digits: seeds drawn from the five recorded ones, smoothed a little
                 or not at all, and means made equal

The second table has how wide the intervals are on the recorded ResNets, and those of a method that
assumes nothing but that accuracies lie in [0, 1]: betting (Waudby-Smith and Ramdas, JRSS B, 2024).
"""

from __future__ import annotations

import argparse
import itertools
import math
import random
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from tune_mnist.analysis.confirmation import ALPHA, Interval, Repeats, interval, standings

TABLE = Path(__file__).with_name("tables") / "resnet_digits.csv"
LOOKED = (5, 10, 20)
MNIST, DIGITS = 1 / 6000, 1 / 179  # one validation image

Draw = Callable[[], tuple[float, float]]
"""The accuracies of both configurations on the next seed."""


World = Callable[[random.Random], Draw]


def symmetric(rng: random.Random) -> Draw:
    return lambda: (rng.gauss(0.97, 0.003), rng.gauss(0.97, 0.003))


def _skewed(rng: random.Random) -> float:
    """Return an accuracy of mean 0.97 that is 0.925 on one seed in ten and 0.975 on the others."""
    return rng.gauss(0.925 if rng.random() < 0.1 else 0.975, 0.003)


def skewed(rng: random.Random) -> Draw:
    return lambda: (_skewed(rng), rng.gauss(0.97, 0.003))


def both_skewed(rng: random.Random) -> Draw:
    return lambda: (_skewed(rng), _skewed(rng))


def recorded() -> dict[str, list[float]]:
    """Return the recorded accuracies of each ResNet that ran on five seeds, in their order."""
    runs = pd.read_csv(TABLE)
    runs = runs[runs["fidelity"] == runs["fidelity"].max()].sort_values("seed")
    groups = runs.groupby(["batch_size", "optimizer", "learning_rate"])["val_accuracy"]
    return {str(name): list(of) for name, of in groups if len(of) >= 5}


def resampled(smoothed: float) -> World:
    """Draw a pair of recorded ResNets, made equally good, and then their seeds.

    Args:
        smoothed: standard deviation of a Gaussian that is added to what a seed gave, in standard
            deviations of the configuration, whose variance is kept. Five seeds come up again and
            again; without it, three draws of one seed look like a difference without noise.
    """

    def value(of: Sequence[float], seed: int, rng: random.Random) -> float:
        mean, deviation = statistics.mean(of), statistics.stdev(of)
        off = of[seed] - mean + smoothed * deviation * rng.gauss(0, 1)
        return off / math.sqrt(1 + smoothed**2)

    def world(rng: random.Random) -> Draw:
        pair = rng.choice(_PAIRS)

        def draw() -> tuple[float, float]:
            seed = rng.randrange(len(pair[0]))
            return value(pair[0], seed, rng), value(pair[1], seed, rng)

        return draw

    return world


_PAIRS = list(itertools.combinations(recorded().values(), 2))


def false_winner_at(world: World, resolution: float, replay: int) -> float:
    """Return after how many seeds a winner is named in one replay; infinite if none is by the last.

    Args:
        world: one of those above.
        resolution: one image, to which accuracies are rounded.
        replay: the seed of the replay.
    """
    draw = world(random.Random(replay))
    found: tuple[dict[int, float], dict[int, float]] = ({}, {})
    for seed in range(max(LOOKED)):
        for of, accuracy in zip(found, draw(), strict=True):
            of[seed] = round(accuracy / resolution) * resolution
        now = standings([Repeats(of) for of in found], resolution=resolution)
        if now.winner is not None:
            return seed + 1
    return math.inf


def rates(world: World, resolution: float, replays: int) -> list[float]:
    """Return how often a false winner was named by each number of seeds in `LOOKED`."""
    at = [false_winner_at(world, resolution, replay) for replay in range(replays)]
    return [sum(one <= seeds for one in at) / replays for seeds in LOOKED]


def betting(values: Sequence[float], alpha: float) -> Interval:
    """Return the hedged-capital confidence sequence of the mean of values in [0, 1].

    Bets are the predictable plug-in ones; the running intersection is taken.
    """
    means = np.linspace(0, 1, 2001)
    up, down = np.zeros_like(means), np.zeros_like(means)  # log capital against each mean
    alive = np.ones(len(means), bool)
    total, squares = 0.5, 0.25
    for n, value in enumerate(values, 1):
        variance = squares / n
        bet = math.sqrt(2 * math.log(2 / alpha) / (variance * n * math.log(1 + n)))
        with np.errstate(divide="ignore"):
            up += np.log1p(np.minimum(bet, 0.999 / means) * (value - means))
            down += np.log1p(-np.minimum(bet, 0.999 / (1 - means)) * (value - means))
        alive &= np.maximum(up, down) < math.log(2 / alpha)
        total += value
        squares += (value - total / (n + 1)) ** 2
    kept = means[alive]
    return (float(kept[0]), float(kept[-1])) if len(kept) else (math.nan, math.nan)


def widths(seeds: int) -> tuple[float, float]:
    """Return the median width of our and of betting's interval of a difference, in points.

    Args:
        seeds: drawn from the recorded ones of each pair.
    """
    ours, bets = [], []
    rng = random.Random(seeds)
    for first, second in _PAIRS:
        order = [rng.randrange(len(first)) for _ in range(seeds)]
        differences = [first[seed] - second[seed] for seed in order]
        low, high = interval(differences, ALPHA, resolution=DIGITS)
        ours.append(100 * (high - low))
        low, high = betting([(one + 1) / 2 for one in differences], ALPHA)
        bets.append(200 * (high - low))
    return statistics.median(ours), statistics.median(bets)


def _main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--replays", type=int, default=2000, help="searches of each kind")
    replays = parser.parse_args().replays
    for name, world, resolution in (
        ("symmetric", symmetric, MNIST),
        ("skewed", skewed, MNIST),
        ("both skewed", both_skewed, MNIST),
        ("recorded", resampled(0.2), DIGITS),
        ("recorded as drawn", resampled(0.0), DIGITS),
    ):
        shown = ", ".join(
            f"{rate:.1%} by {seeds} seeds"
            for rate, seeds in zip(rates(world, resolution, replays), LOOKED, strict=True)
        )
        print(f"false winners, {name}: {shown} ({replays} searches)", flush=True)
    for seeds in LOOKED:
        ours, bets = widths(seeds)
        print(f"width at {seeds} seeds: {ours:.1f} points, betting's {bets:.1f}")


if __name__ == "__main__":
    _main()
