"""How every chart looks: colours that read on white and on black, axes, hover labels.

The page's style sheet recolours text, grid and hover labels for the reader's light or dark
theme; what is set here is right on a white ground by itself, as in a notebook.
"""

from __future__ import annotations

import html
import math
import textwrap
from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go
import pyarrow as pa

from tune_mnist.analysis.columns import Floats, floats
from tune_mnist.wording import config_text, duration, percent

# Each has a contrast above 3:1 on the page's white and on its black; symbols say it again.
PALETTE = ("#4a74e0", "#d9652b", "#12947c", "#bb4b9c", "#8a7512", "#7c5bd6", "#3b8fc2", "#a0624a")
SYMBOLS = ("circle", "diamond", "square", "triangle-up", "cross", "pentagon", "x", "hexagon")
WINNER = "#d48806"
QUIET = "rgba(128,138,155,0.45)"

_GRID = "rgba(128,138,155,0.2)"
_INK = "#4b5563"
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif"


def styled(traces: Sequence[go.Scatter], *, x: dict[str, Any], y: dict[str, Any]) -> go.Figure:
    """Return a figure of the traces with our axes, the legend on top and a clear ground."""
    axis = {"gridcolor": _GRID, "linecolor": _GRID, "zeroline": False, "automargin": True}
    layout = go.Layout(
        template=go.layout.Template(),
        font={"family": _FONT, "size": 13, "color": _INK},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        margin={"l": 56, "r": 16, "t": 12, "b": 48},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        hoverlabel={"bgcolor": "#ffffff", "bordercolor": "#cbd2dc", "align": "left"},
        hovermode="closest",
        xaxis=axis | x,
        yaxis=axis | y,
    )
    return go.Figure(list(traces), layout)


def titled(text: str) -> dict[str, Any]:
    """Return an axis title that keeps clear of the ticks."""
    return {"text": text, "standoff": 12, "font": {"size": 13}}


def log_axis(title: str, low: float, high: float) -> dict[str, Any]:
    """Return an axis on a log scale with ticks at 1, 2, 5, 10; at powers of ten if it is long.

    Args:
        low, high: the values it must show, > 0; Plotly's own ticks between read "2 3 4 5".
    """
    steps = (1, 2, 5) if high < 300 * low else (1,)
    powers = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 1)
    ticks = [step * 10.0**power for power in powers for step in steps]
    return {
        "title": titled(title),
        "type": "log",
        "tickvals": ticks,
        "ticktext": [f"{tick:g}" for tick in ticks],
        "hoverformat": ".4g",
    }


def percent_axis(title: str, view: tuple[float, float] | None) -> dict[str, Any]:
    """Return a y axis of fractions shown in percent, opened on `view` if one is given."""
    axis = {"title": titled(title), "tickformat": "~%", "hoverformat": ".2%"}
    if view is None:
        return axis
    margin = max(0.04 * (view[1] - view[0]), 0.002)  # one trial alone spans nothing
    return axis | {"range": [view[0] - margin, view[1] + margin]}


def time_unit(longest_s: float) -> tuple[float, str]:
    """Return the unit in which a time axis reads best: the seconds in it, and its name."""
    if longest_s < 180:
        return 1.0, "s"
    return (60.0, "min") if longest_s < 3 * 3600 else (3600.0, "h")


def trial_marks(rows: pa.Table, x: Floats, **looks: Any) -> go.Scatter:
    """Return one mark a trial at its validation accuracy, its whole configuration on hover.

    Args:
        rows: trials, with the columns that `trial_label` shows.
        x: (n,) where each stands.
        looks: name, marker, showlegend of the trace.
    """
    return go.Scatter(
        x=x,
        y=floats(rows["val_accuracy"]),
        mode="markers",
        text=[trial_label(row) for row in rows.to_pylist()],
        hovertemplate="%{text}<extra></extra>",
        **looks,
    )


def trial_label(row: dict[str, Any]) -> str:
    """Return what hovering over a trial shows, in the HTML that Plotly knows.

    Args:
        row: trial, config (JSON), status, val_accuracy, test_accuracy and wall_time_s.
    """
    test = "" if row["test_accuracy"] is None else f", test {percent(row['test_accuracy'])}"
    stopped = ", stopped early" if row["status"] == "stopped" else ""
    lines = textwrap.wrap(config_text(row["config"]), 48)
    return "<br>".join(
        [
            *(f"<b>{plain(line)}</b>" for line in lines),
            f"validation {percent(row['val_accuracy'])}{test}",
            f"{duration(row['wall_time_s'])}{stopped}, trial {plain(row['trial'])}",
        ]
    )


def plain(text: str) -> str:
    """Return text that Plotly shows as it is; its labels know a subset of HTML."""
    return html.escape(text, quote=False)
