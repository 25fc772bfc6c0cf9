"""Parallel coordinates: which hyperparameters the good trials share."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from tune_mnist.analysis.columns import Floats, floats
from tune_mnist.analysis.thinning import thinned, view
from tune_mnist.wording import FAMILY, percent

MOST_LINES = 300
UNUSED = "not used"
"""Stands for a hyperparameter that the trial's other choices switch off."""

_FEW = 6  # up to this many distinct numbers get a slot each, like words; more get a scale
_LOG_SPAN = 20  # positive numbers that span more than this factor get a log scale
_TICK_GAP = 0.14  # the least distance between two ticks on a scale
_SLOT = 0.12  # the height that a word below a scale takes
_BAND = 0.14  # trials in one slot are spread over this height, so that none hides another

Value = str | float


@dataclass(frozen=True)
class Axis:
    """One hyperparameter, or the accuracy.

    Args:
        name: the axis's heading.
        at: (n,) each trial's position: 0 at the foot of the axis, 1 at its top. Trials that share
            a slot may lie half a band outside.
        ticks: position and text of the values beside the axis.
    """

    name: str
    at: Floats
    ticks: tuple[tuple[float, str], ...]


@dataclass(frozen=True)
class ParallelCoordinates:
    """The trials of one model as lines across the hyperparameters that vary.

    Args:
        trials: (n) rows, best first, thinned.
        axes: one for each hyperparameter that varies, then the validation accuracy.
        constant: "name=value" for each hyperparameter that does not vary.
        of: the number of trials before thinning.
    """

    trials: pa.Table
    axes: tuple[Axis, ...]
    constant: tuple[str, ...]
    of: int


def parallel_coordinates_numbers(ranked: pa.Table, most: int = MOST_LINES) -> ParallelCoordinates:
    """Return the axes, and each trial's position on them.

    Args:
        ranked: trials of one data set and one model (`ranking.ranked_trials`), at least one.
        most: the most trials to keep.
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
    return ParallelCoordinates(trials, tuple(axes), tuple(constant), len(ranked))


def _axis(name: str, values: Sequence[Value]) -> Axis:
    """Return an axis with a slot for each word and, above them, the numbers.

    A few numbers get a slot each, like words; many get a scale.
    """
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
    """Return the positions of sorted numbers in [0, 1], and ticks: log if they span decades."""
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
    """Return numbers that make good ticks, the roundest first; some lie outside the range."""
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
    """Return the axis that all lines end on; far outliers stand at its foot, marked "≤"."""
    low, high = view(accuracy)
    if low == high:
        return Axis("val_accuracy", np.where(accuracy < low, 0.0, 1.0), ((1.0, percent(high)),))
    at = np.clip((accuracy - low) / (high - low), 0, 1)
    ticks = [(i / 4, percent(low + i / 4 * (high - low))) for i in range(5)]
    if accuracy.min() < low:
        ticks[0] = (0.0, f"≤ {percent(low)}")
    return Axis("val_accuracy", at, tuple(ticks))


def _value(value: str | float | bool) -> Value:
    """Return a hyperparameter's value as a number if it is one: gamma is "scale" or "0.001"."""
    if isinstance(value, bool):
        return str(value).lower()
    try:
        number = float(value)
    except ValueError:
        return str(value)
    return number if math.isfinite(number) else str(value)


def _written(value: Value) -> str:
    return value if isinstance(value, str) else f"{value:.4g}"
