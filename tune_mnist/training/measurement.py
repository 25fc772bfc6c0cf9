"""What a training function reports: one `Measurement` an epoch (or a rung), the last one complete.

A training function is called as `train(config, data, report, ...)`. It calls `report` once a
step, and returns its last measurement. `test_accuracy` is in the last measurement of a finished
training and nowhere else: its presence is how a reader tells "finished" from "stopped early".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypedDict


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
    setup_s: float  # preprocessing, model construction, data transfer
    fit_s: float  # optimisation alone
    eval_s: float  # predictions on train, validation and test images
    wall_time_s: float
    parameters: int  # numbers the model holds: weights, or support vectors times coefficients
    engine: str  # which implementation ran, for example "scikit-learn-intelex"


Report = Callable[[Measurement], None]
