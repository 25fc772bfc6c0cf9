"""Parallel coordinates: each trial as a line across its hyperparameters.

Drawn with ordinary lines. Plotly's own `parcoords` needs WebGL and evaluates code from strings,
which the page's content security policy forbids. It also has no hover on lines and no words on an
axis.
"""

from __future__ import annotations

import math

import numpy as np
import plotly.graph_objects as go

from tune_mnist.analysis.parallel_coordinates import Axis, ParallelCoordinates
from tune_mnist.figures.chart_style import WINNER, plain, styled, trial_label

_BETWEEN = 4  # points of a line from axis to axis: hovering finds a line only near its points
_SHADES = ("#98a1b0", "#8b9bbf", "#7a92cc", "#668bd6", "#4a74e0")  # worst fifth to best


def parallel_coordinates_figure(numbers: ParallelCoordinates) -> go.Figure:
    """Draw a line for each trial. Better trials are bluer; the winner is gold, and on top."""
    axes = range(len(numbers.axes))
    x = np.linspace(0, axes[-1], _BETWEEN * axes[-1] + 1)
    traces = []
    for index, trial in reversed(list(enumerate(numbers.trials.to_pylist()))):
        goodness = 1 - index / len(numbers.trials)
        shade = _SHADES[math.ceil(goodness * len(_SHADES)) - 1]
        line = {"color": WINNER, "width": 3} if index == 0 else {"color": shade, "width": 1.3}
        traces.append(
            go.Scatter(
                x=x.round(2),
                y=np.interp(x, axes, [axis.at[index] for axis in numbers.axes]).round(4),
                mode="lines",
                line=line,
                opacity=1.0 if index == 0 else 0.3 + 0.5 * goodness,
                text=trial_label(trial),
                hoverinfo="text",
                showlegend=False,
            )
        )
    hidden = {"visible": False, "fixedrange": True}
    figure = styled(
        traces,
        x=hidden | {"range": [-0.4, axes[-1] + 0.6]},
        y=hidden | {"range": [-0.1, 1.28]},
    )
    for place, axis in enumerate(numbers.axes):
        _draw_axis(figure, place, axis)
    return figure.update_layout(margin={"l": 8, "r": 8, "t": 8, "b": 8})


def _draw_axis(figure: go.Figure, place: int, axis: Axis) -> None:
    figure.add_shape(
        {"x0": place, "x1": place, "y0": -0.08, "y1": 1.08},
        line={"color": "#8a94a6", "width": 1},
    )
    name = "<br>".join(f"<b>{plain(word)}</b>" for word in axis.name.split("_"))
    figure.add_annotation(x=place, y=1.1, yanchor="bottom", text=name, showarrow=False)
    for at, text in axis.ticks:
        figure.add_annotation(
            {"x": place, "y": at, "xanchor": "left", "xshift": 4, "borderpad": 1},
            text=plain(text),
            showarrow=False,
            bgcolor="rgba(255,255,255,0.8)",
        )
