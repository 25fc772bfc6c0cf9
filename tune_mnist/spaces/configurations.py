"""The configurations of a space: listed, counted, or drawn one by one.

A configuration holds exactly the hyperparameters that matter to its training:

- A hyperparameter that cannot matter, given the rest of the configuration and the device, is
  left out.
- One that the space searches here (its `when` holds) has a value of its domain. A condition on a
  parameter that is not itself searched here does not hold.
- Any other has the model's default, as a constant.

So no two configurations mean the same training. `_extended` decides all of this: it adds one
hyperparameter to configurations under construction. Listing, counting and drawing differ only in
the values that they branch on.
"""

from __future__ import annotations

import graphlib
import itertools
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from tune_mnist.models.hyperparameters import Config, Device, Hyperparameter, Scalar
from tune_mnist.models.registry import usual_device
from tune_mnist.spaces.domains import Choice, Domain
from tune_mnist.spaces.space import MODEL, Space

if TYPE_CHECKING:
    from optuna.trial import BaseTrial


class Draft(NamedTuple):
    """A configuration under construction, or several that no condition distinguishes."""

    config: dict[str, Any] = {}  # noqa: RUF012  # never written to
    searched: frozenset[str] = frozenset()  # parameters whose domain gave the value
    collapsed: frozenset[str] = frozenset()  # parameters of the space that cannot matter here
    stands_for: float = 1  # how many configurations: an int, or infinity


Branches = Callable[[str, Domain], Iterable[tuple[Scalar | None, float]]]
"""From a parameter and its domain to the values to branch on, each with how many it stands for."""


def configurations(space: Space, device: Device) -> Iterator[Config]:
    """Yield every distinct configuration: points first, then the grid, last parameter fastest.

    Args:
        space: as read.
        device: the device of trials whose configuration names none.

    Raises:
        ValueError: the space is infinite.
    """
    if size(space, device) is None:
        raise ValueError(f"{space.name} has infinitely many configurations")
    points = point_configurations(space, device)
    if not space.parameters:
        return iter(points)
    seen = {config_key(point) for point in points}
    grid = (
        _config(space, part, draft)
        for part in space.parts()
        for draft in drafts(part, device, _every_value)
    )
    return itertools.chain(points, (c for c in grid if not seen or config_key(c) not in seen))


def point_configurations(space: Space, device: Device) -> list[Config]:
    """Return the distinct configurations that `points` lists, in the file's order."""
    found: dict[str, Config] = {}
    for point in space.points:
        part, own = space.part(space.model_of(point)), space.hyperparameters(point)
        given = part if space.parameters else _constants(part, own)
        for draft in drafts(given, device, _values_of(own)):
            config = _config(space, part, draft)
            found.setdefault(config_key(config), config)
    return list(found.values())


def size(space: Space, device: Device) -> int | None:
    """Return the number of distinct configurations, None if infinite.

    It is exact, and fast even for spaces far too large to list, because it counts values
    together that no condition distinguishes.
    """
    if not space.parameters:
        return len(point_configurations(space, device))
    total = sum(
        draft.stands_for for part in space.parts() for draft in drafts(part, device, _classes(part))
    )
    return None if math.isinf(total) else int(total)


def suggest(space: Space, trial: BaseTrial, device: Device) -> Config:
    """Return the configuration that an Optuna trial proposes.

    It asks the trial only for parameters that are searched under the values drawn so far, and
    never for constants. In a space of points alone it asks for "point", an index. In a space of
    several models it asks for "model", then for that model's parameters by the names that they
    have in `space.parameters`: "svm.C".

    Args:
        space: as read.
        trial: any object with Optuna's `suggest_*` methods.
        device: the device of the trial if its configuration names none.
    """
    if not space.parameters:
        points = point_configurations(space, device)
        return points[trial.suggest_int("point", 0, len(points) - 1)]
    part, of_model = space, ""
    if space.several:
        part = space.part(str(trial.suggest_categorical(MODEL, space.models)))
        of_model = f"{part.model}."
    [draft] = drafts(part, device, lambda name, domain: [(domain.ask(trial, of_model + name), 1)])
    return _config(space, part, draft)


def as_asked(space: Space, config: Config) -> Config:
    """Return a configuration by the names that `suggest` asks for."""
    if not space.several:
        return dict(config)
    model = space.model_of(config)
    own = {f"{model}.{name}": value for name, value in space.hyperparameters(config).items()}
    return {MODEL: model, **own}


def searched_in(space: Space, config: Config, device: Device) -> frozenset[str] | None:
    """Return the parameters whose domain gave this configuration's values.

    The other values are the model's defaults; the configuration may leave these out. None if the
    space does not contain it. In a space of points alone, no domain gives a value. The names are
    those of the model's hyperparameters.
    """
    if not space.parameters:
        known = {config_key(point) for point in point_configurations(space, device)}
        return frozenset() if config_key(config) in known else None
    if space.several:
        part = space.part(space.model_of(config))
        return _searched_in(part, space.hyperparameters(config), device)
    return _searched_in(space, config, device)


def _searched_in(space: Space, config: Config, device: Device) -> frozenset[str] | None:
    def own(name: str, domain: Domain) -> list[tuple[Scalar, int]]:
        held = name in config and domain.contains(config[name])
        return [(config[name], 1)] if held else []

    def same(draft: Draft) -> bool:
        defaults = {name: space.declared[name].default for name in draft.config}
        return draft.config == {**defaults, **config}

    return next((one.searched for one in drafts(space, device, own) if same(one)), None)


def collapsed(space: Space, device: Device) -> list[str]:
    """Return a line for each parameter that the space searches even where it cannot matter."""
    return [
        f"{part.model}.{line}" if space.several else line
        for part in space.parts()
        for line in _collapsed(part, device)
    ]


def _collapsed(space: Space, device: Device) -> list[str]:
    names: set[str] = set()
    for draft in drafts(space, device, _classes(space)):
        names |= draft.collapsed
    for name in {name for point in space.points for name in point}:
        values = {point[name] for point in space.points if name in point}
        given = (_constants(space, point) for point in space.points if name in point)
        kept = (name in next(drafts(one, device, _every_value)).config for one in given)
        if len(values) > 1 and not all(kept):
            names.add(name)
    return [
        f"{name}: matters only for {_condition_text(hyperparameter)}; left out elsewhere"
        for name, hyperparameter in space.declared.items()
        if name in names
    ]


def always_searched(space: Space, device: Device) -> set[str]:
    """Return the parameters with more than one value that every configuration has.

    Several models share none, whatever they call theirs.
    """
    if space.several:
        return set()
    searched = (draft.searched for draft in drafts(space, device, _classes(space)))
    always = next(searched).intersection(*searched)
    return {name for name in always if space.parameters[name].count() > 1}


def possible_values(space: Space, name: str) -> set[Scalar | None]:
    """Return every value that a hyperparameter has in the space; None where it may be left out.

    Args:
        space: of one model.
        name: of a hyperparameter whose domain can be listed; the model need not have it.
    """
    if name not in space.declared:
        return {None}
    default = space.declared[name].default
    domain = space.parameters.get(name)
    if domain is not None:
        return {*domain.values(), *([default] if domain.when else [])}
    if space.parameters:
        return {default}
    return {point.get(name, default) for point in space.points} or {default}


def config_key(config: Mapping[str, Scalar]) -> str:
    """Return the configuration as JSON with sorted keys: equal for equal configurations."""
    return json.dumps(config, sort_keys=True, allow_nan=False)


def order(space: Space) -> list[str]:
    """Return the hyperparameters of a space's only model, each after those its conditions name.

    Raises:
        graphlib.CycleError: the conditions form a cycle.
    """
    graph: graphlib.TopologicalSorter[str] = graphlib.TopologicalSorter()
    for name in dict.fromkeys([*space.parameters, *space.declared]):
        graph.add(name, *(parent for parent, _ in _conditions(space, name)))
    return list(graph.static_order())


def drafts(space: Space, device: Device, branches: Branches) -> Iterator[Draft]:
    """Yield every draft that results from branching on each searched parameter.

    Args:
        space: of one model.
        device: of the search; a model that trains on no GPU uses the CPU all the same.
        branches: what to branch on.
    """
    device = usual_device(space.model, device)
    found: Iterator[Draft] = iter([Draft()])
    for name in order(space):
        found = _extended(found, name, space, device, branches)
    return found


def _extended(
    found: Iterator[Draft], name: str, space: Space, device: Device, branches: Branches
) -> Iterator[Draft]:
    """Yield the drafts with one more hyperparameter decided."""
    hyperparameter, domain = space.declared[name], space.parameters.get(name)
    for draft in found:
        searched = domain is not None and all(
            parent in draft.searched and draft.config[parent] in values
            for parent, values in domain.when.items()
        )
        if not matters(hyperparameter, draft.config, device):
            if searched and domain is not None and domain.count() > 1:
                draft = draft._replace(collapsed=draft.collapsed | {name})
            yield draft
        elif searched and domain is not None:
            for value, count in branches(name, domain):
                config = {**draft.config, name: value}
                searching = draft.searched | {name}
                yield Draft(config, searching, draft.collapsed, draft.stands_for * count)
        elif hyperparameter.default is not None:
            yield draft._replace(config={**draft.config, name: hyperparameter.default})
        else:
            yield draft


def matters(hyperparameter: Hyperparameter, config: Mapping[str, Any], device: Device) -> bool:
    """Return whether the hyperparameter changes a training of this configuration."""
    known = {"device": device, **config}
    return all(known.get(name) in values for name, values in hyperparameter.matters.items())


def _every_value(name: str, domain: Domain) -> Iterator[tuple[Scalar, int]]:  # noqa: ARG001
    return ((value, 1) for value in domain.values())


def _values_of(point: Config) -> Branches:
    """Branch on the point's own values, and on the constants that it may leave out."""

    def branches(name: str, domain: Domain) -> Iterable[tuple[Scalar, int]]:
        return [(point[name], 1)] if name in point else _every_value(name, domain)

    return branches


def _classes(space: Space) -> Branches:
    """Branch on one value for all that the same conditions name, and on None for the rest."""

    def branches(name: str, domain: Domain) -> Iterable[tuple[Scalar | None, float]]:
        named = [
            values
            for child in space.declared
            for parent, values in _conditions(space, child)
            if parent == name
        ]
        classes: dict[tuple[bool, ...], list[Scalar]] = {}
        for value in dict.fromkeys(itertools.chain.from_iterable(named)):
            if domain.contains(value):
                classes.setdefault(tuple(value in values for values in named), []).append(value)
        yield from ((values[0], len(values)) for values in classes.values())
        rest = domain.count() - sum(len(values) for values in classes.values())
        if rest:
            yield None, rest

    return branches


def _conditions(space: Space, name: str) -> Iterator[tuple[str, tuple[Scalar, ...]]]:
    """Yield a hyperparameter's conditions: the space's `when`, and what it needs to matter."""
    if name in space.parameters:
        yield from space.parameters[name].when.items()
    yield from space.declared[name].matters.items()


def _constants(space: Space, point: Config) -> Space:
    """Return the space that has the point as its only configuration."""
    domains = {name: Choice(choice=(value,)) for name, value in point.items()}
    return space.model_copy(update={"parameters": domains, "points": ()})


def _config(space: Space, part: Space, draft: Draft) -> Config:
    """Return the finished configuration of one of the models, its keys in the model's order."""
    in_order = part.declared
    config = {name: draft.config[name] for name in in_order if name in draft.config}
    return space.proposed(part.model, config)


def _condition_text(hyperparameter: Hyperparameter) -> str:
    return " and ".join(
        f"{name} {' or '.join(map(str, values))}" for name, values in hyperparameter.matters.items()
    )
