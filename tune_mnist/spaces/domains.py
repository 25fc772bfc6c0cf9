"""The domains of a parameter: which values it can take, how many, and how a file writes them.

A space file writes a domain as a mapping with one key, its kind, and perhaps `when`. The models
below are those mappings. A constant is a choice of one value.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeVar, cast

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, Strict
from pydantic_core import PydanticCustomError

from tune_mnist.models.hyperparameters import Scalar, shown

if TYPE_CHECKING:
    from optuna.trial import BaseTrial

Number = TypeVar("Number", int, float)


class Section(BaseModel):
    """A part of a space file: an unknown key is an error, "1" is not a number, true is not 1."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def broken_rule(problem: str, fix: str) -> PydanticCustomError:
    """Return an error for a validator to raise; it carries a `Fault`'s problem and fix."""
    context = {"problem": problem, "fix": fix}
    return PydanticCustomError("broken_rule", "{problem}; {fix}", context)


def distinct(values: tuple[Scalar, ...]) -> tuple[Scalar, ...]:
    """Return the values, if there is at least one and no value is given twice.

    Raises:
        PydanticCustomError: there is no value, or one is given twice.
    """
    if not values:
        raise broken_rule("is empty", "give at least one value")
    twice = next((v for i, v in enumerate(values) if v in values[:i]), None)
    if twice is not None:
        raise broken_rule(f"{shown(twice)} is given twice", "keep one of them")
    return values


def as_list(value: Any) -> Any:
    """Return a single value as a list of one, as in `when: {kernel: poly}`."""
    return [value] if isinstance(value, Scalar) else value


def _ascending(bounds: tuple[Number, Number]) -> tuple[Number, Number]:
    low, high = bounds
    if low >= high:
        problem = f"low is {low}, must be below high, {high}"
        raise broken_rule(problem, f"for example [{min(low, high)}, {max(low, high) + 1}]")
    return bounds


def _positive(bounds: tuple[Number, Number]) -> tuple[Number, Number]:
    low, high = bounds
    if low <= 0:
        example = 1 if isinstance(low, int) else 0.001
        problem = f"low is {low}, must be > 0"
        raise broken_rule(problem, f"for example [{example}, {max(high, 100 * example)}]")
    return bounds


def _pair(low: float, high: float) -> Any:
    return Field(description="a list of two numbers, [low, high]", examples=[[low, high]])


Values = Annotated[tuple[Scalar, ...], Strict(False), AfterValidator(distinct)]
OneOrMore = Annotated[Values, BeforeValidator(as_list)]
Floats = Annotated[tuple[float, float], Strict(False), AfterValidator(_ascending)]
Ints = Annotated[tuple[int, int], Strict(False), AfterValidator(_ascending)]
LogFloats = Annotated[Floats, AfterValidator(_positive)]
LogInts = Annotated[Ints, AfterValidator(_positive)]
When = Annotated[
    dict[str, OneOrMore],
    Field(
        description="a mapping from parameters to the values they must have",
        examples=["{kernel: poly}"],
    ),
]


class _Domain(Section):
    """What every domain has: the values of other parameters for which it is active."""

    when: When = Field(default={})


class Choice(_Domain):
    """One of the listed values: for names, and for numbers of which only a few make sense."""

    choice: Values = Field(description="a list of values", examples=["[0.1, 1.0]"])

    def values(self) -> Sequence[Scalar]:
        """Return the values in the order of the file."""
        return self.choice

    def count(self) -> float:
        """Return the number of values."""
        return len(self.choice)

    def contains(self, value: Scalar) -> bool:
        """Return whether the value, already of the parameter's type, is one of them."""
        return value in self.choice

    def ask(self, trial: BaseTrial, name: str) -> Scalar:
        """Return the trial's value; the trial is not asked for a constant."""
        if len(self.choice) == 1:
            return self.choice[0]
        return cast(Scalar, trial.suggest_categorical(name, self.choice))

    def __str__(self) -> str:
        return ", ".join(str(value) for value in self.choice)


class _Range(_Domain):
    """A real number from low to high, both included."""

    log: ClassVar[bool] = False

    @property
    def bounds(self) -> tuple[float, float]:
        """Low and high."""
        raise NotImplementedError

    def values(self) -> Sequence[Scalar]:
        """Raise, because there are too many values to list.

        Raises:
            ValueError: always.
        """
        raise ValueError(f"the numbers from {self} cannot be listed")

    def count(self) -> float:
        """Return infinity."""
        return math.inf

    def contains(self, value: Scalar) -> bool:
        """Return whether the value, already of the parameter's type, is within the bounds."""
        low, high = self.bounds
        return not isinstance(value, str) and low <= value <= high

    def ask(self, trial: BaseTrial, name: str) -> Scalar:
        """Return the trial's value."""
        return trial.suggest_float(name, *self.bounds, log=self.log)

    def __str__(self) -> str:
        low, high = self.bounds
        return f"{low} to {high}{', log' if self.log else ''}"


class _IntRange(_Range):
    """A whole number from low to high, both included."""

    @property
    def bounds(self) -> tuple[int, int]:
        """Low and high."""
        raise NotImplementedError

    def values(self) -> Sequence[Scalar]:
        """Return the numbers in ascending order, as a range: their number costs no memory."""
        low, high = self.bounds
        return range(low, high + 1)

    def count(self) -> float:
        """Return the number of values, as an exact int."""
        return len(self.values())

    def ask(self, trial: BaseTrial, name: str) -> Scalar:
        """Return the trial's value."""
        return trial.suggest_int(name, *self.bounds, log=self.log)


class Uniform(_Range):
    """A real number between two bounds, all equally likely."""

    uniform: Floats = _pair(0.1, 0.9)

    @property
    def bounds(self) -> tuple[float, float]:
        """Low and high."""
        return self.uniform


class LogUniform(_Range):
    """A real number above 0, each order of magnitude equally likely: for C or learning_rate."""

    log: ClassVar[bool] = True
    log_uniform: LogFloats = _pair(0.001, 100.0)

    @property
    def bounds(self) -> tuple[float, float]:
        """Low and high."""
        return self.log_uniform


class IntUniform(_IntRange):
    """A whole number between two bounds, both included, all equally likely: for epochs."""

    int_uniform: Ints = _pair(1, 5)

    @property
    def bounds(self) -> tuple[int, int]:
        """Low and high."""
        return self.int_uniform


class IntLogUniform(_IntRange):
    """A whole number above 0, each order of magnitude about as likely: for batch_size."""

    log: ClassVar[bool] = True
    int_log_uniform: LogInts = _pair(1, 100)

    @property
    def bounds(self) -> tuple[int, int]:
        """Low and high."""
        return self.int_log_uniform


Domain = Choice | Uniform | LogUniform | IntUniform | IntLogUniform

DOMAINS: dict[str, type[Domain]] = {
    "choice": Choice,
    "uniform": Uniform,
    "log_uniform": LogUniform,
    "int_uniform": IntUniform,
    "int_log_uniform": IntLogUniform,
}


def values_of(
    parameters: Mapping[str, Domain], points: Iterable[Mapping[str, Scalar]]
) -> dict[str, list[Scalar]]:
    """Return values that stand for all that each parameter can have: of a range, its bounds."""
    found = {name: list(_listed(domain)) for name, domain in parameters.items()}
    for point in points:
        for name, value in point.items():
            found.setdefault(name, []).append(value)
    return found


def type_of(values: Iterable[Scalar]) -> type:
    """Return the type of the store's column for these values; text can hold them all."""
    kinds = {type(one) for one in values}
    return kinds.pop() if len(kinds) == 1 else float if kinds <= {int, float} else str


def _listed(domain: Domain) -> Sequence[Scalar]:
    if isinstance(domain, Choice):
        return domain.choice
    whole = isinstance(domain, IntUniform | IntLogUniform)
    return domain.bounds if whole else [float(bound) for bound in domain.bounds]
