"""How often a verdict is wrong, in simulated worlds where the truth is known.

    python -m tests.reproduction.worlds 300

Each world has 16 trainings of one network, in pairs of two and three epochs, on three seeds; noise
from seed to seed is 0.5 points, settings differ by 1 point (standard deviations). `equal`: all
settings are equally good. `honest`: validation and test accuracy follow one truth. `unrelated`:
validation accuracy says nothing of test accuracy, so the winner does depend on the choice.
"""

from __future__ import annotations

import sys
from collections import Counter
from functools import cache

import numpy as np
import pandas as pd

from tests.reproduction.example_runs import whole_grid
from tune_mnist.reproduction.resnet_claims import picks

WORLDS = ("equal", "honest", "unrelated")


def world(kind: str, seed: int) -> pd.DataFrame:
    """Return the runs of ResNet-18 on MNIST in one world."""
    runs: pd.DataFrame = _trainings().copy()
    draw = np.random.default_rng(seed)
    number, names = pd.factorize(runs["setting"])
    truth = 0.9 + draw.normal(0, 0.0 if kind == "equal" else 0.01, len(names))
    other = 0.9 + draw.normal(0, 0.01, len(names)) if kind == "unrelated" else truth
    for column, mean in (("test_accuracy", truth), ("val_accuracy", other)):
        runs[column] = mean[number] + draw.normal(0, 0.005, len(runs))
    return runs


@cache
def _trainings() -> pd.DataFrame:
    runs = whole_grid(lambda _: {}, seeds=3)
    mine: pd.DataFrame = runs.query(
        "part == 'resnet' and dataset == 'mnist' and kind == 'resnet18'"
    )
    return mine


def verdicts(kind: str, count: int) -> Counter[str]:
    """Return how often each verdict on "winners do not depend on choosing by test" came out."""
    found = (picks(world(kind, seed), "mnist", "resnet18").verdict for seed in range(count))
    return Counter(found)


if __name__ == "__main__":
    for one in WORLDS:
        print(one, dict(verdicts(one, int(sys.argv[1]))))
