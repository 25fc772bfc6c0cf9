"""The charts of a search: numbers first, then drawing.

`tradeoff`, `best_so_far` and `training_curves` compute small tables from the store's rows and
know nothing of Plotly; each has a `..._figure` that draws them. All expect the trials of one data
set: accuracies on different images do not belong on one axis.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go
import pyarrow as pa
import pyarrow.compute as pc

from tune_mnist.analysis.columns import Floats, floats
from tune_mnist.analysis.pareto import knee
from tune_mnist.dominance import unbeaten
from tune_mnist.figures.chart_style import (
    PALETTE,
    QUIET,
    SYMBOLS,
    WINNER,
    log_axis,
    percent_axis,
    plain,
    styled,
    time_unit,
    titled,
    trial_label,
    trial_marks,
)
from tune_mnist.wording import kind_text

MOST_POINTS = 2000  # more are slow to draw and show nothing more
MOST_CURVES = 120
HIGHLIGHTED = 5
_RUN = ["search", "trial", "attempt"]  # together the key of a run
_MARK = ("trial", "attempt", "config", "status", "val_accuracy", "test_accuracy", "wall_time_s")


@dataclass(frozen=True)
class Tradeoff:
    """What accuracy costs.

    Args:
        points: trials, best first: trial, kind, config (JSON), val_accuracy, test_accuracy,
            wall_time_s, on_front (completed, and no other such trial is both as fast and as
            accurate), is_knee (the one of the front where more seconds stop paying;
            `pareto.knee`).
        of: how many trials there were before thinning.
        view: lowest and highest accuracy of the first view.
        below: how many points lie below it.
    """

    points: pa.Table
    of: int
    view: tuple[float, float]
    below: int


def tradeoff(ranked: pa.Table, most: int = MOST_POINTS) -> Tradeoff:
    """Return accuracy against wall time, the Pareto front and its knee.

    Args:
        ranked: `ranking.ranked_trials` of one data set, at least one.
        most: about how many points to keep; the front is always among them.
    """
    accuracy, seconds = floats(ranked["val_accuracy"]), floats(ranked["wall_time_s"])
    costs = np.column_stack([seconds, -accuracy])
    completed = np.flatnonzero(np.asarray(ranked["status"]) == "completed")
    front = np.zeros(len(costs), dtype=bool)
    front[completed] = unbeaten(costs[completed])
    kept = np.union1d(thinned(len(ranked), most), np.flatnonzero(front))
    rows = ranked.take(kept)
    kinds = map(kind_text, rows["model"].to_pylist(), rows["config"].to_pylist())
    points = rows.select(_MARK).append_column("kind", pa.array(kinds, pa.string()))
    seen = view(accuracy)
    below = int((accuracy[kept] < seen[0]).sum())
    points = points.append_column("on_front", pa.array(front[kept]))
    points = points.append_column("is_knee", pa.array(knee(costs, front)[kept]))
    return Tradeoff(points, len(ranked), seen, below)


def tradeoff_figure(numbers: Tradeoff) -> go.Figure:
    """Draw accuracy against wall time: a colour and symbol a kind of model; front, knee, winner."""
    points = numbers.points
    seconds = floats(points["wall_time_s"])
    divisor, unit = time_unit(float(seconds.max()))
    title = f"wall time ({unit})"
    low, high = seconds.min() / divisor, seconds.max() / divisor
    front = points.filter(points["on_front"]).sort_by("wall_time_s")
    traces = [
        go.Scatter(
            x=floats(front["wall_time_s"]) / divisor,
            y=floats(front["val_accuracy"]),
            mode="lines",
            showlegend=False,
            line={"shape": "hv", "width": 1.5, "dash": "dot", "color": "#8a94a6"},
            hoverinfo="skip",
        )
    ]
    for index, kind in enumerate(pc.unique(points["kind"]).to_pylist()):
        rows = points.filter(pc.equal(points["kind"], kind))
        best = np.asarray(rows["on_front"])
        symbol = SYMBOLS[index % len(SYMBOLS)]
        stopped = np.asarray(rows["status"]) == "stopped"
        marker = {
            "color": PALETTE[index % len(PALETTE)],
            "symbol": np.where(stopped, f"{symbol}-open", symbol),
            "size": np.where(best, 11, 8),
            "opacity": np.where(best, 1.0, 0.6),
            "line": {"width": np.where(stopped, 1.5, 0)},
        }
        at = floats(rows["wall_time_s"]) / divisor
        traces.append(trial_marks(rows, at, name=plain(kind), marker=marker))
    ring = {"symbol": "circle-open", "size": 20, "color": WINNER, "line": {"width": 2}}
    ringed = points.filter(points["is_knee"])
    at = floats(ringed["wall_time_s"]) / divisor
    traces.append(trial_marks(ringed, at, marker=ring, showlegend=False))
    star = {"symbol": "star", "size": 17, "color": WINNER, "line": {"width": 1, "color": "white"}}
    traces.append(trial_marks(points[:1], seconds[:1] / divisor, marker=star, showlegend=False))
    return styled(
        traces,
        x=log_axis(title, low, high) if high > 10 * low > 0 else {"title": titled(title)},
        y=percent_axis("validation accuracy", numbers.view),
    )


@dataclass(frozen=True)
class Progress:
    """How the best result grew, each search by itself.

    Args:
        steps: where a search's best improved, and its last trial: search, trials (finished until
            then, failed ones too), elapsed_s (since the search's first trial began), best.
        points: trials with a result, thinned: search, trials, elapsed_s and what a mark needs.
        of: how many trials had a result before thinning.
        view: lowest and highest accuracy of the first view.
    """

    steps: pa.Table
    points: pa.Table
    of: int
    view: tuple[float, float]


def best_so_far(trials: pa.Table, most: int = MOST_POINTS) -> Progress:
    """Return, for each search, the best validation accuracy over trials and over time.

    Args:
        trials: rows of the store, of one data set, at least one with a result; a failed one
            counts as a trial spent.
        most: about how many trials to keep as points.
    """
    names = pc.unique(trials["search"]).to_pylist()
    rows = pa.concat_tables(
        _progress(trials.filter(pc.equal(trials["search"], name))) for name in names
    )
    rows = rows.filter(pc.is_finite(rows["best"]))
    found = rows.filter(pc.is_finite(rows["val_accuracy"]))
    steps = rows.filter(rows["is_step"]).select(["search", "trials", "elapsed_s", "best"])
    # Best first, as `thinned` wants them.
    found = found.sort_by([("val_accuracy", "descending")])
    points = found.take(thinned(len(found), most))
    return Progress(steps, points, len(found), view(floats(found["val_accuracy"])))


def _progress(trials: pa.Table) -> pa.Table:
    """Return one search's trials in the order they finished, with its best until each."""
    rows = trials.sort_by("finished")
    failed = np.asarray(rows["status"]) == "failed"
    accuracy = np.where(failed, np.nan, floats(rows["val_accuracy"]))
    best = np.fmax.accumulate(accuracy)
    is_step = np.append(True, best[1:] != best[:-1])
    is_step[-1] = True
    elapsed = pc.subtract(rows["finished"], pc.min(rows["started"])).cast(pa.int64())
    rows = rows.select(["search", *_MARK]).set_column(
        1 + _MARK.index("val_accuracy"), "val_accuracy", pa.array(accuracy)
    )
    for name, values in {
        "trials": pa.array(np.arange(1, len(rows) + 1)),
        "elapsed_s": pc.divide(elapsed.cast(pa.float64()), 1e6),
        "best": pa.array(best),
        "is_step": pa.array(is_step),
    }.items():
        rows = rows.append_column(name, values)
    return rows


def best_so_far_figure(numbers: Progress, over: Literal["elapsed_s", "trials"]) -> go.Figure:
    """Draw each search's best result so far over elapsed time or over finished trials."""
    steps, points = numbers.steps, numbers.points
    divisor, title = 1.0, "finished trials"
    if over == "elapsed_s":
        divisor, unit = time_unit(pc.max(steps["elapsed_s"]).as_py())
        title = f"time since the search began ({unit})"
    best = steps.group_by("search").aggregate([("best", "max")])
    leaders = best.sort_by([("best_max", "descending"), ("search", "ascending")])["search"]
    traces = []
    for index, search in enumerate(leaders.to_pylist()):
        colour = PALETTE[index] if index < len(PALETTE) else QUIET
        dots = points.filter(pc.equal(points["search"], search))
        marker = {"color": colour, "size": 6, "opacity": 0.45}
        at = floats(dots[over]) / divisor
        traces.append(trial_marks(dots, at, name="", marker=marker, showlegend=False))
        line = steps.filter(pc.equal(steps["search"], search))
        traces.append(
            go.Scatter(
                x=floats(line[over]) / divisor,
                y=floats(line["best"]),
                mode="lines+markers",
                marker={"size": 5},
                name=plain(search),
                showlegend=len(leaders) > 1 and index < len(PALETTE),
                line={"shape": "hv", "width": 2.5, "color": colour},
                hovertemplate="best so far %{y:.2%}<extra></extra>",
            )
        )
    return styled(
        traces,
        x={"title": titled(title), "rangemode": "tozero"},
        y=percent_axis("validation accuracy", numbers.view),
    )


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
    counts = reports.group_by(_RUN).aggregate([("step", "count")])
    several = counts.filter(pc.greater(counts["step_count"], 1))
    trials = ranked.select(["rank", "search", *_MARK]).join(several, _RUN, join_type="inner")
    kept = trials.sort_by("rank").take(thinned(len(trials), most))
    kept_reports = reports.join(kept.select(_RUN), _RUN, join_type="inner")
    order = [(name, "ascending") for name in (*_RUN, "step")]
    return Curves(kept, kept_reports.sort_by(order), len(trials))


def training_curves_figure(numbers: Curves, measure: Literal["accuracy", "loss"]) -> go.Figure:
    """Draw validation (solid) and training (dotted) curves; the best in colour, others grey."""
    reports = numbers.reports
    traces = []
    # The best is drawn last, on top of the others.
    for index, trial in reversed(list(enumerate(numbers.trials.to_pylist()))):
        rows = _reports_of(trial, reports)
        colour = (WINNER, *PALETTE)[index] if index < HIGHLIGHTED else QUIET
        for part in ("train", "val") if index < HIGHLIGHTED else ("val",):
            traces.append(
                go.Scatter(
                    x=floats(rows["fidelity"]),
                    y=floats(rows[f"{part}_{measure}"]),
                    mode="lines+markers" if index < HIGHLIGHTED else "lines",
                    name=f"#{trial['rank']}",
                    opacity=1.0 if part == "val" else 0.7,
                    legendgroup=str(index),
                    legendrank=index + 1,
                    showlegend=index < HIGHLIGHTED and part == "val",
                    line={
                        "color": colour,
                        "width": 2.5 if index == 0 else 1.5,
                        "dash": "solid" if part == "val" else "dot",
                    },
                    marker={"size": 5},
                    text=f"on {_PARTS[part]} images<br>{trial_label(trial)}",
                    hoverinfo="y+text",
                )
            )
    y = percent_axis("accuracy", None) if measure == "accuracy" else _loss_axis(reports)
    return styled(traces, x=_fidelity_axis(floats(reports["fidelity"])), y=y)


def _reports_of(trial: dict[str, Any], reports: pa.Table) -> pa.Table:
    for name in _RUN:
        reports = reports.filter(pc.equal(reports[name], trial[name]))
    return reports


_PARTS = {"val": "validation", "train": "training"}


def _loss_axis(reports: pa.Table) -> dict[str, Any]:
    """Return a log axis: a loss falls by factors; linear only where a loss has reached zero."""
    loss = np.concatenate([floats(reports["val_loss"]), floats(reports["train_loss"])])
    low, high = np.nanmin(loss), np.nanmax(loss)
    title = "cross-entropy (nat)"
    return log_axis(title, low, high) if low > 0 else {"title": titled(title)}


def _fidelity_axis(fidelity: Floats) -> dict[str, Any]:
    if fidelity.max() <= 1:
        return {"title": titled("fraction of the training images")}
    return {"title": titled("epochs trained"), "dtick": 1 if fidelity.max() <= 12 else None}


def thinned(count: int, most: int) -> npt.NDArray[np.int64]:
    """Return which of `count` rows, best first, to draw: the best, and equal steps of the rest.

    The best get a tenth of `most`: they are what is looked at, but more of them than their share
    would draw a cluster that is not there.
    """
    if count <= most:
        return np.arange(count)
    top = most // 10
    return np.union1d(np.arange(top), np.linspace(top, count - 1, most - top).astype(np.int64))


def view(accuracy: Floats) -> tuple[float, float]:
    """Return the range of accuracies to open on: all but the far outliers below (Tukey's outer
    fence), for one trial at 10 % would press the others, between 97 % and 99 %, into a line."""
    low, high = np.quantile(accuracy, [0.25, 0.75])
    inside = accuracy[accuracy >= low - max(3 * (high - low), 0.02)]
    return float(inside.min()), float(accuracy.max())
