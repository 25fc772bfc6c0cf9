"""The learning rate over a training: torch's schedules as functions of a step's place in it.

A schedule has no state: the number of epochs that a resumed training has done tells its place.
"""

from __future__ import annotations

import math
from typing import Literal

Schedule = Literal["constant", "cosine", "one-cycle"]

# The defaults of torch's OneCycleLR.
_RISE = 0.3  # the part of the steps in which the rate rises
_START_DIVISOR = 25.0  # the highest rate, divided by the first
_END_DIVISOR = 1e4  # the first rate, divided by the last


def learning_rate(schedule: Schedule, given: float, step: int, steps: int) -> float:
    """Return the learning rate of one step.

    Args:
        schedule: "constant"; "cosine", from `given` down towards 0, as torch's CosineAnnealingLR
            with T_max=steps; or "one-cycle", up to `given` and down again, as torch's OneCycleLR
            with total_steps=steps, which leaves the momentum as it is.
        given: > 0, the configuration's learning rate: the highest.
        step: 0..steps-1, counted over the whole training.
        steps: >= 1, the steps of the whole training.
    """
    if schedule == "constant":
        return given
    if schedule == "cosine":
        return _between(given, 0.0, step / steps)
    first = given / _START_DIVISOR
    top = _RISE * steps - 1  # the step of the highest rate; not always a whole number
    if step <= top:
        return _between(first, given, step / top)
    return _between(given, first / _END_DIVISOR, (step - top) / (steps - 1 - top))


def _between(start: float, end: float, done: float) -> float:
    """Return the rate between two, along half a wave of the cosine; `done` is in [0, 1]."""
    return end + (start - end) / 2 * (1 + math.cos(math.pi * done))
