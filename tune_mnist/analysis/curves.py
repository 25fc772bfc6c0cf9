"""Training curves: what trials measured while they trained."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from tune_mnist.analysis.thinning import MARK, MOST_CURVES, thinned

RUN = ("search", "trial", "attempt")
"""The columns that together identify one run of a trial."""


@dataclass(frozen=True)
class Curves:
    """The curves of trials that measured themselves at least twice.

    Args:
        trials: these trials with their rank, best first, thinned.
        reports: their measurements, ordered by search, trial and step.
        of: the number of such trials before thinning.
    """

    trials: pa.Table
    reports: pa.Table
    of: int


def training_curves_numbers(ranked: pa.Table, reports: pa.Table, most: int = MOST_CURVES) -> Curves:
    """Return the curves of the trials that measured themselves at least twice.

    Args:
        ranked: trials of one data set and one model (`ranking.ranked_trials`).
        reports: measurements from the store; those of other trials are ignored.
        most: the most trials to keep.
    """
    counts = reports.group_by(list(RUN)).aggregate([("step", "count")])
    several = counts.filter(pc.greater(counts["step_count"], 1))
    trials = ranked.select(["rank", "search", *MARK]).join(several, list(RUN), join_type="inner")
    kept = trials.sort_by("rank").take(thinned(len(trials), most))
    kept_reports = reports.join(kept.select(list(RUN)), list(RUN), join_type="inner")
    order = [(name, "ascending") for name in (*RUN, "step")]
    return Curves(kept, kept_reports.sort_by(order), len(trials))
