"""The parameters of a training function: the fields of a dataclass, typed and bounded.

@dataclass(frozen=True)
class Config:
    learning_rate: Annotated[float, Range(1e-4, 1e-1, log=True), "step size"] = 0.01
    width: Annotated[int, Range(4, 64)] = 16
    optimizer: Literal["sgd", "adam"] = "adam"
    nesterov: bool = False
    epochs: Annotated[int, Range(1, 100)] = 5
"""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, fields, replace
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from tune_mnist.errors import Fault, InputError
from tune_mnist.models.hyperparameters import Hyperparameter, accept, shown
from tune_mnist.models.registry import parameter_types
from tune_mnist.training.usual_hyperparameters import COLOUR, DEVICE, IMAGE_SIZE, TRAIN_FRACTION

OF_IMAGES = {"image_size": IMAGE_SIZE, "colour": COLOUR, "train_fraction": TRAIN_FRACTION}
"""What a space may also set: the images that the function receives."""

_TAKEN = {
    **dict.fromkeys(OF_IMAGES, "a space may set it anyway, and `data` then has such images"),
    "device": "it is `report.device`",
    "seed": "it is `report.seed`",
}
_STORED = {float: (float, int), int: (int,), bool: (bool,)}
"""The types of value that a column of each type can hold; text can hold all."""

_EXAMPLE = "for example Annotated[float, Range(1e-4, 1e-1, log=True)]"


@dataclass(frozen=True)
class Range:
    """The bounds of a number: the values that a space may give it.

    Args:
        low, high: both included.
        log: whether each order of magnitude is equally likely, in a space without parameters.
    """

    low: float
    high: float
    log: bool = False


def read_parameters(config: type, where: str, *, on_gpu: bool) -> dict[str, Hyperparameter]:
    """Return the hyperparameters that the fields of a dataclass declare.

    Args:
        config: a dataclass.
        where: it is, for the faults' problems: "my_cnn.Config".
        on_gpu: whether trials may choose their device.

    Raises: InputError: a fault for each field that cannot be searched, with the key `model`.
    """
    try:
        hints = get_type_hints(config, include_extras=True)
    except Exception as error:  # whatever evaluating a stranger's annotation raises
        problem = f"the types of {where} cannot be read: {error}"
        raise InputError([Fault("", "model", problem, "import what they name")]) from None
    found: dict[str, Hyperparameter] = {}
    faults: list[Fault] = []
    for one in fields(config):
        try:
            found[one.name] = _parameter(one, hints[one.name])
        except _UnusableError as error:
            faults.append(Fault("", "model", f"{where}.{one.name} {error.problem}", error.fix))
    if faults:
        raise InputError(faults)
    return {**found, **OF_IMAGES, **({"device": DEVICE} if on_gpu else {})}


def domains(config: type) -> Mapping[str, Mapping[str, Any]]:
    """Return the domain of each field but `epochs`, as a space file writes it.

    Args:
        config: a dataclass that `read_parameters` accepts.
    """
    hints = get_type_hints(config, include_extras=True)
    return {
        one.name: _domain(*_parts(hints[one.name]))
        for one in fields(config)
        if one.name != "epochs"
    }


def check_columns(hyperparameters: Mapping[str, Hyperparameter], where: str) -> None:
    """Check that the store can have a column for each hyperparameter of a `Model`.

    Raises: InputError: a fault for each that cannot have one, with the key `model`.
    """
    faults: list[Fault] = []
    for name, one in hyperparameters.items():
        try:
            if not name.isidentifier():
                raise _UnusableError("is no name in Python", "use letters, digits and _")
            _check_column(name, one.types[0])
        except _UnusableError as error:
            faults.append(Fault("", "model", f"{where}: {name} {error.problem}", error.fix))
    if faults:
        raise InputError(faults)


class _UnusableError(Exception):
    """A field that cannot be searched: what is wrong with it, and the way out."""

    def __init__(self, problem: str, fix: str) -> None:
        super().__init__(problem)
        self.problem, self.fix = problem, fix


def _parameter(field: Field[Any], hint: Any) -> Hyperparameter:
    name = field.name
    if name in _TAKEN:
        raise _UnusableError("has a name that is ours", f"leave it out: {_TAKEN[name]}")
    kind, bounds, meaning, optional = _parts(hint)
    words = tuple(get_args(kind)) if get_origin(kind) is Literal else ()
    if words and not all(isinstance(word, str) for word in words):
        raise _UnusableError(
            f"is {shown(words)}, and only texts can be a Literal", "use int and Range"
        )
    type_: Any = str if words else kind
    if type_ not in (bool, int, float) and not words:
        problem = f"is of type {getattr(kind, '__name__', kind)}"
        raise _UnusableError(problem, "use float, int, bool or Literal of texts")
    _check_column(name, type_)
    _check_bounds(type_, bounds)
    low, high = (bounds.low, bounds.high) if bounds else (0, 0)
    one = Hyperparameter(
        meaning or name.replace("_", " "),
        (type_,),
        None,
        words,
        low=low,
        high=high,
        from_low=True,
    )
    return _with_default(one, field, optional)


def _parts(hint: Any) -> tuple[Any, Range | None, str, bool]:
    """Return a field's type, its Range, its meaning, and whether it may be None."""
    bounds, meaning, optional = None, "", False
    while True:
        extras: Iterator[Any] = iter(())
        if get_origin(hint) is Annotated:
            hint, *rest = get_args(hint)
            extras = iter(rest)
        elif get_origin(hint) in (Union, types.UnionType):
            rest = [one for one in get_args(hint) if one is not type(None)]
            if len(rest) != 1:
                return hint, bounds, meaning, optional
            [hint], optional = rest, True
        else:
            return hint, bounds, meaning, optional
        for extra in extras:
            bounds = extra if isinstance(extra, Range) else bounds
            meaning = extra if isinstance(extra, str) else meaning


def _check_bounds(type_: type, bounds: Range | None) -> None:
    if type_ not in (int, float):
        if bounds is not None:
            raise _UnusableError("has a Range and is no number", "leave out the Range")
        return
    if bounds is None:
        raise _UnusableError("has no bounds", _EXAMPLE)
    numbers = (bounds.low, bounds.high)
    if not all(type(one) in (int, float) and abs(one) < 1e300 for one in numbers):
        raise _UnusableError(f"has the bounds {shown(numbers)}", "give two numbers")
    if type_ is int and not all(one == int(one) for one in numbers):
        raise _UnusableError(
            f"is a whole number with the bounds {shown(numbers)}", "use whole numbers"
        )
    if bounds.low >= bounds.high:
        raise _UnusableError(
            f"has low {bounds.low}, which is not below high, {bounds.high}", _EXAMPLE
        )
    if bounds.log and bounds.low <= 0:
        raise _UnusableError(f"is log with low {bounds.low}", "give a low above 0")


def _check_column(name: str, type_: type) -> None:
    """Refuse a type that the store's column of this name, a shipped model's, cannot hold."""
    of_column = parameter_types().get(name)
    if of_column in _STORED and type_ not in _STORED[of_column]:
        problem = (
            f"is {type_.__name__}, and the store's column of this name is {of_column.__name__}"
        )
        raise _UnusableError(problem, f"make it {of_column.__name__}, or rename it")


def _with_default(one: Hyperparameter, field: Field[Any], optional: bool) -> Hyperparameter:
    if field.default is MISSING:
        raise _UnusableError("has no default", "give it one, with which the model trains well")
    if field.default is None and optional:
        return one
    try:
        return replace(one, default=accept(field.name, one, field.default, ""))
    except InputError as error:
        problem = f"has the default {shown(field.default)}, which it cannot be"
        raise _UnusableError(problem, error.faults[0].fix) from None


def _domain(kind: Any, bounds: Range | None, _meaning: str, _optional: bool) -> Mapping[str, Any]:
    if bounds is None:
        return {"choice": [False, True] if kind is bool else list(get_args(kind))}
    log = "log_" if bounds.log else ""
    if kind is int:
        return {f"int_{log}uniform": [int(bounds.low), int(bounds.high)]}
    return {f"{log}uniform": [float(bounds.low), float(bounds.high)]}
