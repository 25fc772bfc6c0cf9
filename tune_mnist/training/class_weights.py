"""Weights of the classes in a loss: `class_weight`, for classes of unequal size."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

ClassWeight = Literal["none", "balanced"]


def balanced_weights(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return scikit-learn's "balanced" weights: n images / (classes * images of the class).

    Args:
        counts: (k,) training images of each class.
    Returns: (k,) weights, whose mean over the images is 1; 0 for a class without images, which is
        not counted among the classes.
    """
    present = counts > 0
    weights = np.zeros(len(counts))
    weights[present] = counts.sum() / (np.count_nonzero(present) * counts[present])
    return weights
