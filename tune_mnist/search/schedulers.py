"""The schedulers by name: who stops a trial early. Heavy imports happen inside the entries."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tune_mnist.spaces import Objective, SchedulerName

if TYPE_CHECKING:
    from ray.tune.schedulers import TrialScheduler

FIDELITY = "fidelity"  # the key of a measurement that rungs are counted in


def _none(objective: Objective, max_fidelity: float) -> TrialScheduler:  # noqa: ARG001
    from ray.tune.schedulers import FIFOScheduler

    return FIFOScheduler()


def _asha(objective: Objective, max_fidelity: float) -> TrialScheduler:
    from ray.tune.schedulers import ASHAScheduler

    return ASHAScheduler(
        time_attr=FIDELITY,
        metric=objective.metric,
        mode=objective.mode,
        grace_period=1,
        # A reduction factor of 2 gives rungs at 1, 2, 4, ... epochs: few-epoch spaces, such as
        # the report's, would have a single rung with Ray's default of 4.
        reduction_factor=2,
        max_t=int(max_fidelity),
    )


SCHEDULERS: dict[SchedulerName, Callable[[Objective, float], TrialScheduler]] = {
    "none": _none,
    "asha": _asha,
}
