"""Parallel coordinates: which hyperparameters the good trials share. Numbers first, then drawing.

Drawn with ordinary lines. Plotly's own `parcoords` needs WebGL and code made from strings (which
the page's content security policy forbids), has no hover on lines, and knows no words on an axis.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
import pyarrow as pa

from tune_mnist.analysis.columns import Floats, floats
from tune_mnist.analysis.thinning import thinned, view
from tune_mnist.figures.chart_style import WINNER, plain, styled, trial_label
from tune_mnist.wording import FAMILY, percent

MOST_LINES = 300
UNUSED = "not used"  # a hyperparameter that the trial's other choices switch off
_FEW = 6  # up to so many distinct numbers get a slot each, like words; more get a scale
_LOG_SPAN = 20  # positive numbers that span more than this factor stand on a log scale
_TICK_GAP = 0.14  # ticks on a scale keep so far apart
_SLOT = 0.12  # room of a word below a scale
_BAND = 0.14  # trials that share a slot are spread over this much, so that none hides another
_BETWEEN = 4  # points of a line from axis to axis; Plotly finds a line only near its points
_SHADES = ("#98a1b0", "#8b9bbf", "#7a92cc", "#668bd6", "#4a74e0")  # worst fifth to best

Value = str | float


@dataclass(frozen=True)
class Axis:
    """One hyperparameter, or the accuracy.

    Args:
        name: heading of the axis.
        at: (n,) where each trial stands; 0 is the foot of the axis and 1 its top, give or take
            half the band of a slot.
        ticks: position and text of the values written beside the axis.
    """

    name: str
    at: Floats
    ticks: tuple[tuple[float, str], ...]


@dataclass(frozen=True)
class Parallel:
    """The trials of one model as lines across the hyperparameters that vary.

    Args:
        trials: (n) rows, best first, thinned.
        axes: one a hyperparameter that varies, and the validation accuracy last.
        constant: "name=value" of the hyperparameters that do not vary.
        of: how many trials there were before thinning.
    """

    trials: pa.Table
    axes: tuple[Axis, ...]
    constant: tuple[str, ...]
    of: int


def parallel_coordinates(ranked: pa.Table, most: int = MOST_LINES) -> Parallel:
    """Return the axes and each trial's place on them.

    Args:
        ranked: `ranking.ranked_trials` of one data set, those of one model, at least one.
        most: about how many trials to keep.
    """
    trials = ranked.take(thinned(len(ranked), most))
    configs = [json.loads(config) for config in trials["config"].to_pylist()]
    names = {name for config in configs for name in config}
    axes, constant = [], []
    for name in sorted(names, key=lambda name: (name not in FAMILY, name)):
        values = [_value(config.get(name, UNUSED)) for config in configs]
        if len(set(values)) == 1:
            constant.append(f"{name}={_written(values[0])}")
        else:
            axes.append(_axis(name, values))
    axes.append(_accuracy_axis(floats(trials["val_accuracy"])))
    return Parallel(trials, tuple(axes), tuple(constant), len(ranked))


def parallel_coordinates_figure(numbers: Parallel) -> go.Figure:
    """Draw one line a trial, the better the bluer, the winner on top in its own colour."""
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


def _axis(name: str, values: Sequence[Value]) -> Axis:
    """Give words, and numbers if they are few, a slot each; many numbers a scale above them."""
    words = sorted(
        {v for v in values if isinstance(v, str)}, key=lambda word: (word != UNUSED, word)
    )
    numbers = sorted({v for v in values if not isinstance(v, str)})
    if len(numbers) <= _FEW:
        slots: list[Value] = [*words, *numbers]
        place = dict(zip(slots, np.linspace(0, 1, len(slots)).tolist(), strict=True))
        ticks = [(place[value], _written(value)) for value in slots]
    else:
        place = {word: index * _SLOT for index, word in enumerate(words)}
        ticks = [(place[word], word) for word in words]
        scale, marks = _scale(numbers)
        foot = min(len(words) * _SLOT, 0.6)
        place |= {value: foot + (1 - foot) * at for value, at in zip(numbers, scale, strict=True)}
        ticks += [(foot + (1 - foot) * at, text) for at, text in marks]
    band = min(_BAND, 0.5 / len(ticks))
    spread = band * (0.5 - np.linspace(0, 1, len(values)))  # the better, the higher in its slot
    in_slot = [isinstance(value, str) or len(numbers) <= _FEW for value in values]
    return Axis(name, np.array([place[v] for v in values]) + spread * in_slot, tuple(ticks))


def _scale(numbers: Sequence[float]) -> tuple[list[float], list[tuple[float, str]]]:
    """Return where sorted numbers stand in [0, 1], and ticks: log where they span decades."""
    low, high = numbers[0], numbers[-1]
    log = low > 0 and high > _LOG_SPAN * low

    def place(value: float) -> float:
        return math.log(value / low, high / low) if log else (value - low) / (high - low)

    marks = {0.0: low, 1.0: high}
    for value in _round_numbers(low, high, log):
        at = place(value) if low < value < high else 0.0
        if min(abs(at - taken) for taken in marks) > _TICK_GAP:
            marks[at] = value
    return [place(value) for value in numbers], [(at, _written(v)) for at, v in marks.items()]


def _round_numbers(low: float, high: float, log: bool) -> list[float]:
    """Return numbers that make good ticks, the roundest first, some outside of the range."""
    if log:
        powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)))
        return [factor * 10.0**power for factor in (1, 5, 2) for power in powers]
    unit = 10.0 ** math.floor(math.log10(high - low))
    return [
        step * unit * count
        for step in (1, 0.5, 0.2)
        for count in range(math.floor(low / step / unit), math.ceil(high / step / unit))
    ]


def _accuracy_axis(accuracy: Floats) -> Axis:
    """Return the axis that all lines end on; far outliers stand at its foot, which says so."""
    low, high = view(accuracy)
    if low == high:
        return Axis("val_accuracy", np.where(accuracy < low, 0.0, 1.0), ((1.0, percent(high)),))
    at = np.clip((accuracy - low) / (high - low), 0, 1)
    ticks = [(i / 4, percent(low + i / 4 * (high - low))) for i in range(5)]
    if accuracy.min() < low:
        ticks[0] = (0.0, f"≤ {percent(low)}")
    return Axis("val_accuracy", at, tuple(ticks))


def _value(value: str | float | bool) -> Value:
    """Return a hyperparameter's value as a word or a number: gamma is "scale" or "0.001"."""
    if isinstance(value, bool):
        return str(value).lower()
    try:
        number = float(value)
    except ValueError:
        return str(value)
    return number if math.isfinite(number) else str(value)


def _written(value: Value) -> str:
    return value if isinstance(value, str) else f"{value:.4g}"
