"""Which of many trials a chart draws, and the range of accuracies that it opens on."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tune_mnist.analysis.columns import Floats

MOST_POINTS = 2000  # more are slow to draw and look the same
MOST_CURVES = 120
MARK = ("trial", "attempt", "config", "status", "val_accuracy", "test_accuracy", "wall_time_s")
"""The columns that a chart needs to draw a trial and to label it."""


def thinned(count: int, most: int) -> npt.NDArray[np.int64]:
    """Return which of `count` rows, best first, to draw: the best, and every n-th of the rest.

    A tenth of `most` goes to the best, because people look at them. A larger part would show a
    cluster where there is none.
    """
    if count <= most:
        return np.arange(count)
    top = most // 10
    return np.union1d(np.arange(top), np.linspace(top, count - 1, most - top).astype(np.int64))


def view(accuracy: Floats) -> tuple[float, float]:
    """Return the range of accuracies to open on: all but far outliers at the bottom.

    One trial at 10 % would squeeze the others, between 97 % and 99 %, into a line. Far means below
    Tukey's outer fence, and at least 2 points below the lower quartile.
    """
    low, high = np.quantile(accuracy, [0.25, 0.75])
    inside = accuracy[accuracy >= low - max(3 * (high - low), 0.02)]
    return float(inside.min()), float(accuracy.max())
