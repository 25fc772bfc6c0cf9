"""The schedulers by name. Heavy imports happen inside the entries.

    none        every trial runs to its end
    asha        at each rung only the best continue; takes several objectives (stopping/rungs.py),
                and compares those that are measured there: not a latency
    hyperband   like asha, but some trials, drawn by seed, skip the first rungs
    median      stops a trial whose best is below the median of the others' averages until then
    pbt         the worst trials take over the best ones and change a hyperparameter (population.py)

Samplers and schedulers that cannot work together are refused when a space is read
(spaces/pairs.py).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from tune_mnist.searching.history.memory import Past
from tune_mnist.searching.stopping.rungs import rungs_of
from tune_mnist.spaces import Device, SchedulerName, Space, rungs
from tune_mnist.spaces.pairs import compared_on_the_way

if TYPE_CHECKING:
    from ray.tune.schedulers import TrialScheduler

FIDELITY = "fidelity"  # the key of a measurement that says which rung it is


def _none(_space: Space, _device: Device) -> TrialScheduler:
    from ray.tune.schedulers import FIFOScheduler

    return FIFOScheduler()


def _rungs(space: Space, _device: Device) -> TrialScheduler:
    from tune_mnist.searching.on_ray.scheduling.rung_scheduler import RungScheduler

    return RungScheduler(rungs_of(space))


def _median(space: Space, _device: Device) -> TrialScheduler:
    from ray.tune.schedulers import MedianStoppingRule

    return MedianStoppingRule(
        time_attr=FIDELITY,
        metric=space.objective.metric,
        mode=space.objective.mode,
        grace_period=rungs(space)[0],
        min_samples_required=3,
        # Otherwise it pauses trials until there are enough others, and a trial without a checkpoint
        # starts over.
        min_time_slice=sys.maxsize,
    )


def _pbt(space: Space, device: Device) -> TrialScheduler:
    from tune_mnist.searching.on_ray.scheduling.population import Population

    return Population(space, FIDELITY, device)


SCHEDULERS: dict[SchedulerName, Callable[[Space, Device], TrialScheduler]] = {
    "none": _none,
    "asha": _rungs,
    "hyperband": _rungs,
    "median": _median,
    "pbt": _pbt,
}


def remember(scheduler: TrialScheduler, space: Space, number: int, past: Past) -> None:
    """Let a scheduler compare trials with a past one that it did not see run.

    Args:
        scheduler: of `space`. "none" and "pbt" do not compare with past trials.
        space: what is searched.
        number: of the proposal that the past trial answers.
        past: the trial. The store has no curves of `fit_s` and `eval_s`; if one of them is an
            objective, nothing is remembered.
    """
    from ray.tune.schedulers import MedianStoppingRule

    from tune_mnist.searching.on_ray.scheduling.rung_scheduler import RungScheduler

    metrics = [objective.metric for objective in compared_on_the_way(space)]
    curve = [{"parameters": past.row["parameters"], **report} for report in past.reports]
    kept = [one for one in curve if all(one.get(name) is not None for name in metrics)]
    if isinstance(scheduler, RungScheduler):
        scheduler.rungs.remember(past.name, number, kept)
    elif isinstance(scheduler, MedianStoppingRule) and kept:
        scheduler._results[past.name] = kept  # its trials are no more than keys there
