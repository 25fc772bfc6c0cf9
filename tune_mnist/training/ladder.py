"""One trial as a ladder of trainings on more and more of the training images.

Each rung trains afresh on its fraction and is one report, so that a scheduler can give up on a
trial before its full cost. Set-up and the evaluation's images are paid again at each rung, so the
lower rungs of an SVM cost more than the squares of their fractions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tune_mnist.training.measurement import PARTS, Measurement, Report, add_times


def train_rungs(
    train: Callable[[float, Report], Measurement], rungs: Sequence[float], report: Report
) -> Measurement:
    """Train at each fraction in turn, report each, return the last measurement.

    Args:
        train: trains on this fraction of the images; its last measurement is the rung's, and what
            it reports itself goes no further.
        rungs: fractions in (0, 1], ascending; the trial is finished after the last.
        report: called once a rung, step 1, 2, ..., with the fraction as `fidelity`, times that
            add up over the rungs, and the test images' accuracy on the last rung alone.
    """
    spent = dict.fromkeys(PARTS, 0.0)
    for step, fraction in enumerate(rungs, start=1):
        measurement = train(fraction, lambda *_: None).copy()
        for part in PARTS:
            spent[part] += measurement[part]
        add_times(measurement, spent)
        measurement["step"], measurement["fidelity"] = step, fraction
        if step < len(rungs):
            del measurement["test_accuracy"], measurement["confusion"]
        report(measurement, None)
    return measurement
