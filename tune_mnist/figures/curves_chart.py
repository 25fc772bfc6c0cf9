"""Training curves: accuracy or loss over epochs or rungs."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import plotly.graph_objects as go
import pyarrow as pa
import pyarrow.compute as pc

from tune_mnist.analysis.columns import Floats, floats
from tune_mnist.analysis.curves import RUN, Curves
from tune_mnist.figures.chart_style import (
    PALETTE,
    QUIET,
    WINNER,
    loss_axis,
    percent_axis,
    styled,
    titled,
    trial_label,
)

HIGHLIGHTED = 5
"""How many of the best trials are in colour; the others are grey."""


def training_curves_figure(numbers: Curves, measure: Literal["accuracy", "loss"]) -> go.Figure:
    """Draw validation curves solid and training curves dotted; the best in colour, others grey."""
    reports = numbers.reports
    traces = []
    # The best is drawn last, on top of the others.
    for index, trial in reversed(list(enumerate(numbers.trials.to_pylist()))):
        rows = _of_trial(trial, reports)
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
    y = (
        percent_axis("accuracy", None)
        if measure == "accuracy"
        else loss_axis(np.concatenate([floats(reports["val_loss"]), floats(reports["train_loss"])]))
    )
    return styled(traces, x=_fidelity_axis(floats(reports["fidelity"])), y=y)


def _of_trial(trial: dict[str, Any], reports: pa.Table) -> pa.Table:
    for name in RUN:
        reports = reports.filter(pc.equal(reports[name], trial[name]))
    return reports


_PARTS = {"val": "validation", "train": "training"}


def _fidelity_axis(fidelity: Floats) -> dict[str, Any]:
    if fidelity.max() <= 1:
        return {"title": titled("fraction of the training images")}
    return {"title": titled("epochs trained"), "dtick": 1 if fidelity.max() <= 12 else None}
