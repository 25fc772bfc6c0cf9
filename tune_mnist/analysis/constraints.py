"""The trials of a store that satisfy constraints such as `wall_time_s <= 60` (metrics.py)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from tune_mnist.errors import input_error
from tune_mnist.metrics import NEVER_CHOOSE, Constraint
from tune_mnist.store.reader import read_trials
from tune_mnist.store.schema import TRIALS
from tune_mnist.store.selection import Selection
from tune_mnist.winner import satisfied

_NOT_METRICS = ("seed", "attempt", "proposed_after", *NEVER_CHOOSE)

CONSTRAINABLE = tuple(
    field.name
    for field in TRIALS
    if (pa.types.is_integer(field.type) or pa.types.is_floating(field.type))
    and field.name not in _NOT_METRICS
)
"""The columns that may be constrained."""


def satisfying(trials: pa.Table, constraints: Sequence[Constraint]) -> pa.Table:
    """Return the trials that satisfy every constraint.

    Args:
        trials: rows of the store, with the columns that the constraints name.
    Raises: InputError: there are trials, but none satisfies every constraint.
    """
    left = trials.filter(satisfied(trials, constraints))
    if len(trials) and not len(left):
        which = " and ".join(map(str, constraints))
        problem = f"none of {len(trials):,} trials satisfies {which}"
        raise input_error("`where`", problem, "relax or drop a constraint")
    return left


def read_selected(root: Path, selection: Selection) -> pa.Table:
    """Return the selected trials of a store, with the columns that all models share.

    Raises: InputError: as `store.reader.read_trials` and `satisfying`.
    """
    columns = ["search", *TRIALS.names]
    trials = read_trials(
        root,
        search=selection.search,
        dataset=selection.dataset,
        model=selection.model,
        columns=columns,
    )
    return satisfying(trials, selection.where)
