"""Which samplers, schedulers and objectives can work together on a space."""

from __future__ import annotations

import math
from typing import get_args

from tune_mnist.errors import Fault
from tune_mnist.metrics import LATENCIES
from tune_mnist.models.hyperparameters import Device
from tune_mnist.models.registry import find_model
from tune_mnist.spaces.configurations import always_searched, size
from tune_mnist.spaces.domains import Choice
from tune_mnist.spaces.milestones import changeable, rungs
from tune_mnist.spaces.space import Objective, Space


def compared_on_the_way(space: Space) -> tuple[Objective, ...]:
    """Return the objectives that a trial measures at each epoch or rung, not only at its end."""
    return tuple(one for one in space.objectives if one.metric not in LATENCIES)


POPULATION = 4
"""The smallest population that has a worst and a best quarter."""


def wrong_pairs(space: Space) -> list[Fault]:
    """Return a fault for each pair that cannot work; the faults name no file.

    For example: grid on an infinite space, gp or cmaes without parameters that they can model, a
    scheduler with nothing to stop.
    """
    return [*_sampler(space), *_scheduler(space), *_goals(space)]


def _scheduler(space: Space) -> list[Fault]:
    """Return a fault if the scheduler has nothing to stop, or pbt nothing to change."""
    name, levels = space.search.scheduler, rungs(space)
    if name == "pbt" and (fault := _population(space)):
        return [fault]
    if name == "none" or len(levels) > 1:
        return []
    if not levels:
        without = next(part for part in space.parts() if "epochs" not in part.declared)
        once = find_model(without.model).noun
        problem = f"{name} stops trials between measurements, and {once} is measured once"
        fix = "use none, or `fidelity=train_fraction`"
    elif space.fidelity is not None and space.fidelity.rungs:
        problem, fix = f"the only rung of {name} is the whole trial", "add a rung below 1.0"
    else:
        problem = f"{name} has nothing to stop, because no trial has more than 1 epoch"
        fix = "use none, or more epochs"
    return [Fault("", "search.scheduler", problem, fix)]


def _population(space: Space) -> Fault | None:
    """Return what keeps pbt from working on this space; None if nothing does."""
    key, trials = "search.scheduler", space.search.trials
    if space.several:
        problem = "pbt lets a trial continue from another's state, and these may be two models"
        return Fault("", key, problem, "use asha with `fidelity=train_fraction`")
    model = find_model(space.model)
    if not model.resumable:
        problem = (
            f"pbt changes trainings while they run, and {model.noun} has no state to continue from"
        )
        return Fault("", key, problem, "use asha with `fidelity=train_fraction`")
    if space.fidelity is not None and space.fidelity.parameter != "epochs":
        problem = f"pbt works on epochs, not on {space.fidelity.parameter}"
        return Fault("", key, problem, "use `fidelity=epochs`, or asha")
    if not changeable(space):
        able = [name for name, one in space.declared.items() if one.changeable]
        if not able:
            problem = f"pbt changes parameters during a training, and {model.noun} has none for it"
            return Fault("", key, problem, "use asha")
        named = " and ".join(filter(None, [", ".join(able[:-1]), able[-1]]))
        problem = f"pbt can change {named}; none of them is searched, or a `when` names it"
        return Fault("", key, problem, "give one a domain that no `when` names, or use asha")
    if trials is None or trials < POPULATION:
        problem = f"pbt needs a population of at least {POPULATION} trials"
        return Fault("", key, problem, f"set `trials={2 * POPULATION}`")
    return None


def _goals(space: Space) -> list[Fault]:
    """Return a fault if the sampler or the scheduler cannot handle the space's goals."""
    search, faults = space.search, []
    if search.sampler == "cmaes" and (len(space.objectives) > 1 or space.constraints):
        what = "several objectives" if len(space.objectives) > 1 else "constraints"
        problem = f"cmaes cannot learn from {what}"
        faults.append(Fault("", "search.sampler", problem, "use tpe, gp or nsga2"))
    if search.scheduler in ("median", "pbt") and len(space.objectives) > 1:
        problem = f"{search.scheduler} compares trials by one objective, and there are several"
        faults.append(
            Fault("", "search.scheduler", problem, "use asha, which ranks by Pareto fronts")
        )
    if search.scheduler != "none" and not compared_on_the_way(space):
        metric = space.objective.metric
        problem = f"{search.scheduler} compares unfinished trials, and these have no {metric} yet"
        faults.append(
            Fault("", "search.scheduler", problem, "use none, or asha with val_accuracy as well")
        )
    return faults


def _sampler(space: Space) -> list[Fault]:
    sampler, key = space.search.sampler, "search.sampler"
    if not space.parameters:
        fix = "use grid (the order of the file) or random"
        problem = f"{sampler} cannot learn from a list of points"
        return [] if sampler in ("grid", "random") else [Fault("", key, problem, fix)]
    if sampler in ("gp", "cmaes"):
        return _always_there(space)
    if sampler != "grid" or all(size(space, device) is not None for device in get_args(Device)):
        return []
    endless = [name for name, domain in space.parameters.items() if math.isinf(domain.count())]
    problem = f"grid cannot list every value of {', '.join(endless)}"
    fix = f"use random or tpe, or give {' and '.join(endless)} a choice in the space file"
    return [Fault("", key, problem, fix)]


def _always_there(space: Space) -> list[Fault]:
    """Return a fault if too few parameters are in every configuration for gp or cmaes."""
    always = set.intersection(*(always_searched(space, device) for device in get_args(Device)))
    numbers = {name for name in always if not isinstance(space.parameters[name], Choice)}
    if space.search.sampler == "gp" and not always:
        problem = "gp models the parameters that every configuration has, and there are none"
    elif space.search.sampler == "cmaes" and len(numbers) < 2:
        problem = (
            "cmaes needs at least 2 numbers (uniform, log_uniform, ...) in every configuration "
            f"and finds {', '.join(sorted(numbers)) or 'none'}"
        )
    else:
        return []
    return [Fault("", "search.sampler", problem, "use tpe, which works on any space")]
