"""What may be wrong between the parts of a space though each part is right by itself."""

from __future__ import annotations

import graphlib
import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import get_args

from tune_mnist.errors import Fault, InputError
from tune_mnist.spaces.configurations import always_searched, drafts, matters, order, size
from tune_mnist.spaces.domains import Choice, Domain
from tune_mnist.spaces.hyperparameters import MODELS, Config, Device, Scalar, shown
from tune_mnist.spaces.space import Space


def contradictions(space: Space) -> list[Fault]:
    """Return every contradiction in the space; the faults name no file."""
    if not space.parameters and not space.points:
        fix = "add parameters, for example {C: {log_uniform: [0.1, 100.0]}}"
        return [Fault("", "parameters", "the space has no parameters and no points", fix)]
    if circle := _circle(space):
        return circle
    faults = [*_conditions_that_never_hold(space), *_points_outside(space), *_objective(space)]
    return [*faults, *_sampler(space)]


def check_searchable(space: Space) -> None:
    """Check that the space's sampler can work on it.

    `read_space` and `override` have already done so.

    Raises:
        InputError: grid on an infinite space, a sampler that learns on points alone, gp or cmaes
            without the parameters that they work on.
    """
    if faults := _sampler(space):
        raise InputError(replace(fault, where=space.name) for fault in faults)


def _sampler(space: Space) -> list[Fault]:
    sampler, key = space.search.sampler, "search.sampler"
    if not space.parameters:
        fix = "use grid (in the file's order) or random"
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
    """Return a fault if gp or cmaes would find too little that every configuration has."""
    always = set.intersection(*(always_searched(space, device) for device in get_args(Device)))
    numbers = {name for name in always if not isinstance(space.parameters[name], Choice)}
    if space.search.sampler == "gp" and not always:
        problem = "gp models parameters that every configuration has, and there is none"
    elif space.search.sampler == "cmaes" and len(numbers) < 2:
        problem = (
            "cmaes needs at least 2 numbers (uniform, log_uniform, ...) that every configuration "
            f"has; here: {', '.join(sorted(numbers)) or 'none'}"
        )
    else:
        return []
    return [Fault("", "search.sampler", problem, "use tpe, which takes any space")]


def _objective(space: Space) -> Iterator[Fault]:
    if space.model == "svm" and space.objective.metric == "val_loss":
        yield Fault("", "objective.metric", "an SVM has no val_loss", "use val_accuracy")


def _circle(space: Space) -> list[Fault]:
    try:
        order(space)
    except graphlib.CycleError as error:
        names: list[str] = error.args[1]
        with_when = next(n for n in names if n in space.parameters and space.parameters[n].when)
        problem = f"conditions go in a circle: {' decides '.join(names)}"
        return [Fault("", f"parameters.{with_when}.when", problem, "drop one of them")]
    return []


def _conditions_that_never_hold(space: Space) -> Iterator[Fault]:
    for name, domain in space.parameters.items():
        for parent, values in domain.when.items():
            key, of_parent = f"parameters.{name}.when.{parent}", space.parameters[parent]
            if math.isinf(of_parent.count()):
                problem = f"{parent} is continuous, so it never is exactly {shown(values[0])}"
                yield Fault("", key, problem, f"give {parent} a choice")
            else:
                never = [shown(value) for value in values if not of_parent.contains(value)]
                if never:
                    problem = f"{parent} never is {' or '.join(never)}"
                    yield Fault("", key, problem, f"it can be {of_parent}")


def _points_outside(space: Space) -> list[Fault]:
    """Return a fault for each value of a point that the space's parameters do not allow."""
    if not space.parameters:
        return []
    faults: dict[str, Fault] = {}
    for point in space.points:
        for device in get_args(Device):
            for problem, fix in _outside(space, point, device):
                faults.setdefault(problem, Fault("", "points", problem, fix))
    return list(faults.values())


def _outside(space: Space, point: Config, device: Device) -> Iterator[tuple[str, str]]:
    """Yield problem and fix of each value that is wrong or missing in one point."""
    wrong: list[tuple[str, str]] = []

    def branches(name: str, domain: Domain) -> Iterable[tuple[Scalar, int]]:
        if name not in point and domain.count() == 1:
            return [(domain.values()[0], 1)]
        if name in point and domain.contains(point[name]):
            return [(point[name], 1)]
        if name in point:
            wrong.append((f"{name} cannot be {shown(point[name])} here", f"it can be {domain}"))
        else:
            wrong.append((f"{shown(point)} gives no {name}", f"it can be {domain}"))
        return []

    for draft in drafts(space, device, branches):
        for name in point:
            needed = matters(MODELS[space.model][name], draft.config, device)
            if needed and name not in draft.searched:
                problem = f"{shown(point)} gives {name}, which `parameters` does not search there"
                wrong.append((problem, "leave it out"))
    yield from wrong
