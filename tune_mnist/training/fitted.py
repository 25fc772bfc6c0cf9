"""A fitted model as its trainer hands it over, to be timed and saved (`TrainOptions.keep`)."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tune_mnist.datasets import Dataset
from tune_mnist.training.images import View

Predict = Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.int64]]
"""Returns the class of each image: (n, h, w) or (n, h, w, 3) as stored, to (n,) class numbers."""


@dataclass(frozen=True)
class Predictor:
    """What predicts with a fitted model, from stored pixels, on the device that trained it.

    Args:
        build: returns the function that predicts; its answers are on the CPU, so a GPU has
            finished by then.
        alike: all with the same key take the same time, whatever their weights are; None: nobody
            knows any that does.
    """

    build: Callable[[], Predict]
    alike: Hashable = None


@dataclass(frozen=True, eq=False)
class Fitted:
    """A fitted model.

    Args:
        parts: what it consists of, for the functions of its family that predict with it or save it.
        data: what it was fitted to.
        view: how it sees the images.
        predicted: (n,) int64, the class that it predicts for each validation image.
    """

    parts: Any
    data: Dataset
    view: View
    predicted: npt.NDArray[np.int64]
