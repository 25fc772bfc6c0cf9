"""What the SVM sees of an image."""

from __future__ import annotations

import numpy as np

from tune_mnist.datasets import Dataset
from tune_mnist.training.pixels import standardised


def test_training_rows_have_mean_zero_and_deviation_one_or_zero(digits: Dataset) -> None:
    rows = standardised(digits)[0]
    deviation = rows.std(axis=0)
    assert np.allclose(rows.mean(axis=0), 0, atol=1e-5)
    assert np.all(np.isclose(deviation, 1, atol=1e-4) | (deviation < 1e-5))


def test_validation_and_test_are_scaled_by_the_training_images(digits: Dataset) -> None:
    train, val, _ = standardised(digits)
    pixels = digits.train.images.reshape(len(train), -1) / 127.5 - 1
    deviation = pixels.std(axis=0)
    scale = np.where(deviation > 0, deviation, 1)
    expected = (digits.val.images.reshape(len(val), -1) / 127.5 - 1 - pixels.mean(axis=0)) / scale
    assert np.allclose(val, expected, atol=1e-4)


def test_images_are_not_written_to(digits: Dataset) -> None:
    before = digits.train.images.copy()
    standardised(digits)
    assert np.array_equal(digits.train.images, before)
