"""What a training function reports: one `Measurement` an epoch (or a rung), the last one complete.

A training function is called as `train(config, data, report, ...)`. It calls `report` once a
step, and returns its last measurement. `test_accuracy` is in the last measurement of a finished
training and nowhere else: its presence is how a reader tells "finished" from "stopped early".
A `prefix` is the last measurement of another, shorter training that this one contains.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, TypedDict, get_args

import numpy as np
import numpy.typing as npt

Part = Literal["setup_s", "fit_s", "eval_s"]
PARTS: tuple[Part, ...] = get_args(Part)
"""The parts of a wall time."""


class Measurement(TypedDict, total=False):
    """One report. Accuracies are fractions in [0, 1], times are wall seconds since the start.

    `setup_s + fit_s + eval_s` is `wall_time_s`; all four are cumulative over the training.
    """

    step: int  # 1, 2, ... of this training's reports
    fidelity: float  # epochs done, or fraction of the training set used
    train_loss: float
    train_accuracy: float
    val_loss: float
    val_accuracy: float
    test_accuracy: float  # in the last measurement of a finished training only
    confusion: list[int]  # test images, k rows of true by k of predicted class; with test_accuracy
    setup_s: float  # preprocessing, model construction, data transfer
    fit_s: float  # optimisation alone
    eval_s: float  # predictions on train, validation and test images
    wall_time_s: float
    parameters: int  # numbers the model holds: weights, or support vectors times coefficients
    multiply_adds: int  # of one image's forward pass, where that is counted (flops.py)
    engine: str  # which implementation ran, for example "scikit-learn-intelex"
    prefix: Measurement  # what a training that ends here would have reported last, its times too


Save = Callable[[Path], None]
"""Writes the training's state into a folder, to go on from; of use until the report returns."""

Report = Callable[[Measurement, Save | None], None]
"""Takes a measurement and, where the training can be gone on with, what saves its state."""


def add_times(measurement: Measurement, times: Mapping[Part, float]) -> None:
    """Write the parts of the time spent so far, and their sum, into a measurement."""
    for part in PARTS:
        measurement[part] = times[part]
    measurement["wall_time_s"] = sum(times[part] for part in PARTS)


def confusion(
    labels: npt.NDArray[np.int64], predicted: npt.NDArray[np.int64], classes: int
) -> list[int]:
    """Count images by true and predicted class.

    Args:
        labels: (n,) the truth, 0..classes-1.
        predicted: (n,) what a model says.
        classes: how many there are.
    Returns: classes * classes counts, a row of predictions for each true class in turn.
    """
    counts: list[int] = np.bincount(labels * classes + predicted, minlength=classes**2).tolist()
    return counts
