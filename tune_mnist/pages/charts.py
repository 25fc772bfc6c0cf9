"""The charts that a page shows for one data set, and the words beside each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import plotly.graph_objects as go
import pyarrow as pa
import pyarrow.compute as pc
from markupsafe import Markup

from tune_mnist.analysis.curves import training_curves_numbers
from tune_mnist.analysis.parallel_coordinates import parallel_coordinates_numbers
from tune_mnist.analysis.progress import best_so_far_numbers
from tune_mnist.analysis.tradeoff import tradeoff_numbers
from tune_mnist.figures.curves_chart import HIGHLIGHTED, training_curves_figure
from tune_mnist.figures.parallel_chart import parallel_coordinates_figure
from tune_mnist.figures.progress_chart import NAMED_SEARCHES, best_so_far_figure
from tune_mnist.figures.tradeoff_chart import tradeoff_figure
from tune_mnist.wording import percent


@dataclass(frozen=True)
class View:
    """One view of a chart: its tab, a sentence for screen readers, the figure, a note below."""

    name: str
    alt: str
    figure: Markup
    note: str


@dataclass(frozen=True)
class Chart:
    """A chart with a title and one or more views to choose from; `wide` takes a whole row."""

    anchor: str
    title: str
    views: tuple[View, ...]
    wide: bool = False


def charts(trials: pa.Table, ranked: pa.Table, reports: pa.Table, anchor: str) -> list[Chart]:
    """Return the charts of one data set's trials.

    Args:
        trials: rows of the store, of one data set.
        ranked: those of them with a result (`ranking.ranked_trials`), at least one.
        reports: measurements from the store; those of other trials are ignored.
        anchor: prefix of the charts' ids in the page.
    """
    shown = [
        Chart(f"{anchor}-tradeoff", "Accuracy against wall time", (_tradeoff(ranked),)),
        Chart(f"{anchor}-best", "Best so far", tuple(_best_so_far(trials))),
    ]
    if curves := tuple(_training_curves(ranked, reports)):
        shown.append(Chart(f"{anchor}-curves", "Training curves", curves, wide=True))
    if lines := tuple(_parallel_coordinates(ranked)):
        title = "Hyperparameters and accuracy"
        shown.append(Chart(f"{anchor}-parallel", title, lines, wide=True))
    return shown


def _tradeoff(ranked: pa.Table) -> View:
    numbers = tradeoff_numbers(ranked)
    notes = ["No trial is both faster and more accurate than one on the dotted Pareto front."]
    if ranked["can_win"][0].as_py():
        notes.insert(0, "★ is the winner.")
    if pc.any(numbers.points["is_knee"]).as_py():
        notes.append("○ is the front's knee, the best compromise.")
    if pc.any(pc.equal(numbers.points["status"], "stopped")).as_py():
        notes.append("Hollow marks are trials that were stopped early.")
    if numbers.below:
        trials = "1 trial lies" if numbers.below == 1 else f"{numbers.below:,} trials lie"
        notes.append(f"{trials} below {percent(numbers.view[0])}; double-click to see all.")
    notes += _left_out(len(numbers.points), numbers.of)
    alt = f"Validation accuracy against wall time of {numbers.of:,} trials"
    return View("", alt, _embedded(tradeoff_figure(numbers)), " ".join(notes))


def _best_so_far(trials: pa.Table) -> Iterator[View]:
    numbers = best_so_far_numbers(trials)
    notes = ["A line is a search's best validation accuracy so far, a dot is a trial."]
    if pc.count_distinct(numbers.steps["search"]).as_py() > NAMED_SEARCHES:
        notes.append("Point at a line to see the name of its search.")
    note = " ".join([*notes, *_left_out(len(numbers.points), numbers.of)])
    alt = "Best validation accuracy so far, over"
    by_time, by_trials = (best_so_far_figure(numbers, over) for over in ("elapsed_s", "trials"))
    yield View("by time", f"{alt} elapsed time", _embedded(by_time), note)
    yield View("by trials", f"{alt} finished trials", _embedded(by_trials), note)


def _training_curves(ranked: pa.Table, reports: pa.Table) -> Iterator[View]:
    models = _models(ranked)
    for model in models:
        numbers = training_curves_numbers(ranked.filter(pc.equal(ranked["model"], model)), reports)
        if not numbers.of:
            continue
        notes = ["Solid: validation images. Dotted: training images. A number is a trial's rank."]
        if len(numbers.trials) > HIGHLIGHTED:
            notes.append(f"The best {HIGHLIGHTED} are in colour, the others grey.")
        note = " ".join([*notes, *_left_out(len(numbers.trials), numbers.of)])
        prefix = f"{model} " if len(models) > 1 else ""
        for measure in ("accuracy", "loss"):
            if pc.any(pc.is_finite(numbers.reports[f"val_{measure}"])).as_py():
                figure = _embedded(training_curves_figure(numbers, measure))
                alt = f"{measure} of {len(numbers.trials)} {model} trials as they trained"
                yield View(f"{prefix}{measure}", alt, figure, note)


def _parallel_coordinates(ranked: pa.Table) -> Iterator[View]:
    for model in _models(ranked):
        numbers = parallel_coordinates_numbers(ranked.filter(pc.equal(ranked["model"], model)))
        if len(numbers.axes) < 2:  # nothing varies
            continue
        notes = ["A line is a trial. Better trials are bluer, the best is gold."]
        if numbers.constant:
            notes.append(f"The same in all: {', '.join(numbers.constant)}.")
        notes += _left_out(len(numbers.trials), numbers.of)
        alt = f"Hyperparameters and validation accuracy of {len(numbers.trials)} {model} trials"
        yield View(model, alt, _embedded(parallel_coordinates_figure(numbers)), " ".join(notes))


def _models(ranked: pa.Table) -> list[str]:
    return sorted(pc.unique(ranked["model"]).to_pylist())


def _left_out(drawn: int, of: int) -> list[str]:
    """Return what to say if not every trial is drawn."""
    if drawn == of:
        return []
    return [f"{drawn:,} of {of:,} trials are drawn: the best, and an even sample of the rest."]


def _embedded(figure: go.Figure) -> Markup:
    """Return a figure as JSON that is safe in a script element: Plotly escapes <, > and /."""
    return Markup(figure.to_json())
