"""What a training reports: one `Measurement` after each epoch or rung; the last one is complete.

A trainer (model.py) calls `report` with each measurement and returns the last one. Only the last
measurement of a finished training has a `test_accuracy` and what else is measured on the test
images, so its presence tells "finished" from "stopped early". A `prefix` is the last measurement of
a shorter training that this one contains.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, TypedDict, get_args

import numpy as np
import numpy.typing as npt

from tune_mnist.datasets import Dataset

Int64 = npt.NDArray[np.int64]
Part = Literal["setup_s", "fit_s", "eval_s"]
PARTS: tuple[Part, ...] = get_args(Part)
"""The parts of a training's wall time."""


class Measurement(TypedDict, total=False):
    """What a training knows of itself at one step. Accuracies are fractions in [0, 1].

    Times are wall seconds of the training so far; `setup_s + fit_s + eval_s` is `wall_time_s`.
    """

    step: int  # 1, 2, ...: the epoch, or the rung's place on its ladder
    fidelity: float  # epochs done, or fraction of the training set used
    train_loss: float
    train_accuracy: float
    val_loss: float
    val_accuracy: float
    val_balanced_accuracy: float  # mean of the classes' recalls; see `balanced_accuracy`
    test_accuracy: float  # only in the last measurement of a finished training
    test_balanced_accuracy: float  # with test_accuracy
    recall: list[float | None]  # of the test images, by class, see `recalls`; with test_accuracy
    confusion: list[int]  # k * k counts of test images, see `confusion`; with test_accuracy
    setup_s: float  # preprocessing, model construction, data transfer
    fit_s: float  # optimisation only
    eval_s: float  # predictions on train, validation and test images
    wall_time_s: float
    parameters: int  # numbers in the model: weights, or support vectors, coefficients and biases
    multiply_adds: int  # of one image's forward pass; ResNets only (flops.py)
    converged: bool  # whether the solver met its stopping rule; SVMs whose engine says so
    engine: str  # the implementation that ran, for example "scikit-learn-intelex"
    latency_batch_1_s: float  # to predict an image, see `latency.py`; with test_accuracy
    latency_batch_256_s: float
    not_timed: str  # why a latency is missing, where measuring it failed
    saved: str  # the folder of its model, until the search keeps that or removes it
    not_saved: str  # why there is none, where writing it failed
    prefix: Measurement  # what a training that ends here would have reported last, with its times


OfTestImages = Literal["test_accuracy", "test_balanced_accuracy", "recall", "confusion"]
OF_TEST_IMAGES: tuple[OfTestImages, ...] = get_args(OfTestImages)
"""What only the last measurement of a finished training has."""

Save = Callable[[Path], None]
"""Writes the training's state into a folder, to resume from; valid until `report` returns."""

Report = Callable[[Measurement, Save | None], None]
"""Takes a measurement and, if the training can be resumed from here, what saves its state."""


def add_times(measurement: Measurement, times: Mapping[Part, float]) -> None:
    """Write the time spent so far, by part and in total, into a measurement."""
    for part in PARTS:
        measurement[part] = times[part]
    measurement["wall_time_s"] = sum(times[part] for part in PARTS)


def confusion(
    labels: npt.NDArray[np.int64], predicted: npt.NDArray[np.int64], classes: int
) -> list[int]:
    """Count images by true and predicted class.

    Args:
        labels: (n,) true classes, 0..classes-1.
        predicted: (n,) the model's predictions.
        classes: the number of classes.
    Returns: classes * classes counts, row by row: one row per true class, one column per predicted
        class.
    """
    counts: list[int] = np.bincount(labels * classes + predicted, minlength=classes**2).tolist()
    return counts


def recalls(confusion: list[int]) -> list[float | None]:
    """Return each class's recall, the part of its images that are predicted correctly.

    Args:
        confusion: k * k counts, as `confusion` returns them.
    Returns: k fractions in [0, 1]; None for a class without images.
    """
    classes = math.isqrt(len(confusion))
    counts = np.reshape(confusion, (classes, classes))
    found = zip(counts.diagonal().tolist(), counts.sum(axis=1).tolist(), strict=True)
    return [right / images if images else None for right, images in found]


def balanced_accuracy(confusion: list[int]) -> float:
    """Return the mean of the classes' recalls, as scikit-learn's `balanced_accuracy_score`.

    Args:
        confusion: k * k counts, as the function `confusion` returns them.
    Returns: a fraction in [0, 1]. Classes without images do not count; nan if there are no images.
    """
    known = [recall for recall in recalls(confusion) if recall is not None]
    return sum(known) / len(known) if known else math.nan


def add_test_images(
    measurement: Measurement,
    labels: npt.NDArray[np.int64],
    predicted: npt.NDArray[np.int64],
    classes: int,
) -> None:
    """Write what is measured on the test images, `OF_TEST_IMAGES`, into a measurement.

    Args: as `confusion`.
    """
    counts = confusion(labels, predicted, classes)
    right = sum(counts[:: classes + 1])
    measurement["test_accuracy"] = right / len(labels) if len(labels) else math.nan
    measurement["test_balanced_accuracy"] = balanced_accuracy(counts)
    measurement["recall"] = recalls(counts)
    measurement["confusion"] = counts


def of_one_fit(
    data: Dataset,
    times: tuple[float, float, float, float],
    train_accuracy: float,
    predicted: tuple[Int64, Int64],
    parameters: int,
    engine: str,
) -> Measurement:
    """Return the one measurement of a model that is fitted at once.

    Args:
        data: what it was fitted to and predicted.
        times: when set-up, fit and evaluation began, and when evaluation ended.
        train_accuracy: on the training images that it was fitted to.
        predicted: (n,) classes of the validation images, and of the test images.
        parameters: numbers in the model.
        engine: the library that fitted it.
    """
    start, fit_start, eval_start, end = times
    val, test = predicted
    classes = len(data.classes)
    measurement: Measurement = {
        "step": 1,
        "train_accuracy": train_accuracy,
        "val_accuracy": float(np.mean(val == data.val.labels)),
        "val_balanced_accuracy": balanced_accuracy(confusion(data.val.labels, val, classes)),
        "setup_s": fit_start - start,
        "fit_s": eval_start - fit_start,
        "eval_s": end - eval_start,
        "wall_time_s": end - start,
        "parameters": parameters,
        "engine": engine,
    }
    add_test_images(measurement, data.test.labels, test, classes)
    return measurement
