"""How many of many trials a chart shows, and the range of accuracies that it opens on."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tune_mnist.analysis.columns import Floats

MOST_POINTS = 2000  # more are slow to draw and show nothing more
MOST_CURVES = 120
MARK = ("trial", "attempt", "config", "status", "val_accuracy", "test_accuracy", "wall_time_s")
"""The columns that a mark in a chart needs."""


def thinned(count: int, most: int) -> npt.NDArray[np.int64]:
    """Return which of `count` rows, best first, to draw: the best, and equal steps of the rest.

    The best get a tenth of `most`: they are what is looked at, but more of them than their share
    would draw a cluster that is not there.
    """
    if count <= most:
        return np.arange(count)
    top = most // 10
    return np.union1d(np.arange(top), np.linspace(top, count - 1, most - top).astype(np.int64))


def view(accuracy: Floats) -> tuple[float, float]:
    """Return the range of accuracies to open on: all but the far outliers below (Tukey's outer
    fence), for one trial at 10 % would press the others, between 97 % and 99 %, into a line."""
    low, high = np.quantile(accuracy, [0.25, 0.75])
    inside = accuracy[accuracy >= low - max(3 * (high - low), 0.02)]
    return float(inside.min()), float(accuracy.max())
