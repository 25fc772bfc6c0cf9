"""Which trial wins: one order of trials for every place that ranks them or names the best.

A trial can win if it completed, measured every objective and satisfies every constraint. Such
trials come first, the best in the first objective on top. Ties go to the better in the next
objective, then to the faster trial, then to the one that comes first by search and trial.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tune_mnist.dominance import unbeaten
from tune_mnist.metrics import BETTER, Constraint, Goal

_COMPARE: dict[str, Callable[..., pa.ChunkedArray]] = {
    "<=": pc.less_equal,
    "<": pc.less,
    ">=": pc.greater_equal,
    ">": pc.greater,
    "==": pc.equal,
}
Row = dict[str, Any]
_TEXTS = ("search", "trial", "status")


def columns_that_decide(goal: Goal) -> tuple[str, ...]:
    """Return the columns that decide, each once."""
    limits = (one.metric for one in goal.constraints)
    return tuple(dict.fromkeys((*_TEXTS, *goal.objectives, *limits, "wall_time_s")))


def satisfied(trials: pa.Table, constraints: Sequence[Constraint]) -> pa.ChunkedArray:
    """Return whether each trial satisfies every constraint; one without the metric does not."""
    held = (
        pc.fill_null(_COMPARE[one.operator](_numbers(trials, one.metric), one.bound), False)
        for one in constraints
    )
    return reduce(pc.and_, held, _all(trials))


def can_win(trials: pa.Table, goal: Goal) -> pa.ChunkedArray:
    """Return whether each trial completed, measured every objective and satisfies the constraints.

    Args:
        trials: rows with the columns `columns_that_decide(goal)`.
        goal: of their search.
    """
    completed = pc.fill_null(pc.equal(trials["status"], "completed"), False)
    measured = (pc.is_valid(_finite(trials, name)) for name in goal.objectives)
    return reduce(pc.and_, [completed, *measured], satisfied(trials, goal.constraints))


def best_first(trials: pa.Table, goal: Goal) -> pa.Table:
    """Return the trials in the order of the ranking, with a column `can_win`.

    Behind those that can win come those that completed, then those that satisfy the constraints.

    Args and returns: as `can_win`.
    """
    wins = can_win(trials, goal)
    keys: dict[str, Any] = {
        "rank 0": pc.invert(wins),
        "rank 1": pc.not_equal(trials["status"], "completed"),
        "rank 2": pc.invert(satisfied(trials, goal.constraints)),
    }
    for place, name in enumerate((*goal.objectives, "wall_time_s"), start=len(keys)):
        value = _finite(trials, name)
        keys[f"rank {place}"] = pc.negate(value) if BETTER[name] == "max" else value
    keys |= {"search": trials["search"], "trial": trials["trial"]}
    order = pc.sort_indices(pa.table(keys), [(name, "ascending") for name in keys])
    return trials.append_column("can_win", wins).take(order)


def winner(rows: Sequence[Row], goal: Goal) -> Row | None:
    """Return the row that wins, the first of `best_first`; None if none can.

    A running search asks this after every trial, and to put two rows into Arrow takes 20 times as
    long as to compare them.

    Args:
        rows: trials of one search, or of several with a `search` each.
        goal: of the search.
    """
    able = (row for row in rows if _row_can_win(row, goal))
    return min(able, key=lambda row: _place(row, goal), default=None)


def leaders(rows: Sequence[Row], goal: Goal, most: int) -> list[Row]:
    """Return the best rows, and with several objectives all that no other row dominates.

    Args:
        rows: as for `winner`.
        goal: of the search.
        most: how many of the best; 0 returns none at all.
    """
    able = sorted((row for row in rows if _row_can_win(row, goal)), key=lambda r: _place(r, goal))
    if not most or not able or len(goal.objectives) == 1:
        return able[:most]
    in_front = unbeaten(np.array([_costs(row, goal) for row in able], np.float64))
    return [row for place, row in enumerate(able) if place < most or in_front[place]]


def _row_can_win(row: Row, goal: Goal) -> bool:
    return (
        row.get("status") == "completed"
        and all(_is_finite(row.get(name)) for name in goal.objectives)
        and all(one.holds(row.get(one.metric)) for one in goal.constraints)
    )


def _place(row: Row, goal: Goal) -> tuple[Any, ...]:
    """Return what sorts the rows that can win, the best first."""
    seconds = row.get("wall_time_s")
    texts = [(row.get(name) is None, row.get(name)) for name in ("search", "trial")]
    return (*_costs(row, goal), seconds if _is_finite(seconds) else math.inf, *texts)


def _costs(row: Row, goal: Goal) -> list[float]:
    return [-row[name] if BETTER[name] == "max" else row[name] for name in goal.objectives]


def _is_finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def better(row: Row, best: Row | None, goal: Goal) -> Row | None:
    """Return the winner of a new row and the winner so far; None if neither can win."""
    return winner([row] if best is None else [row, best], goal)


def _numbers(trials: pa.Table, name: str) -> pa.ChunkedArray:
    return trials[name].cast(pa.float64())


def _finite(trials: pa.Table, name: str) -> pa.ChunkedArray:
    """Return a column of numbers; what is not finite is null."""
    value = _numbers(trials, name)
    return pc.if_else(
        pc.fill_null(pc.is_finite(value), False), value, pa.scalar(None, pa.float64())
    )


def _all(trials: pa.Table) -> pa.ChunkedArray:
    return pa.chunked_array([pa.repeat(True, len(trials))], pa.bool_())
