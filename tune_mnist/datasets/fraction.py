"""A fraction of the training images: the first images of each class, in the data set's order.

Fractions are nested: a larger one contains every image of a smaller one. They are stratified: each
class keeps its share, rounded, and at least one image. No random numbers are drawn, so a fraction
means the same images everywhere.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tune_mnist.datasets.dataset import Images

Int64 = npt.NDArray[np.int64]


def kept_of_each_class(counts: Int64, fraction: float) -> Int64:
    """Return how many images of each class a fraction keeps.

    Args:
        counts: (k,) images of each class.
        fraction: in (0, 1].
    Returns: (k,) from 1 (0 for a class without images) to all of the class.
    """
    kept: Int64 = np.maximum(np.rint(fraction * counts), counts > 0).astype(np.int64)
    return kept


def first_rows(labels: Int64, fraction: float) -> Int64:
    """Return the positions of the first images of each class, ascending.

    Args:
        labels: (n,) class numbers, from 0.
        fraction: in (0, 1].
    """
    counts = np.bincount(labels)
    by_class = np.split(np.argsort(labels, kind="stable"), np.cumsum(counts)[:-1])
    kept = kept_of_each_class(counts, fraction)
    return np.sort(np.concatenate([rows[:n] for rows, n in zip(by_class, kept, strict=True)]))


def first_of_each_class(images: Images, fraction: float) -> Images:
    """Return the first images of each class, in their order: a copy, or `images` itself at 1.0."""
    if fraction == 1.0:
        return images
    rows = first_rows(images.labels, fraction)
    return Images(images.images[rows], images.labels[rows])
