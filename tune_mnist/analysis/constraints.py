"""Constraints on trials, as a person types them: `wall_time_s <= 60`.

A metric of the store, one of <= < >= > ==, a number in the metric's unit. Test accuracy is
refused: what narrows the field chooses the winner, and the test images never choose.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from tune_mnist.errors import input_error, nearest
from tune_mnist.store.reader import read_trials
from tune_mnist.store.schema import TRIALS

_OPERATORS: dict[str, Callable[..., pc.Expression]] = {
    "<=": pc.less_equal,
    "<": pc.less,
    ">=": pc.greater_equal,
    ">": pc.greater,
    "==": pc.equal,
}
_FORM = re.compile(r"\s*([A-Za-z_]\w*)\s*(<=|>=|==|<|>)\s*(\S+)\s*")
_NOT_METRICS = ("seed", "attempt", "test_accuracy")

METRICS = tuple(
    field.name
    for field in TRIALS
    if (pa.types.is_integer(field.type) or pa.types.is_floating(field.type))
    and field.name not in _NOT_METRICS
)
"""The columns that may be constrained."""


@dataclass(frozen=True)
class Constraint:
    """What a trial must satisfy; one whose metric is null or NaN does not.

    Args:
        metric: one of `METRICS`.
        operator: <=, <, >=, > or ==.
        bound: finite, in the metric's unit.
    """

    metric: str
    operator: str
    bound: float

    def __str__(self) -> str:
        return f"{self.metric} {self.operator} {self.bound:g}"


def parse_constraint(text: str) -> Constraint:
    """Return the constraint that a text such as "parameters < 5e6" states.

    Raises: InputError: not of that form, no such metric, the test images, or accuracy in percent.
    """
    found = _FORM.fullmatch(text)
    if not found:
        fix = 'write a metric, one of <= < >= > ==, and a number: "wall_time_s <= 60"'
        raise input_error("--where", f"{text!r} is no constraint", fix)
    metric, operator, number = found.groups()
    check_metric("--where", metric, METRICS)
    try:
        bound = float(number)
    except ValueError:
        bound = math.nan
    if not math.isfinite(bound):
        problem = f"{number!r} in {text!r} is not a number"
        raise input_error("--where", problem, "write it like 60 or 5e6")
    if metric.endswith("accuracy") and bound > 1:
        fix = f"for {bound:g} % write {bound / 100:g}"
        raise input_error("--where", f"{text!r}: accuracy is a fraction", fix)
    return Constraint(metric, operator, bound)


def check_metric(option: str, metric: str, known: Sequence[str]) -> None:
    """Raise InputError, with the nearest of the known metrics, if `metric` is none of them."""
    if metric == "test_accuracy":
        problem = "test_accuracy never chooses: the winner would be tuned to the test images"
        raise input_error(option, problem, "use val_accuracy")
    if metric not in known:
        raise input_error(option, f"{metric!r} is not a metric here", nearest(metric, known))


def satisfying(trials: pa.Table, constraints: Sequence[Constraint]) -> pa.Table:
    """Return the trials that satisfy every constraint.

    Args:
        trials: rows of the store, with the columns that the constraints name.
    Raises: InputError: there are trials, but none that does.
    """
    left = trials
    for constraint in constraints:
        compare = _OPERATORS[constraint.operator]
        # A null compares as null, and a filter leaves it out.
        left = left.filter(compare(left[constraint.metric].cast(pa.float64()), constraint.bound))
    if len(trials) and not len(left):
        which = " and ".join(map(str, constraints))
        problem = f"none of {len(trials):,} trials satisfies {which}"
        raise input_error("--where", problem, "ask for less")
    return left


def read_satisfying(
    root: Path,
    constraints: Sequence[Constraint],
    *,
    search: str | None,
    dataset: str | None,
    model: str | None,
) -> pa.Table:
    """Return the store's trials that satisfy every constraint, with the columns of every model.

    Raises: InputError: as `store.reader.read_trials` and `satisfying`.
    """
    columns = ["search", *TRIALS.names]
    trials = read_trials(root, search=search, dataset=dataset, model=model, columns=columns)
    return satisfying(trials, constraints)
