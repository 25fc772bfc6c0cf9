"""Training curves: what trials measured while they trained."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from tune_mnist.analysis.thinning import MARK, MOST_CURVES, thinned

RUN = ("search", "trial", "attempt")
"""Together the key of a run."""


@dataclass(frozen=True)
class Curves:
    """What trials reported while they trained.

    Args:
        trials: best first, with their rank: those that reported at least twice, thinned.
        reports: the reports of these trials, in order of search, trial and step.
        of: how many trials reported at least twice, before thinning.
    """

    trials: pa.Table
    reports: pa.Table
    of: int


def training_curves(ranked: pa.Table, reports: pa.Table, most: int = MOST_CURVES) -> Curves:
    """Return the curves of the trials that reported at least twice; others have none.

    Args:
        ranked: `ranking.ranked_trials` of one data set, those of one model.
        reports: the store's reports, of at least these trials.
        most: about how many trials to keep.
    """
    counts = reports.group_by(list(RUN)).aggregate([("step", "count")])
    several = counts.filter(pc.greater(counts["step_count"], 1))
    trials = ranked.select(["rank", "search", *MARK]).join(several, list(RUN), join_type="inner")
    kept = trials.sort_by("rank").take(thinned(len(trials), most))
    kept_reports = reports.join(kept.select(list(RUN)), list(RUN), join_type="inner")
    order = [(name, "ascending") for name in (*RUN, "step")]
    return Curves(kept, kept_reports.sort_by(order), len(trials))
