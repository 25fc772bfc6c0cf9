"""Images become rows exactly as with scikit-learn's StandardScaler."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from tune_mnist.datasets import Dataset, Images
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


def scaled_by_scikit_learn(data: Dataset) -> list[np.ndarray]:
    rows = [part.images.reshape(len(part), -1) for part in (data.train, data.val, data.test)]
    pixels = [((of.astype(np.float32) / 255) - 0.5) / 0.5 for of in rows]
    scaler = StandardScaler().fit(pixels[0])
    return [scaler.transform(of) for of in pixels]


def test_every_bit_is_scikit_learns(digits: Dataset) -> None:
    for own, theirs in zip(standardised(digits), scaled_by_scikit_learn(digits), strict=True):
        assert np.array_equal(own, theirs)


@pytest.mark.parametrize("level", [0, 1, 100, 255])
def test_a_pixel_that_hardly_changes_is_scaled_as_scikit_learn_scales_it(
    digits: Dataset, level: int
) -> None:
    images = np.full_like(digits.train.images, level)
    images[0, 0, 0] = 255 - level
    train = Images(images, digits.train.labels)
    data = replace(digits, train=train)
    for own, theirs in zip(standardised(data), scaled_by_scikit_learn(data), strict=True):
        assert np.array_equal(own, theirs)


def test_images_are_not_written_to(digits: Dataset) -> None:
    before = digits.train.images.copy()
    standardised(digits)
    assert np.array_equal(digits.train.images, before)
