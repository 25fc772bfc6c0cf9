"""Accuracy against wall time, with the Pareto front."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
import pyarrow.compute as pc

from tune_mnist.analysis.columns import floats
from tune_mnist.analysis.tradeoff import Tradeoff
from tune_mnist.figures.chart_style import (
    PALETTE,
    SYMBOLS,
    WINNER,
    log_axis,
    percent_axis,
    plain,
    styled,
    time_unit,
    titled,
    trial_marks,
)


def tradeoff_figure(numbers: Tradeoff) -> go.Figure:
    """Draw accuracy against wall time: the kinds of models, the front, its knee, the winner."""
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
        unbeaten = np.asarray(rows["on_front"])
        symbol = SYMBOLS[index % len(SYMBOLS)]
        stopped = np.asarray(rows["status"]) == "stopped"
        marker = {
            "color": PALETTE[index % len(PALETTE)],
            "symbol": np.where(stopped, f"{symbol}-open", symbol),
            "size": np.where(unbeaten, 11, 8),
            "opacity": np.where(unbeaten, 1.0, 0.6),
            "line": {"width": np.where(stopped, 1.5, 0)},
        }
        at = floats(rows["wall_time_s"]) / divisor
        traces.append(trial_marks(rows, at, name=plain(kind), marker=marker))
    ring = {"symbol": "circle-open", "size": 20, "color": WINNER, "line": {"width": 2}}
    ringed = points.filter(points["is_knee"])
    at = floats(ringed["wall_time_s"]) / divisor
    traces.append(trial_marks(ringed, at, marker=ring, showlegend=False))
    star = {"symbol": "star", "size": 17, "color": WINNER, "line": {"width": 1, "color": "white"}}
    best = points[:1].filter(points[:1]["can_win"])
    at = floats(best["wall_time_s"]) / divisor
    traces.append(trial_marks(best, at, marker=star, showlegend=False))
    return styled(
        traces,
        x=log_axis(title, low, high) if high > 10 * low > 0 else {"title": titled(title)},
        y=percent_axis("validation accuracy", numbers.view),
    )
