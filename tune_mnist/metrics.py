"""The metrics that choose among trials: whether high or low is better, and constraints on them.

A constraint is written as a person would type it, `wall_time_s <= 60`: a metric, one of
<= < >= > ==, and a number in the metric's unit. Test accuracy is refused everywhere, because every
objective and every constraint helps to choose the winner, and the test images must not.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from tune_mnist.errors import input_error, nearest

Metric = Literal[
    "val_accuracy",
    "val_balanced_accuracy",
    "val_loss",
    "wall_time_s",
    "parameters",
    "fit_s",
    "eval_s",
    "latency_batch_1_s",
    "latency_batch_256_s",
]
Mode = Literal["max", "min"]

BETTER: dict[str, Mode] = {
    "val_accuracy": "max",
    "val_balanced_accuracy": "max",
    "val_loss": "min",
    "wall_time_s": "min",
    "parameters": "min",
    "fit_s": "min",
    "eval_s": "min",
    "latency_batch_1_s": "min",
    "latency_batch_256_s": "min",
}
"""The metrics that may be objectives, and whether the highest or the lowest is best."""

LATENCIES: dict[str, int] = {"latency_batch_1_s": 1, "latency_batch_256_s": 256}
"""Seconds that a fitted model takes to predict an image, each with the images that it gets at once.

A trial measures them once, when it has completed, and not at its epochs or rungs.
"""

LATENCY_WORDS = {"latency_batch_1_s": "by itself", "latency_batch_256_s": "in batches of 256"}
"""How many images at once, for people."""

MEASURED = (*BETTER, "train_accuracy", "train_loss", "setup_s")
"""The metrics that a trial measures and a search may constrain."""

NEVER_CHOOSE = {
    "test_accuracy": "val_accuracy",
    "test_loss": "val_accuracy",
    "test_balanced_accuracy": "val_balanced_accuracy",
}
"""Metrics that never choose, each with the one to use instead."""

_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    "<": operator.lt,
    ">=": operator.ge,
    ">": operator.gt,
    "==": operator.eq,
}
_FORM = re.compile(r"\s*([A-Za-z_]\w*)\s*(<=|>=|==|<|>)\s*(\S+)\s*")


@dataclass(frozen=True)
class Constraint:
    """A condition on one metric. A trial without that metric, or with NaN, breaks it.

    Args:
        metric: the metric's name.
        operator: <=, <, >=, > or ==.
        bound: finite, in the metric's unit.
    """

    metric: str
    operator: str
    bound: float

    def __str__(self) -> str:
        short = f"{self.bound:g}"  # `parse_constraint` gives the same constraint back
        number = short if float(short) == self.bound else repr(self.bound)
        return f"{self.metric} {self.operator} {number}"

    def holds(self, value: float | None) -> bool:
        """Return whether a trial with this value of the metric satisfies the constraint."""
        return value is not None and _COMPARE[self.operator](value, self.bound)

    def excess(self, value: float | None) -> float:
        """Return how far a value is beyond the bound: above 0 exactly if the constraint fails."""
        if value is None or math.isnan(value):
            return math.inf
        beyond = {"<": value - self.bound, ">": self.bound - value}
        excess = beyond.get(self.operator[0], abs(value - self.bound))
        # Without the last step, 60 would break "< 60" by 0.
        return excess if excess or self.holds(value) else math.ulp(self.bound)


def parse_constraint(text: str, known: Sequence[str], field: str = "`where`") -> Constraint:
    """Return the constraint in a text such as "parameters < 5e6".

    Args:
        text: what a person typed.
        known: the metrics that may be constrained.
        field: the field that the error names.

    Raises: InputError: the text has another form, its metric is unknown or measured on the test
        images, its number is not finite, or it is an accuracy in percent.
    """
    found = _FORM.fullmatch(text)
    if not found:
        fix = 'write a metric, one of <= < >= > ==, and a number: "wall_time_s <= 60"'
        raise input_error(field, f"{text!r} is no constraint", fix)
    metric, compare, number = found.groups()
    check_metric(field, metric, known)
    try:
        bound = float(number)
    except ValueError:
        bound = math.nan
    if not math.isfinite(bound):
        problem = f"{number!r} in {text!r} is not a number"
        raise input_error(field, problem, "write it like 60 or 5e6")
    if metric.endswith("accuracy") and bound > 1:
        fix = f"for {bound:g} % write {bound / 100:g}"
        raise input_error(field, f"{text!r}: accuracy is a fraction", fix)
    return Constraint(metric, compare, bound)


def check_metric(field: str, metric: str, known: Sequence[str]) -> None:
    """Raise InputError unless the metric is known; the error names the nearest known one."""
    if instead := NEVER_CHOOSE.get(metric):
        problem = f"{metric} never chooses: the winner would be tuned to the test images"
        raise input_error(field, problem, f"use {instead}")
    if metric not in known:
        raise input_error(field, f"{metric!r} is not a metric here", nearest(metric, known))


def accuracy_interval(accuracy: float, images: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of an accuracy that was measured on so many images, >= 1.

    Source: Wilson, Journal of the American Statistical Association 22, 1927.
    """
    z = 1.959964
    middle = (accuracy + z * z / (2 * images)) / (1 + z * z / images)
    spread = accuracy * (1 - accuracy) / images + z * z / (4 * images * images)
    half = z * math.sqrt(spread) / (1 + z * z / images)
    return max(0.0, middle - half), min(1.0, middle + half)


@dataclass(frozen=True)
class Goal:
    """What a search is after.

    Args:
        objectives: metrics of `BETTER`, the one that decides first.
        constraints: what a winner must satisfy.
    """

    objectives: tuple[str, ...] = ("val_accuracy",)
    constraints: tuple[Constraint, ...] = ()


ACCURACY = Goal()
"""The goal of trials that share no other: validation accuracy."""
