"""What a training reports: one `Measurement` after each epoch or rung; the last one is complete.

A trainer (model.py) calls `report` with each measurement and returns the last one. Only the last
measurement of a finished training has a `test_accuracy`, so its presence tells "finished" from
"stopped early". A `prefix` is the last measurement of a shorter training that this one contains.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, TypedDict, get_args

import numpy as np
import numpy.typing as npt

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
    test_accuracy: float  # only in the last measurement of a finished training
    confusion: list[int]  # k * k counts of test images, see `confusion`; with test_accuracy
    setup_s: float  # preprocessing, model construction, data transfer
    fit_s: float  # optimisation only
    eval_s: float  # predictions on train, validation and test images
    wall_time_s: float
    parameters: int  # numbers in the model: weights, or support vectors, coefficients and biases
    multiply_adds: int  # of one image's forward pass; ResNets only (flops.py)
    converged: bool  # whether the solver met its stopping rule; SVMs whose engine says so
    engine: str  # the implementation that ran, for example "scikit-learn-intelex"
    prefix: Measurement  # what a training that ends here would have reported last, with its times


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
