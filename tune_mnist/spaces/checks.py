"""Check the parts of a space against each other, once each part is right by itself."""

from __future__ import annotations

import graphlib
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, get_args

from tune_mnist.errors import Fault
from tune_mnist.metrics import LATENCIES
from tune_mnist.models.hyperparameters import Config, Device, Scalar, shown
from tune_mnist.models.registry import find_model
from tune_mnist.spaces.configurations import drafts, matters, order, possible_values
from tune_mnist.spaces.domains import Domain
from tune_mnist.spaces.pairs import wrong_pairs
from tune_mnist.spaces.space import MODEL, Space


def contradictions(space: Space) -> list[Fault]:
    """Return a fault for every contradiction in the space; the faults name no file."""
    if not space.parameters and not space.points:
        fix = "add parameters, for example {C: {log_uniform: [0.1, 100.0]}}"
        return [Fault("", "parameters", "the space has no parameters and no points", fix)]
    if cycles := [fault for part in space.parts() for fault in _named(_cycle(part), part, space)]:
        return cycles
    faults: list[Fault] = []
    for part in space.parts():
        outside = _points_outside(part) if space.parameters else []
        found = [*_conditions_that_never_hold(part), *outside, *_unmeasured(part)]
        faults += _named([*found, *_fidelity(part)], part, space)
    more = [*_bundles_that_nobody_gets(space), *_target(space), *wrong_pairs(space)]
    return [*dict.fromkeys(faults), *more]


def _named(faults: Iterable[Fault], part: Space, space: Space) -> list[Fault]:
    """Return faults in the space of one model, their keys as the whole space writes them."""
    of_model = f"parameters.{part.model}." if space.several else "parameters."
    return [replace(fault, key=re.sub(r"^parameters\.", of_model, fault.key)) for fault in faults]


def _unmeasured(space: Space) -> Iterator[Fault]:
    """Yield a fault for each objective or constraint on a metric that the model does not have."""
    model = find_model(space.model)

    def is_missing(metric: str) -> bool:
        if metric in LATENCIES:
            return not model.has_latency
        return metric.endswith("loss") and not model.has_loss

    several = len(space.objectives) > 1
    for i, objective in enumerate(space.objectives):
        if is_missing(objective.metric):
            key = f"objective[{i}].metric" if several else "objective.metric"
            yield Fault("", key, f"{model.noun} has no {objective.metric}", "use val_accuracy")
    for i, limit in enumerate(space.constraints):
        if is_missing(limit.metric):
            problem = f"{model.noun} has no {limit.metric}"
            yield Fault("", f"constraints[{i}]", problem, "use val_accuracy")


def _fidelity(space: Space) -> Iterator[Fault]:
    if space.fidelity is None:
        return
    name = space.fidelity.parameter
    model = find_model(space.model)
    if name == "epochs" and "epochs" not in space.declared:
        fix = "use train_fraction, the fraction of the training images"
        yield Fault("", "fidelity.parameter", f"{model.noun} has no epochs", fix)
    given = [key for key, names in _given(space).items() if "train_fraction" in names]
    if name == "train_fraction" and given:
        problem = f"the scheduler sets train_fraction, and {given[0]} sets it too"
        yield Fault("", "fidelity.parameter", problem, f"leave it out of {given[0]}")


def _given(space: Space) -> dict[str, set[str]]:
    """Return the names set under each of the file's keys `parameters` and `points`."""
    return {"parameters": set(space.parameters), "points": set().union(*space.points)}


def _target(space: Space) -> Iterator[Fault]:
    metric = space.objective.metric
    if space.search.target is not None and not metric.startswith("val_"):
        problem = f"a target needs a validation metric, and the first objective is {metric}"
        yield Fault("", "search.target", problem, f"write it as a constraint on {metric}")


def _cycle(space: Space) -> list[Fault]:
    try:
        order(space)
    except graphlib.CycleError as error:
        names: list[str] = error.args[1]
        with_when = next(n for n in names if n in space.parameters and space.parameters[n].when)
        problem = f"conditions form a cycle: {' decides '.join(names)}"
        return [Fault("", f"parameters.{with_when}.when", problem, "drop one of them")]
    return []


def _conditions_that_never_hold(space: Space) -> Iterator[Fault]:
    for name, domain in space.parameters.items():
        for parent, values in domain.when.items():
            key = f"parameters.{name}.when.{parent}"
            yield from _never(parent, space.parameters[parent], values, key)


def _never(parent: str, of_parent: Domain, values: tuple[Scalar, ...], key: str) -> Iterator[Fault]:
    """Yield a fault if a parameter never has a value that a condition names."""
    if math.isinf(of_parent.count()):
        yield _never_exactly(parent, values[0], key)
    elif never := [shown(value) for value in values if not of_parent.contains(value)]:
        yield Fault("", key, f"{parent} is never {' or '.join(never)}", f"it can be {of_parent}")


def _never_exactly(name: str, value: Scalar, key: str) -> Fault:
    problem = f"{name} is continuous, so it is never exactly {shown(value)}"
    return Fault("", key, problem, f"give {name} a choice")


def _bundles_that_nobody_gets(space: Space) -> Iterator[Fault]:
    for i, one in enumerate(space.resources):
        for name, values in one.when.items():
            which = f"[{i}]" if len(space.resources) > 1 else ""
            key = f"resources{which}.when.{name}"
            if name == MODEL:
                had: set[Any] = set(space.models)
            elif name == "device":  # which the search decides, if not the space
                continue
            elif any(math.isinf(part.parameters[name].count()) for part in _with(name, space)):
                yield _never_exactly(name, values[0], key)
                continue
            else:
                having = (one for one in space.parts() if name in one.declared)
                had = set().union(*(possible_values(part, name) for part in having))
            if never := [shown(value) for value in values if value not in had]:
                fix = f"add {name} to parameters" if space.parameters else "leave it out"
                yield Fault("", key, f"{name} is never {' or '.join(never)}", fix)


def _with(name: str, space: Space) -> list[Space]:
    return [part for part in space.parts() if name in part.parameters]


def _points_outside(space: Space) -> list[Fault]:
    """Return a fault for each value of a point that `parameters` does not allow."""
    faults: dict[str, Fault] = {}
    for point in space.points:
        for device in get_args(Device):
            for problem, fix in _outside(space, point, device):
                faults.setdefault(problem, Fault("", "points", problem, fix))
    return list(faults.values())


def _outside(space: Space, point: Config, device: Device) -> Iterator[tuple[str, str]]:
    """Yield a problem and its fix for each value that is wrong or missing in one point."""
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
            needed = matters(space.declared[name], draft.config, device)
            if needed and name not in draft.searched:
                problem = f"{shown(point)} gives {name}, which `parameters` does not search there"
                wrong.append((problem, "leave it out"))
    yield from wrong
