"""The figures of a store's results, as a notebook asks for them.

All compare trials of one data set: accuracies on different images do not belong on one axis.
"""

from __future__ import annotations

from typing import Literal

import plotly.graph_objects as go
import pyarrow as pa
import pyarrow.compute as pc

from tune_mnist.analysis import curves, progress
from tune_mnist.analysis import tradeoff as tradeoffs
from tune_mnist.analysis.ranking import ranked_trials
from tune_mnist.analysis.results import Results
from tune_mnist.errors import input_error, nearest
from tune_mnist.figures.curves_chart import training_curves_figure
from tune_mnist.figures.parallel_chart import parallel_coordinates as lines
from tune_mnist.figures.parallel_chart import parallel_coordinates_figure
from tune_mnist.figures.progress_chart import best_so_far_figure
from tune_mnist.figures.tradeoff_chart import tradeoff_figure


def tradeoff(results: Results, dataset: str | None = None) -> go.Figure:
    """Return accuracy against wall time, with the Pareto front, its knee and the winner.

    Args:
        results: from `load_results`.
        dataset: whose trials; it may be left out where the store has one data set only.

    Raises: InputError: no trial has a result, or `dataset` is needed or unknown.
    """
    return tradeoff_figure(tradeoffs.tradeoff(_ranked(results, dataset)))


def best_so_far(
    results: Results,
    dataset: str | None = None,
    over: Literal["elapsed_s", "trials"] = "elapsed_s",
) -> go.Figure:
    """Return how each search's best validation accuracy grew.

    Args:
        results, dataset: as `tradeoff`.
        over: seconds since the search began, or finished trials.

    Raises: InputError: as `tradeoff`.
    """
    _ranked(results, dataset)
    trials = _of_one(results.trial_rows, dataset)
    return best_so_far_figure(progress.best_so_far(trials), over)


def training_curves(
    results: Results,
    dataset: str | None = None,
    model: str | None = None,
    measure: Literal["accuracy", "loss"] = "accuracy",
) -> go.Figure:
    """Return the training (dotted) and validation (solid) curves; the best trials in colour.

    Args:
        results, dataset: as `tradeoff`.
        model: whose trials; it may be left out where one model only was trained.
        measure: accuracy, a fraction, or loss, in nats.

    Raises: InputError: as `tradeoff`, or no trial measured itself more than once.
    """
    ranked = _of_one(_ranked(results, dataset), model, "model")
    found = curves.training_curves(ranked, results.report_rows)
    if not len(found.trials):
        problem = "no trial measured itself more than once"
        raise input_error(results.root, problem, "run a search of several epochs or rungs")
    return training_curves_figure(found, measure)


def parallel_coordinates(
    results: Results, dataset: str | None = None, model: str | None = None
) -> go.Figure:
    """Return the trials as lines across the hyperparameters that vary, the best in red.

    Args:
        results, dataset: as `tradeoff`.
        model: whose trials; it may be left out where one model only was trained.

    Raises: InputError: as `tradeoff`.
    """
    return parallel_coordinates_figure(lines(_of_one(_ranked(results, dataset), model, "model")))


def _ranked(results: Results, dataset: str | None) -> pa.Table:
    ranked = ranked_trials(_of_one(results.trial_rows, dataset))
    if not len(ranked):
        raise input_error(results.root, "no trial has a result yet", "run a search first")
    return ranked


def _of_one(trials: pa.Table, wanted: str | None, column: str = "dataset") -> pa.Table:
    """Return the trials of the wanted data set or model, the only one where none is named."""
    known = sorted(pc.unique(trials[column]).drop_null().to_pylist())
    if wanted is None and len(known) > 1:
        raise input_error(f"`{column}`", f"there are {', '.join(known)}", "name one of them")
    if wanted is not None and wanted not in known:
        raise input_error(f"`{column}`", f"{wanted!r} has no trial", nearest(wanted, known))
    one = known[0] if wanted is None and known else wanted
    return trials.filter(pc.equal(trials[column], one)) if one else trials
