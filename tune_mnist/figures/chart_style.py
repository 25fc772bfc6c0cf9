"""How every chart looks: axes, hover labels, and colours that can be read on white and on black.

On a page, the style sheet recolours text, grid and hover labels for the reader's light or dark
theme. In a notebook, the colours set here are right on a white background.
"""

from __future__ import annotations

import html
import math
import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pyarrow as pa

from tune_mnist.analysis.columns import Floats, floats
from tune_mnist.wording import clean, config_text, duration, percent

# Each has a contrast above 3:1 on the page's white and on its black; symbols repeat the meaning.
PALETTE = ("#4a74e0", "#d9652b", "#12947c", "#bb4b9c", "#8a7512", "#7c5bd6", "#3b8fc2", "#a0624a")
SYMBOLS = ("circle", "diamond", "square", "triangle-up", "cross", "pentagon", "x", "hexagon")
WINNER = "#d48806"
QUIET = "rgba(128,138,155,0.45)"

_GRID = "rgba(128,138,155,0.2)"
_INK = "#4b5563"
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif"


def styled(traces: Sequence[go.Scatter], *, x: dict[str, Any], y: dict[str, Any]) -> go.Figure:
    """Return a figure of the traces: our axes, the legend on top, a transparent background."""
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
    """Return an axis title, set off from the ticks."""
    return {"text": text, "standoff": 12, "font": {"size": 13}}


def log_axis(title: str, low: float, high: float) -> dict[str, Any]:
    """Return an axis on a log scale with ticks at 1, 2, 5, 10, or only at powers of ten if long.

    Plotly's own ticks between powers of ten would read "2 3 4 5".

    Args:
        title: the axis's title.
        low, high: the range of values to show, > 0.
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


def loss_axis(losses: Floats) -> dict[str, Any]:
    """Return a log axis, because a loss falls by factors; linear if a loss has reached zero.

    Args:
        losses: any shape; NaN where there is none. Those of a training that diverged may be
            infinite, and lie outside the axis.
    """
    title = "cross-entropy (nat)"
    shown = losses[np.isfinite(losses)]
    if not shown.size or shown.min() <= 0:
        return {"title": titled(title)}
    return log_axis(title, float(shown.min()), float(shown.max()))


def percent_axis(title: str, view: tuple[float, float] | None) -> dict[str, Any]:
    """Return a y axis that shows fractions in percent; it opens on `view` if there is one."""
    axis = {"title": titled(title), "tickformat": "~%", "hoverformat": ".2%"}
    if view is None:
        return axis
    margin = max(0.04 * (view[1] - view[0]), 0.002)  # a single trial has no range
    return axis | {"range": [view[0] - margin, view[1] + margin]}


def time_unit(longest_s: float) -> tuple[float, str]:
    """Return the best unit for a time axis: how many seconds it has, and its name."""
    if longest_s < 180:
        return 1.0, "s"
    return (60.0, "min") if longest_s < 3 * 3600 else (3600.0, "h")


def trial_marks(rows: pa.Table, x: Floats, **looks: Any) -> go.Scatter:
    """Return a mark for each trial at its validation accuracy, with `trial_label` on hover.

    Args:
        rows: trials, with the columns that `trial_label` shows.
        x: (n,) the trials' positions on the x axis.
        looks: name, marker and showlegend of the trace.
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
    """Return what hovering over a trial shows, in the subset of HTML that Plotly knows.

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
    """Return text cleaned and escaped, because Plotly's labels interpret some HTML."""
    return html.escape(clean(text), quote=False)
