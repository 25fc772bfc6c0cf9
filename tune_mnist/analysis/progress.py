"""How a search's best result improved, over trials and over time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tune_mnist.analysis.columns import floats
from tune_mnist.analysis.thinning import MARK, MOST_POINTS, thinned, view


@dataclass(frozen=True)
class BestSoFar:
    """How the best result of each search improved.

    Args:
        steps: one row for each improvement of a search's best, and one for its last trial. Columns:
            search, trials (finished by then, failed ones included), elapsed_s (since the search's
            first trial began), best.
        points: the trials with a result, thinned: search, trials, elapsed_s, and `thinning.MARK`.
        of: the number of trials with a result, before thinning.
        view: the lowest and highest accuracy that the chart opens on.
    """

    steps: pa.Table
    points: pa.Table
    of: int
    view: tuple[float, float]


def best_so_far_numbers(trials: pa.Table, most: int = MOST_POINTS) -> BestSoFar:
    """Return, for each search, the best validation accuracy over trials and over time.

    Args:
        trials: rows of the store, of one data set, at least one with a result. A failed trial
            has none, but counts as one more finished trial.
        most: the most trials to keep as points.
    """
    names = pc.unique(trials["search"]).to_pylist()
    rows = pa.concat_tables(
        _progress(trials.filter(pc.equal(trials["search"], name))) for name in names
    )
    rows = rows.filter(pc.is_finite(rows["best"]))
    found = rows.filter(pc.is_finite(rows["val_accuracy"]))
    steps = rows.filter(rows["is_step"]).select(["search", "trials", "elapsed_s", "best"])
    # `thinned` expects the best first.
    found = found.sort_by([("val_accuracy", "descending")])
    points = found.take(thinned(len(found), most))
    return BestSoFar(steps, points, len(found), view(floats(found["val_accuracy"])))


def _progress(trials: pa.Table) -> pa.Table:
    """Return one search's trials in the order they finished, each with the best so far."""
    rows = trials.sort_by("finished")
    failed = np.asarray(rows["status"]) == "failed"
    accuracy = np.where(failed, np.nan, floats(rows["val_accuracy"]))
    best = np.fmax.accumulate(accuracy)
    is_step = np.append(True, best[1:] != best[:-1])
    is_step[-1] = True
    elapsed = pc.subtract(rows["finished"], pc.min(rows["started"])).cast(pa.int64())
    rows = rows.select(["search", *MARK]).set_column(
        1 + MARK.index("val_accuracy"), "val_accuracy", pa.array(accuracy)
    )
    for name, values in {
        "trials": pa.array(np.arange(1, len(rows) + 1)),
        "elapsed_s": pc.divide(elapsed.cast(pa.float64()), 1e6),
        "best": pa.array(best),
        "is_step": pa.array(is_step),
    }.items():
        rows = rows.append_column(name, values)
    return rows
