"""The best result so far, over time or over trials."""

from __future__ import annotations

from typing import Literal

import plotly.graph_objects as go
import pyarrow.compute as pc

from tune_mnist.analysis.columns import floats
from tune_mnist.analysis.progress import BestSoFar
from tune_mnist.figures.chart_style import (
    PALETTE,
    QUIET,
    percent_axis,
    plain,
    styled,
    time_unit,
    titled,
    trial_marks,
)

NAMED_SEARCHES = 4
"""How many of the best searches are in the legend; more would leave the chart no room."""


def best_so_far_figure(numbers: BestSoFar, over: Literal["elapsed_s", "trials"]) -> go.Figure:
    """Draw each search's best result so far, over elapsed time or over finished trials.

    The best searches are in colour and named in the legend; hovering over a line names any.
    """
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
                showlegend=len(leaders) > 1 and index < NAMED_SEARCHES,
                line={"shape": "hv", "width": 2.5, "color": colour},
                text=plain(search),
                hovertemplate="best so far %{y:.2%}<br>%{text}<extra></extra>",
            )
        )
    return styled(
        traces,
        x={"title": titled(title), "rangemode": "tozero"},
        y=percent_axis("validation accuracy", numbers.view),
    )
