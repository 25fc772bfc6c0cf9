"""A ladder of rungs: one trial as several trainings, each on more of the training images.

A rung is a fraction of the training images. At each rung the trial trains from scratch on that
fraction and reports one measurement, so a scheduler can stop it before it has paid for all images.
Every rung pays for its own set-up, and for predictions on all validation and test images, so a low
rung of an SVM costs more than the square of its fraction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tune_mnist.training.measurement import OF_TEST_IMAGES, PARTS, Measurement, Report, add_times


def train_ladder(
    train: Callable[[float, Report], Measurement], rungs: Sequence[float], report: Report
) -> Measurement:
    """Train at each rung in turn, report one measurement per rung, and return the last one.

    Args:
        train: trains on the given fraction of the images and returns its last measurement. What
            it reports itself is dropped.
        rungs: fractions in (0, 1], ascending; the trial is finished after the last one.
        report: receives the measurements: step 1, 2, ..., the fraction as `fidelity`, and times
            that add up over the rungs. Only the last one has what is measured on the test images.
    """
    spent = dict.fromkeys(PARTS, 0.0)
    for step, fraction in enumerate(rungs, start=1):
        measurement = train(fraction, lambda *_: None).copy()
        for part in PARTS:
            spent[part] += measurement[part]
        add_times(measurement, spent)
        measurement["step"], measurement["fidelity"] = step, fraction
        if step < len(rungs):
            for name in OF_TEST_IMAGES:
                del measurement[name]
        report(measurement, None)
    return measurement
