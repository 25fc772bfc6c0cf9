"""The figures of a store's results, in the form a notebook asks for them.

Each figure compares trials of one data set, because accuracies on different images do not belong
on one axis.
"""

from __future__ import annotations

from typing import Literal

import plotly.graph_objects as go
import pyarrow as pa
import pyarrow.compute as pc

from tune_mnist.analysis.curves import training_curves_numbers
from tune_mnist.analysis.parallel_coordinates import parallel_coordinates_numbers
from tune_mnist.analysis.progress import best_so_far_numbers
from tune_mnist.analysis.ranking import ranked_trials
from tune_mnist.analysis.results import Results
from tune_mnist.analysis.tradeoff import tradeoff_numbers
from tune_mnist.data_identity import are_several, data_names, matching, written
from tune_mnist.errors import input_error, nearest
from tune_mnist.figures.curves_chart import training_curves_figure
from tune_mnist.figures.parallel_chart import parallel_coordinates_figure
from tune_mnist.figures.progress_chart import best_so_far_figure
from tune_mnist.figures.tradeoff_chart import tradeoff_figure


def tradeoff(results: Results, dataset: str | None = None) -> go.Figure:
    """Return accuracy against wall time, with the Pareto front, its knee and the winner.

    Args:
        results: from `load_results`.
        dataset: which data set: its name, `name@hash`, or the first digits of its hash; optional if
            the store has only one.

    Raises: InputError: no trial has a result, or `dataset` is missing or unknown.
    """
    return tradeoff_figure(tradeoff_numbers(_ranked(results, dataset)))


def best_so_far(
    results: Results,
    dataset: str | None = None,
    over: Literal["elapsed_s", "trials"] = "elapsed_s",
) -> go.Figure:
    """Return how the best validation accuracy of each search improved.

    Args:
        results, dataset: as in `tradeoff`.
        over: "elapsed_s" for the time since the search began, "trials" for finished trials.

    Raises: InputError: as `tradeoff`.
    """
    _ranked(results, dataset)  # raises where no trial has a result
    trials = _on(results, dataset)
    return best_so_far_figure(best_so_far_numbers(trials), over)


def training_curves(
    results: Results,
    dataset: str | None = None,
    model: str | None = None,
    measure: Literal["accuracy", "loss"] = "accuracy",
) -> go.Figure:
    """Return curves over training, on validation (solid) and training images (dotted).

    The best trials are in colour, the others grey.

    Args:
        results, dataset: as in `tradeoff`.
        model: which model; optional if only one was trained.
        measure: "accuracy", or "loss" in nats.

    Raises: InputError: as `tradeoff`; `model` is missing or unknown; or there are no curves,
        because every trial measured itself only once.
    """
    ranked = _of(_ranked(results, dataset), model)
    numbers = training_curves_numbers(ranked, results.report_rows)
    if not len(numbers.trials):
        problem = "no trial measured itself more than once"
        raise input_error(results.root, problem, "run a search of several epochs or rungs")
    return training_curves_figure(numbers, measure)


def parallel_coordinates(
    results: Results, dataset: str | None = None, model: str | None = None
) -> go.Figure:
    """Return the trials as lines across the hyperparameters that vary, the best in gold.

    Args:
        results, dataset: as in `tradeoff`.
        model: which model; optional if only one was trained.

    Raises: InputError: as `tradeoff`, or `model` is missing or unknown.
    """
    ranked = _of(_ranked(results, dataset), model)
    return parallel_coordinates_figure(parallel_coordinates_numbers(ranked))


def _ranked(results: Results, dataset: str | None) -> pa.Table:
    ranked = ranked_trials(_on(results, dataset), results.goal)
    if not len(ranked):
        raise input_error(results.root, "no trial has a result yet", "run a search first")
    return ranked


def _on(results: Results, dataset: str | None) -> pa.Table:
    """Return the trials on one data set: its name, `name@hash`, or the first digits of its hash."""
    trials = results.trial_rows
    known = data_names(trials)
    found = known if dataset is None else matching(dataset, known)
    if dataset is not None and not found:
        problem = f"{dataset!r} has no trial"
        raise input_error("`dataset`", problem, nearest(dataset, written(known)))
    if are_several(found):
        raise input_error("`dataset`", f"there are {', '.join(written(found))}", "name one of them")
    for name, data_hash in found[:1]:
        column, value = ("data_hash", data_hash) if data_hash else ("dataset", name)
        return trials.filter(pc.equal(trials[column], value))
    return trials


def _of(trials: pa.Table, model: str | None) -> pa.Table:
    """Return the trials of the wanted model, which may be left out if all share one."""
    known = sorted(pc.unique(trials["model"]).drop_null().to_pylist())
    if model is None and len(known) > 1:
        raise input_error("`model`", f"there are {', '.join(known)}", "name one of them")
    if model is not None and model not in known:
        raise input_error("`model`", f"{model!r} has no trial", nearest(model, known))
    one = known[0] if model is None and known else model
    return trials.filter(pc.equal(trials["model"], one)) if one else trials
