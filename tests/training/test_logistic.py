"""Logistic regression is scikit-learn's, on the pixels that an SVM sees."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tune_mnist.datasets import Dataset, Images, first_rows
from tune_mnist.training.measurement import Measurement
from tune_mnist.training.model import find_model
from tune_mnist.training.options import TrainOptions
from tune_mnist.training.pixels import standardised

CONFIG: dict[str, Any] = {"C": 0.05, "max_iter": 300}


def measured(data: Dataset, **config: Any) -> Measurement:
    train = find_model("logistic").train
    return train({**CONFIG, **config}, data, lambda *_: None, TrainOptions(threads=1))


def flat(images: Images) -> np.ndarray:
    pixels: np.ndarray = images.images.reshape(len(images), -1) / 127.5 - 1
    return pixels


@pytest.mark.parametrize("class_weight", ["none", "balanced"])
def test_it_is_scikit_learns_pipeline(digits: Dataset, class_weight: str) -> None:
    theirs = make_pipeline(
        StandardScaler(),
        LogisticRegression(
            C=0.05, max_iter=300, class_weight=None if class_weight == "none" else "balanced"
        ),
    ).fit(flat(digits.train), digits.train.labels)
    ours = measured(digits, class_weight=class_weight)
    for part in ("train", "val", "test"):
        images = getattr(digits, part)
        score = theirs.score(flat(images), images.labels)
        assert ours[f"{part}_accuracy"] == pytest.approx(score, abs=1.1 / len(images))  # type: ignore[literal-required]
    loss = log_loss(digits.val.labels, theirs.predict_proba(flat(digits.val)))
    assert ours["val_loss"] == pytest.approx(loss, rel=1e-2)
    assert ours["parameters"] == 64 * 10 + 10
    assert ours["converged"]


def test_too_few_iterations_are_said(digits: Dataset, recwarn: pytest.WarningsRecorder) -> None:
    assert measured(digits, max_iter=2)["converged"] is False
    assert not recwarn.list


def test_a_fraction_fits_the_first_images_of_each_class(digits: Dataset) -> None:
    x_train, x_val, _ = standardised(digits)
    rows = first_rows(digits.train.labels, 0.1)
    theirs = LogisticRegression(C=0.05, max_iter=300).fit(x_train[rows], digits.train.labels[rows])
    part = measured(digits, train_fraction=0.1)
    assert part["fidelity"] == 0.1
    assert part["train_accuracy"] == theirs.score(x_train[rows], digits.train.labels[rows])
    assert part["val_accuracy"] == theirs.score(x_val, digits.val.labels)


@pytest.mark.parametrize(
    "other", [{"class_weight": "none"}, {"colour": "grey"}, {"image_size": 224}, {"max_iter": 1}]
)
def test_it_takes_every_value_that_a_space_may_have(digits: Dataset, other: dict[str, Any]) -> None:
    first = Images(digits.train.images[:64], digits.train.labels[:64])
    few = replace(digits, train=first, val=first, test=first)
    assert measured(few, **other)["parameters"] == (other.get("image_size", 8) ** 2 + 1) * 10


def test_equal_trainings_measure_equally(digits: Dataset) -> None:
    one, other = (measured(digits) for _ in range(2))
    assert [one["val_loss"], one["confusion"]] == [other["val_loss"], other["confusion"]]
