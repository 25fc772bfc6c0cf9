"""Images as an SVM sees them: flat rows of standardised pixels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sklearn.preprocessing import StandardScaler

from tune_mnist.datasets import Dataset

Float32 = npt.NDArray[np.float32]


def standardised(data: Dataset) -> tuple[Float32, Float32, Float32]:
    """Return train, validation and test images as the SVM sees them.

    Returns: three (n, h*w[*3]) float32 arrays, pixels in [-1, 1], then to mean 0 and deviation 1
        over the training images; a pixel that is constant there is only centred.
    """
    scaler = StandardScaler(copy=False)
    train_rows = scaler.fit_transform(_pixels(data.train.images))
    return (
        train_rows,
        scaler.transform(_pixels(data.val.images)),
        scaler.transform(_pixels(data.test.images)),
    )


def _pixels(images: npt.NDArray[np.uint8]) -> Float32:
    """Return new (n, h*w[*3]) float32 rows in [-1, 1], rounded as torchvision's Normalize does."""
    rows = images.reshape(len(images), -1).astype(np.float32)
    rows /= 255
    rows -= 0.5
    rows /= 0.5
    return rows
