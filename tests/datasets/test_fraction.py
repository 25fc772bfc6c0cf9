"""A fraction contains the first images of each class, whatever the labels."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tune_mnist.datasets import Images, first_of_each_class, first_rows

LABELS = st.lists(st.integers(0, 4), min_size=1, max_size=60).map(np.array)
FRACTIONS = st.floats(0.001, 1.0)


@given(labels=LABELS, fractions=st.tuples(FRACTIONS, FRACTIONS))
def test_a_larger_fraction_contains_the_smaller(
    labels: np.ndarray, fractions: tuple[float, float]
) -> None:
    small, large = (set(first_rows(labels, fraction).tolist()) for fraction in sorted(fractions))
    assert small <= large


@given(labels=LABELS, fraction=FRACTIONS)
def test_each_class_keeps_its_share_and_at_least_one_image(
    labels: np.ndarray, fraction: float
) -> None:
    kept = np.bincount(labels[first_rows(labels, fraction)], minlength=5)
    counts = np.bincount(labels, minlength=5)
    assert (np.abs(kept - fraction * counts) <= 1).all()
    assert (kept[counts > 0] >= 1).all()


@given(labels=LABELS, fraction=FRACTIONS)
def test_the_first_of_a_class_are_kept_in_order(labels: np.ndarray, fraction: float) -> None:
    rows = first_rows(labels, fraction)
    assert (np.diff(rows) > 0).all()
    for label in set(labels.tolist()):
        own = np.flatnonzero(labels == label)
        assert rows[labels[rows] == label].tolist() == own[: (labels[rows] == label).sum()].tolist()


def test_the_whole_is_the_images_themselves() -> None:
    images = Images(np.zeros((3, 2, 2), np.uint8), np.array([0, 1, 1]))
    assert first_of_each_class(images, 1.0) is images
    assert len(first_of_each_class(images, 0.5)) == 2
