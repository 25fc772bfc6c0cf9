"""Classes of unequal size: what is measured and weighted for them equals scikit-learn's."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as some
from sklearn.metrics import balanced_accuracy_score, recall_score
from sklearn.utils.class_weight import compute_class_weight

from tune_mnist.training.class_weights import balanced_weights
from tune_mnist.training.measurement import (
    Measurement,
    add_test_images,
    balanced_accuracy,
    confusion,
    recalls,
)

CLASSES = 4
LABELS = st.integers(1, 40).flatmap(
    lambda n: st.tuples(*[some.arrays(np.int64, n, elements=st.integers(0, CLASSES - 1))] * 2)
)


@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
@pytest.mark.filterwarnings("ignore:A single label was found")
@given(LABELS)
def test_balanced_accuracy_and_recalls_equal_scikit_learns(
    both: tuple[np.ndarray, np.ndarray],
) -> None:
    labels, predicted = both
    counts = confusion(labels, predicted, CLASSES)
    assert balanced_accuracy(counts) == pytest.approx(balanced_accuracy_score(labels, predicted))
    expected = recall_score(
        labels, predicted, labels=range(CLASSES), average=None, zero_division=np.nan
    )
    assert recalls(counts) == [None if np.isnan(one) else pytest.approx(one) for one in expected]


def test_without_images_there_is_no_accuracy() -> None:
    none = np.zeros(0, np.int64)
    measurement: Measurement = {}
    add_test_images(measurement, none, none, 2)
    assert math.isnan(measurement["test_accuracy"])
    assert math.isnan(measurement["test_balanced_accuracy"])
    assert measurement["recall"] == [None, None]


@given(some.arrays(np.int64, st.integers(1, 40), elements=st.integers(0, CLASSES - 1)))
def test_balanced_weights_equal_scikit_learns(labels: np.ndarray) -> None:
    present = np.unique(labels)
    weights = balanced_weights(np.bincount(labels, minlength=CLASSES))
    expected = compute_class_weight("balanced", classes=present, y=labels)
    np.testing.assert_array_equal(weights[present], expected)
    assert weights.sum() == weights[present].sum()
