"""A fitted model as its trainer hands it over, to be saved (`TrainOptions.keep`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tune_mnist.datasets import Dataset
from tune_mnist.training.images import View


@dataclass(frozen=True, eq=False)
class Fitted:
    """A fitted model.

    Args:
        parts: what it consists of, for the function of its family that saves it (`Model.save`).
        data: what it was fitted to.
        view: how it sees the images.
        predicted: (n,) int64, the class that it predicts for each validation image.
    """

    parts: Any
    data: Dataset
    view: View
    predicted: npt.NDArray[np.int64]
