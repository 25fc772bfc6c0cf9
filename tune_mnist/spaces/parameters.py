"""Read `parameters`, `points` and `resources`: each value is checked against the model's
hyperparameters.

If the file names no known model, only the language itself is checked.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic_core import PydanticCustomError

from tune_mnist.errors import Fault, InputError, input_error, nearest
from tune_mnist.models.hyperparameters import Config, Scalar, accept, shown
from tune_mnist.models.registry import hyperparameters_of
from tune_mnist.spaces.domains import DOMAINS, Choice, Domain, distinct, values_of
from tune_mnist.spaces.several import by_model
from tune_mnist.spaces.space import MODEL, Resources
from tune_mnist.spaces.validation import gathering, validated
from tune_mnist.wording import is_unicode

MAX_POINTS = 10_000
"""The most configurations that a file's points may list: all are kept in memory."""

_NAME = re.compile(r"[A-Za-z]\w{0,99}", re.ASCII)  # of a column in the store
_WHOLE = 2**53  # a float holds every integer up to this one
_LARGEST = 1e300  # as the store's rules say
_LONGEST = 1000  # characters of a text
_Grid = dict[str, tuple[Scalar, ...]]


def read_parameters(declared: Mapping[str, Any], models: Sequence[str]) -> dict[str, Domain]:
    """Return the domain of each parameter, every value in its hyperparameter's type.

    Args:
        declared: the file's `parameters`.
        models: that have these hyperparameters; none if the file names no known model. With
            several, a parameter is one of each model that has it, or of those that its `when`
            names, or of the one in its own name, as in svm.C.

    Raises:
        InputError: every fault of every parameter.
    """
    if len(models) < 2:
        return _of_model(declared, models[0] if models else None)
    faults: list[Fault] = []
    domains: dict[str, Domain] = {}
    with gathering(faults):
        for model, own in by_model(declared, models).items():
            named = {plain: written for plain, (written, _) in own.items()}
            try:
                read = _of_model({plain: raw for plain, (_, raw) in own.items()}, model)
            except InputError as error:
                faults += (_as_written(fault, named) for fault in error.faults)
            else:
                domains |= {f"{model}.{name}": domain for name, domain in read.items()}
    if faults:
        raise InputError(dict.fromkeys(faults))
    return domains


def _as_written(fault: Fault, named: Mapping[str, str]) -> Fault:
    """Return the fault with the name that the file has for a parameter."""
    head, plain, *rest = fault.key.split(".", 2)
    return replace(fault, key=".".join([head, named[plain], *rest]))


def _of_model(declared: Mapping[str, Any], model: str | None) -> dict[str, Domain]:
    faults: list[Fault] = []
    domains: dict[str, Domain] = {}
    for name, raw in declared.items():
        key = f"parameters.{name}"
        with gathering(faults):
            _check_name(name, model, key)
        with gathering(faults):
            if isinstance(raw, Scalar):
                domains[name] = Choice(choice=_accepted(name, model, [raw], key))
            else:
                domains[name] = _typed(_domain(raw, key), name, model, key, list(declared))
    if faults:
        raise InputError(faults)
    return domains


def _check_name(name: str, model: str | None, key: str) -> None:
    if model is not None and name not in hyperparameters_of(model):
        fix = nearest(name, list(hyperparameters_of(model)))
        raise input_error("", f"not a parameter of {model}", fix, key)


def _domain(raw: Any, key: str) -> Domain:
    """Return the domain as the file writes it, not yet checked against the hyperparameter."""
    if not isinstance(raw, dict):
        fix = "for example {choice: [0.1, 1.0]}"
        raise input_error("", f"{shown(raw)} is not a domain", fix, key)
    kinds = [kind for kind in raw if kind in DOMAINS]
    if len(kinds) > 1:
        raise input_error("", f"has both {' and '.join(kinds)}", "keep one of them", key)
    if kinds:
        return validated(DOMAINS[kinds[0]], raw, key)
    if unknown := [kind for kind in raw if kind != "when"]:
        fixes = [(kind, nearest(kind, list(DOMAINS))) for kind in unknown]
        raise InputError(Fault("", f"{key}.{kind}", "not a domain", fix) for kind, fix in fixes)
    raise input_error("", "has no domain", f"add one of {', '.join(DOMAINS)}", key)


def _typed(domain: Domain, name: str, model: str | None, key: str, declared: list[str]) -> Domain:
    """Return the domain with each value, those of `when` too, in its hyperparameter's type."""
    faults: list[Fault] = []
    kind = next(kind for kind, cls in DOMAINS.items() if type(domain) is cls)
    update: dict[str, Any] = {"when": {}}
    with gathering(faults):
        _check_kind(kind, name, model, f"{key}.{kind}")
        values = domain.values() if isinstance(domain, Choice) else domain.bounds
        update[kind] = _accepted(name, model, values, f"{key}.{kind}")
    for parent, wanted in domain.when.items():
        at = f"{key}.when.{parent}"
        if parent not in declared:
            real = model is not None and parent in hyperparameters_of(model)
            fix = f"add {parent} to parameters" if real else nearest(parent, declared)
            faults.append(Fault("", at, "not a parameter of this space", fix))
        with gathering(faults):
            update["when"][parent] = _accepted(parent, model, wanted, at)
    if faults:
        raise InputError(faults)
    return domain.model_copy(update=update)


def _check_kind(kind: str, name: str, model: str | None, key: str) -> None:
    if model is None or name not in hyperparameters_of(model):
        return
    types = hyperparameters_of(model)[name].types
    kinds = ["choice"]
    kinds += ["uniform", "log_uniform"] if float in types else []
    kinds += ["int_uniform", "int_log_uniform"] if int in types else []
    if kind not in kinds:
        raise input_error("", f"{name} takes no {kind}", f"use {' or '.join(kinds)}", key)


def _accepted(name: str, model: str | None, values: Iterable[Any], key: str) -> tuple[Scalar, ...]:
    """Return the values in the hyperparameter's type; unchanged if there is no such one."""
    if model is None or name not in hyperparameters_of(model):
        return tuple(values)
    faults: list[Fault] = []
    accepted: list[Scalar] = []
    for value in values:
        with gathering(faults):
            accepted.append(accept(name, hyperparameters_of(model)[name], value, key))
    if faults:
        raise InputError(faults)
    return tuple(accepted)


def read_points(listed: Iterable[Any], models: Sequence[str]) -> tuple[Config, ...]:
    """Return the configurations that the file's `points` list, in the file's order.

    The lists in a point are expanded to their product, the last one varying fastest. Values that
    cannot matter are still included; `configurations` leaves them out. With several models, each
    point names its own.

    Raises:
        InputError: every fault of every point, or more than `MAX_POINTS` configurations.
    """
    faults: list[Fault] = []
    grids: list[_Grid] = []
    for i, raw in enumerate(listed):
        with gathering(faults):
            grids.append(_point(raw, models, f"points[{i}]"))
    total = sum(math.prod(len(values) for values in grid.values()) for grid in grids)
    if total > MAX_POINTS:
        problem = f"list {total} configurations, more than {MAX_POINTS}"
        faults.append(Fault("", "points", problem, "use parameters with choices"))
    if faults:
        raise InputError(faults)
    return tuple(
        dict(zip(grid, values, strict=True))
        for grid in grids
        for values in itertools.product(*grid.values())
    )


def _point(raw: Any, models: Sequence[str], key: str) -> _Grid:
    if len(models) < 2 or not isinstance(raw, dict):
        return _values(raw, models[0] if models else None, key)
    if raw.get(MODEL) not in models:
        problem = f"names no model of {', '.join(models)}"
        raise input_error("", problem, f"for example model: {models[0]}", f"{key}.{MODEL}")
    own = {name: value for name, value in raw.items() if name != MODEL}
    return {MODEL: (raw[MODEL],), **_values(own, raw[MODEL], key)}


def _values(raw: Any, model: str | None, key: str) -> _Grid:
    if not isinstance(raw, dict):
        fix = "for example - {kernel: rbf, C: [0.1, 1.0]}"
        raise input_error("", f"{shown(raw)} is not a mapping", fix, key)
    faults: list[Fault] = []
    grid: _Grid = {}
    for name, value in raw.items():
        at = f"{key}.{name}"
        with gathering(faults):
            _check_name(name, model, at)
            values = _accepted(name, model, value if isinstance(value, list) else [value], at)
            try:
                grid[name] = distinct(values)
            except PydanticCustomError as error:
                context = error.context or {}
                raise input_error("", context["problem"], context["fix"], at) from None
    if faults:
        raise InputError(faults)
    return grid


def read_resources(raw: Any, models: Sequence[str]) -> tuple[Resources, ...]:
    """Return the bundles that a mapping or a list of mappings describes.

    Raises:
        InputError: every fault of every bundle; an empty list, or a bundle that no trial gets.
    """
    if not isinstance(raw, list):
        return (_resources(raw, models, "resources"),)
    if not raw:
        raise input_error("", "is empty", "add {cpu: 1}", "resources")
    faults: list[Fault] = []
    found: list[Resources] = []
    for i, one in enumerate(raw):
        with gathering(faults):
            found.append(_resources(one, models, f"resources[{i}]"))
    if faults:
        raise InputError(faults)
    for i, one in enumerate(found[:-1]):
        if not one.when:
            problem = f"has no `when`, so no trial gets resources[{i + 1}]"
            raise input_error("", problem, "move it to the end", f"resources[{i}]")
    return tuple(found)


def _resources(raw: Any, models: Sequence[str], key: str) -> Resources:
    read = validated(Resources, raw, key)
    faults: list[Fault] = []
    when: dict[str, tuple[Scalar, ...]] = {}
    for name, wanted in read.when.items():
        having = [model for model in models if name in hyperparameters_of(model)]
        model = next(iter([*having, *models]), None)
        with gathering(faults):
            if not (name == MODEL and len(models) > 1):
                _check_name(name, model, f"{key}.when.{name}")
            when[name] = _accepted(name, model, wanted, f"{key}.when.{name}")
    if faults:
        raise InputError(faults)
    return read.model_copy(update={"when": when})


def free_faults(parameters: Mapping[str, Domain], points: Sequence[Config]) -> list[Fault]:
    """Return a fault for each parameter of a model trained elsewhere that the store cannot hold."""
    faults = []
    for name, values in values_of(parameters, points).items():
        key = f"parameters.{name}" if name in parameters else "points"
        if not (isinstance(name, str) and _NAME.fullmatch(name)):
            fix = "use letters, digits and _, at most 100, a letter first"
            faults.append(Fault("", key, f"{shown(name)} cannot name a column", fix))
        elif len({isinstance(one, bool) for one in values}) > 1:
            problem = f"{name} mixes truth values with others"
            faults.append(Fault("", key, problem, "use true and false alone, or texts"))
        elif name == "epochs" and not all(type(one) is int and one > 0 for one in values):
            problem = f"epochs cannot be {shown(next(iter(values)))}"
            faults.append(Fault("", key, problem, "give whole numbers of at least 1, or rename it"))
        elif wrong := [one for one in values if not _is_storable(one)]:
            fix = (
                f"give numbers up to 1e300, integers up to 2^53, texts up to {_LONGEST} characters"
            )
            problem = f"{name} cannot be {shown(wrong[0])}"
            faults.append(Fault("", key, problem, fix))
    return faults


def _is_storable(value: Scalar) -> bool:
    if isinstance(value, str):
        return is_unicode(value) and len(value) <= _LONGEST
    number = isinstance(value, int | float)  # a point may hold anything yet
    return number and abs(value) <= (_WHOLE if isinstance(value, int) else _LARGEST)
