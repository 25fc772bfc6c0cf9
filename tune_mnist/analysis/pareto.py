"""Several objectives at once: the Pareto set, its knee, and the fronts behind it (dominance.py).

The terminal's table and the page's chart both come from here. Trials that were stopped early are
left out, because their wall time is not what their configuration costs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tune_mnist.analysis.columns import Floats, floats
from tune_mnist.analysis.ranking import RANKING, ranked_trials, shown_status
from tune_mnist.data_identity import named_by_content
from tune_mnist.dominance import fronts
from tune_mnist.errors import input_error
from tune_mnist.metrics import BETTER, Goal, check_metric
from tune_mnist.store.schema import TRIALS, column
from tune_mnist.wording import cell_text, config_text, heading

_FIELDS = {field.name: field for field in (*TRIALS, *RANKING)}
_FRONT = column("front", pa.int64(), "", "1 is the Pareto set: no other trial dominates these")
_KNEE = column("knee", pa.bool_(), "", "the best compromise between the objectives")


@dataclass(frozen=True)
class ParetoSet:
    """The Pareto set of one data set's trials.

    Args:
        trials: the set, then the fronts behind it; within a front, the best in the first objective
            comes first. Columns: front, those of `RANKING` without rank, the objectives, knee.
        dataset: the data set.
        objectives: the metrics that were compared.
        size: the number of trials in the set.
        of: the number of trials compared.
        left_out: the number of ranked trials that were stopped early or lack an objective.
    """

    trials: pa.Table
    dataset: str
    objectives: tuple[str, ...]
    size: int
    of: int
    left_out: int


def parse_objectives(text: str) -> tuple[str, ...]:
    """Return the objectives that a text such as "val_accuracy,wall_time_s" lists.

    Raises: InputError: one is unknown or listed twice, or there are fewer than two.
    """
    names = tuple(name.strip() for name in text.split(","))
    for name in names:
        check_metric("`pareto`", name, tuple(BETTER))
    if len(set(names)) < max(2, len(names)):
        fix = "name at least two different ones, for example val_accuracy,wall_time_s"
        raise input_error("`pareto`", f"{text!r} is not several objectives", fix)
    return names


def pareto_sets(trials: pa.Table, objectives: tuple[str, ...], at_least: int) -> list[ParetoSet]:
    """Return the Pareto set of each data set, with enough fronts behind it to fill a table.

    Args:
        trials: rows of the store.
        objectives: at least two metrics of `BETTER`.
        at_least: how many trials of each data set to return, if it has that many.
    Raises: InputError: no completed trial has all objectives.
    """
    ranked = ranked_trials(named_by_content(trials), Goal(objectives))
    comparable = ranked.filter(ranked["can_win"])
    if not len(comparable):
        problem = f"none of {len(ranked):,} trials is completed and has {' and '.join(objectives)}"
        raise input_error("`pareto`", problem, "run a search, or drop an objective")
    sets = []
    for dataset in sorted(pc.unique(comparable["dataset"]).to_pylist()):
        rows = comparable.filter(pc.equal(comparable["dataset"], dataset))
        of = pc.sum(pc.equal(ranked["dataset"], dataset)).as_py()
        front, is_knee = _places(rows, objectives, at_least)
        table = _table(rows, objectives, front, is_knee)
        size = int((front == 1).sum())
        sets.append(ParetoSet(table, dataset, objectives, size, len(rows), of - len(rows)))
    return sets


def set_sentence(found: ParetoSet) -> str:
    """Return the size and the knee of a Pareto set for people, in one line."""
    text = f"Pareto set on {found.dataset}: {found.size:,} of {found.of:,} trials"
    if found.left_out:
        text += f" ({found.left_out:,} more were stopped early or lack an objective)"
    for row in found.trials.filter(found.trials["knee"]).to_pylist():
        figures = ", ".join(
            f"{heading(_FIELDS[n])} {cell_text(_FIELDS[n], row[n])}" for n in found.objectives
        )
        return f"{text}; its knee is {config_text(row['config'])} ({figures})"
    return f"{text}; no knee"


def _places(
    rows: pa.Table, objectives: Sequence[str], at_least: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Return each trial's front, and which trial is the knee of the first front."""
    signs = [-1.0 if BETTER[name] == "max" else 1.0 for name in objectives]
    costs = np.column_stack([floats(rows[name]) for name in objectives]) * signs
    front = fronts(costs, at_least)
    return front, knee(costs, front == 1)


def _table(
    rows: pa.Table,
    objectives: Sequence[str],
    front: npt.NDArray[np.int64],
    is_knee: npt.NDArray[np.bool_],
) -> pa.Table:
    """Return the trials that have a front, sorted by front and within it as they are ranked."""
    names = [name for name in RANKING.names if name != "rank"]
    place = names.index("device")
    names[place:place] = [name for name in objectives if name not in names]
    fields = [_FRONT, *(_FIELDS[name] for name in names), _KNEE]
    rows = rows.set_column(rows.column_names.index("status"), "status", shown_status(rows))
    columns = [pa.array(front), *(rows[name] for name in names), pa.array(is_knee)]
    table = pa.table(columns, schema=pa.schema(fields)).filter(front > 0)
    return table.take(np.argsort(front[front > 0], kind="stable"))


def knee(costs: Floats, in_set: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return which trial is the knee of the Pareto set: its best compromise.

    Each objective is scaled to [0, 1] over the set, and the knee has the smallest sum. With two
    objectives, it is the trial farthest below the straight line between the two ends of the set
    (Das, "On characterizing the knee of the Pareto curve", Structural Optimization, 1999). With
    more, it is the one farthest below the plane on which the scaled objectives sum to 1. A set with
    no trial below the line or plane has no knee.

    Args:
        costs: (n, objectives), finite in the set, lower is better.
        in_set: (n,) whether a trial is in the Pareto set (`dominance.unbeaten`).
    Returns: (n,) bool, True for at most one trial.
    """
    is_knee = np.zeros(len(costs), dtype=bool)
    if in_set.sum() < 3:
        return is_knee
    low, high = costs[in_set].min(axis=0), costs[in_set].max(axis=0)
    scaled = (costs[in_set] - low) / np.where(high > low, high - low, 1.0)
    sums = scaled.sum(axis=1)
    if sums.min() < 1.0 - 1e-9:
        is_knee[np.flatnonzero(in_set)[sums.argmin()]] = True
    return is_knee
