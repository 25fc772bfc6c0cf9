"""The hyperparameters of a space's model: what the model declares, or the space's own domains.

A model that is trained elsewhere (`models/external.py`) declares nothing. Its hyperparameters are
the parameters of its space, and what the space's points name. Their types and values are those of
the domains.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from tune_mnist.errors import Fault
from tune_mnist.models.external import is_external
from tune_mnist.models.hyperparameters import Config, Hyperparameter, Scalar, shown
from tune_mnist.models.registry import hyperparameters_of
from tune_mnist.spaces.domains import Choice, Domain, IntLogUniform, IntUniform
from tune_mnist.spaces.space import Space

_NAME = re.compile(r"[A-Za-z]\w{0,99}", re.ASCII)  # of a column in the store
_WHOLE = 2**53  # a float holds every integer up to this one
_LARGEST = 1e300  # as the store's rules say
_LONGEST = 1000  # characters of a text


def declared(space: Space) -> Mapping[str, Hyperparameter]:
    """Return what the configurations of a space of one model are made of."""
    if not is_external(space.model):
        return hyperparameters_of(space.model)
    return {
        name: Hyperparameter(name.replace("_", " "), (type_of(values),), None)
        for name, values in _values(space.parameters, space.points).items()
    }


def free_faults(parameters: Mapping[str, Domain], points: Sequence[Config]) -> list[Fault]:
    """Return a fault for each parameter of a model trained elsewhere that the store cannot hold."""
    faults = []
    for name, values in _values(parameters, points).items():
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


def type_of(values: Iterable[Scalar]) -> type:
    """Return the type of the store's column for these values; text can hold them all."""
    kinds = {type(one) for one in values}
    return kinds.pop() if len(kinds) == 1 else float if kinds <= {int, float} else str


def _values(
    parameters: Mapping[str, Domain], points: Sequence[Config]
) -> dict[str, Sequence[Scalar]]:
    """Return values that stand for all that a parameter can have, of every parameter."""
    found = {name: list(_of_domain(domain)) for name, domain in parameters.items()}
    for point in points:
        for name, value in point.items():
            found.setdefault(name, []).append(value)
    return dict(found)


def _of_domain(domain: Domain) -> Iterator[Scalar]:
    if isinstance(domain, Choice):
        yield from domain.choice
    elif isinstance(domain, IntUniform | IntLogUniform):
        yield from domain.bounds
    else:
        yield from map(float, domain.bounds)


def _is_storable(value: Scalar) -> bool:
    if isinstance(value, str):
        plain = value == value.encode(errors="ignore").decode()  # no half of a surrogate pair
        return plain and len(value) <= _LONGEST
    number = isinstance(value, int | float)  # a point may hold anything yet
    return number and abs(value) <= (_WHOLE if isinstance(value, int) else _LARGEST)
