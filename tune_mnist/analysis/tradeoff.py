"""What accuracy costs: accuracy against wall time, with the Pareto front and its knee."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from tune_mnist.analysis.columns import floats
from tune_mnist.analysis.pareto import knee
from tune_mnist.analysis.thinning import MARK, MOST_POINTS, thinned, view
from tune_mnist.dominance import unbeaten
from tune_mnist.wording import kind_text


@dataclass(frozen=True)
class Tradeoff:
    """Accuracy against wall time.

    Args:
        points: trials, best first, thinned: `thinning.MARK`, kind ("svm rbf"), can_win (the first
            is the winner if it can), on_front (completed, and no completed trial dominates it),
            is_knee (the front's best compromise, `pareto.knee`).
        of: the number of trials before thinning.
        view: the lowest and highest accuracy that the chart opens on.
        below: the number of points below the view.
    """

    points: pa.Table
    of: int
    view: tuple[float, float]
    below: int


def tradeoff_numbers(ranked: pa.Table, most: int = MOST_POINTS) -> Tradeoff:
    """Return accuracy against wall time, the Pareto front and its knee.

    Args:
        ranked: trials of one data set (`ranking.ranked_trials`), at least one.
        most: the most points to keep; those on the front are kept besides.
    """
    accuracy, seconds = floats(ranked["val_accuracy"]), floats(ranked["wall_time_s"])
    costs = np.column_stack([seconds, -accuracy])
    completed = np.flatnonzero(np.asarray(ranked["status"]) == "completed")
    front = np.zeros(len(costs), dtype=bool)
    front[completed] = unbeaten(costs[completed])
    kept = np.union1d(thinned(len(ranked), most), np.flatnonzero(front))
    rows = ranked.take(kept)
    kinds = map(kind_text, rows["model"].to_pylist(), rows["config"].to_pylist())
    points = rows.select([*MARK, "can_win"]).append_column("kind", pa.array(kinds, pa.string()))
    seen = view(accuracy)
    below = int((accuracy[kept] < seen[0]).sum())
    points = points.append_column("on_front", pa.array(front[kept]))
    points = points.append_column("is_knee", pa.array(knee(costs, front)[kept]))
    return Tradeoff(points, len(ranked), seen, below)
