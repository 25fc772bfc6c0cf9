"""The technical report's Figures 1 to 3, and figures it left out: published and ours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from markupsafe import Markup

from tune_mnist.figures.chart_style import (
    PALETTE,
    log_axis,
    loss_axis,
    percent_axis,
    styled,
    titled,
)
from tune_mnist.pages.charts import Chart, View
from tune_mnist.reproduction.published import published
from tune_mnist.reproduction.runs import (
    DATASETS,
    KINDS,
    NETWORKS,
    SVMS,
    by_setting,
    highest,
    records,
    setting_text,
)

Measure = Literal["accuracy", "loss"]
_THEIRS, _OURS = "#8a94a6", PALETTE[0]
_CURVE = ["kind", "setting", "run"]
_STEPS = [("sgd", 1e-3), ("sgd", 1e-4), ("adam", 1e-3), ("adam", 1e-4)]
_CLASSES = {
    "mnist": [str(digit) for digit in range(10)],
    "fashion-mnist": [
        *("T-shirt", "Trouser", "Pullover", "Dress", "Coat"),
        *("Sandal", "Shirt", "Sneaker", "Bag", "Boot"),
    ],
}


def published_curves() -> pd.DataFrame:
    """Return the technical report's logs for `curves_chart`, one row for each epoch."""
    logs = published("curves").rename(columns={"architecture": "kind"})
    logs = logs.query("run == 'grid'")
    named: pd.DataFrame = logs.assign(setting=[setting_text(row) for row in records(logs)])
    return named


def our_curves(runs: pd.DataFrame, reports: pd.DataFrame) -> pd.DataFrame:
    """Return the measurements of ResNet runs for `curves_chart`, one row for each epoch.

    Args:
        runs: our runs on one fraction of the training images (`runs.stored_runs`).
        reports: measurements from the store; those of other trials are ignored.
    """
    named = reports.assign(origin=reports["search"] + "/" + reports["trial"])
    columns = ["origin", "dataset", "kind", "setting", *("optimizer", "learning_rate", "seed")]
    joined = named.merge(runs[runs["part"] == "resnet"][columns], on="origin")
    curves: pd.DataFrame = joined.rename(columns={"fidelity": "epoch", "seed": "run"})
    return curves


def curves_chart(curves: pd.DataFrame, anchor: str, title: str, note: str) -> Chart | None:
    """Return Figure 1, with a view for each data set, network and measure; None without curves."""
    views = []
    # FashionMNIST comes first, as in the technical report.
    for dataset, name in reversed(DATASETS.items()):
        for kind in NETWORKS:
            mine = curves[(curves["dataset"] == dataset) & (curves["kind"] == kind)]
            if mine.empty:
                continue
            for measure in ("accuracy", "loss"):
                tab = f"{KINDS[kind]} {name} {measure}"
                alt = f"{measure} of {KINDS[kind]} on {name} over the epochs"
                views.append(_view(tab, alt, _curves(mine, measure), note))
    return Chart(anchor, title, tuple(views), wide=True) if views else None


def _curves(curves: pd.DataFrame, measure: Measure) -> go.Figure:
    traces: list[go.Scatter] = []
    named: set[tuple[str, float]] = set()
    for (_, setting, _), rows in curves.groupby(_CURVE):
        rows = rows.sort_values("epoch")
        optimizer, rate = rows["optimizer"].iloc[0], rows["learning_rate"].iloc[0]
        colour = PALETTE[_STEPS.index((optimizer, rate))]
        for part, dash in (("val", "solid"), ("train", "dot")):
            first = part == "val" and (optimizer, rate) not in named
            named |= {(optimizer, rate)} if first else set()
            traces.append(
                go.Scatter(
                    x=rows["epoch"],
                    y=rows[f"{part}_{measure}"],
                    mode="lines+markers",
                    name=f"{optimizer}, lr {rate:g}",
                    legendgroup=f"{optimizer}{rate}",
                    showlegend=first,
                    line={"color": colour, "dash": dash, "width": 1.8},
                    marker={"size": 5},
                    text=f"{part}: {setting}",
                    hoverinfo="y+text",
                )
            )
    y = percent_axis("accuracy", None)
    if measure == "loss":
        y = loss_axis(curves[["val_loss", "train_loss"]].to_numpy(float))
    return styled(traces, x={"title": titled("epochs trained"), "dtick": 1}, y=y)


def kernels_chart(runs: pd.DataFrame) -> Chart:
    """Return Figure 2, left: the best accuracy of each kernel, published and ours."""
    methods = published("methods").set_index("kind")
    theirs, mine, labels = [], [], []
    for dataset, name in DATASETS.items():
        for kernel in SVMS:
            labels.append(f"{name}<br>{kernel}")
            theirs.append(methods.loc[kernel, dataset.replace("-", "_")])
            of = runs[(runs["dataset"] == dataset) & (runs["kind"] == kernel)]
            mine.append(of["test_accuracy"].max())
    note = (
        "Best test accuracy of each kernel, as in the technical report's Figure 2 (left)."
        " Its times: 160 s for poly and 145 s for rbf on average on FashionMNIST."
    )
    figure = _bars(labels, theirs, mine, "test accuracy", percent=True)
    view = _view("", "Best test accuracy of the SVM kernels", figure, note)
    return Chart("figure-2-kernels", "Figure 2: kernels", (view,))


def effects_chart(runs: pd.DataFrame) -> Chart | None:
    """Return Figure 2, right: the effects of C, gamma and degree in our runs; None without runs.

    The technical report printed a picture of its own, without numbers.
    """
    views = []
    for dataset, name in DATASETS.items():
        settings = by_setting(runs[(runs["dataset"] == dataset) & (runs["part"] == "svm")])
        if settings.empty:
            continue
        note = "Test accuracy of our runs. The technical report printed no numbers for its figure."
        views.append(_view(name, f"SVM accuracy on {name} over C", _effects(settings), note))
    title = "Figure 2: C, gamma and degree"
    return Chart("figure-2-effects", title, tuple(views)) if views else None


def _effects(settings: pd.DataFrame) -> go.Figure:
    traces = []
    settings = settings.assign(degree=settings["degree"].fillna(0))
    for index, (key, rows) in enumerate(settings.groupby(["kind", "gamma", "degree"], sort=False)):
        kernel, gamma, degree = key
        rows = rows.sort_values("C")
        shape = f", degree {degree:g}" if degree else ""
        traces.append(
            go.Scatter(
                x=rows["C"],
                y=rows["test_accuracy"],
                mode="lines+markers",
                name=f"{kernel}, gamma {gamma}{shape}",
                line={
                    "color": PALETTE[index % len(PALETTE)],
                    "dash": "dash" if kernel == "poly" else "solid",
                    "width": 2,
                },
                hovertemplate="C=%{x:g}: %{y:.2%}",
            )
        )
    x = log_axis("C", settings["C"].min(), settings["C"].max())
    x |= {"tickvals": [0.1, 1, 10, 100], "ticktext": ["0.1", "1", "10", "100"]}
    return styled(traces, x=x, y=percent_axis("test accuracy", None))


def devices_chart(runs: pd.DataFrame) -> Chart:
    """Return Figure 3, left: accuracy on CPU and GPU, published and ours."""
    theirs = published("devices").rename(columns={"architecture": "kind"})
    mine = runs[runs["part"] == "devices"]
    labels: list[str] = []
    values: tuple[list[float], list[float]] = ([], [])
    for kind in NETWORKS:
        for optimizer in ("sgd", "adam"):
            for device in ("cpu", "gpu"):
                labels.append(f"{kind.removeprefix('resnet')} {optimizer}<br>{device.upper()}")
                for of, whose in zip(values, (theirs, mine), strict=True):
                    same = (whose["kind"] == kind) & (whose["optimizer"] == optimizer)
                    of.append(whose[same & (whose["device"] == device)]["test_accuracy"].mean())
    note = "Ten epochs on FashionMNIST. Where a bar is missing, nothing ran."
    figure = _bars(labels, *values, "test accuracy", percent=True)
    view = _view("", "Test accuracy on CPU and GPU", figure, note)
    return Chart("figure-3-devices", "Figure 3: CPU and GPU", (view,))


def cost_chart(runs: pd.DataFrame) -> Chart:
    """Return Figure 3, right: multiply-adds for an image, and parameters, published and ours."""
    theirs = published("devices").groupby("architecture")["flops"].first()
    names = [KINDS[kind] for kind in NETWORKS]
    views = []
    for column, published_millions, text in (
        ("multiply_adds", [theirs[kind] / 1e6 for kind in NETWORKS], "multiply-adds (millions)"),
        ("parameters", [11.7, 25.6], "parameters (millions)"),
    ):
        mine = [runs[runs["kind"] == kind][column].mean() / 1e6 for kind in NETWORKS]
        note = (
            "Ours are counted in the network that trained, for 3×32×32 images and 10 classes. The"
            " published multiply-adds include BatchNorm, the published parameters 1,000 classes."
        )
        figure = _bars(names, published_millions, mine, text, percent=False)
        views.append(_view(column.replace("_", "-"), text, figure, note))
    return Chart("figure-3-cost", "Figure 3: size and work", tuple(views))


def _bars(
    labels: list[str], theirs: list[float], ours: list[float], title: str, *, percent: bool
) -> go.Figure:
    shown = "%{y:.2%}" if percent else "%{y:.2f}"
    traces = [
        go.Bar(x=labels, y=values, name=name, marker={"color": colour}, hovertemplate=shown)
        for name, values, colour in (("published", theirs, _THEIRS), ("ours", ours, _OURS))
    ]
    y: dict[str, Any] = {"title": titled(title)}
    if percent:
        known = [value for value in [*theirs, *ours] if not np.isnan(value)]
        y = percent_axis(title, (min(known) - 0.02, max(known)))
    return styled(traces, x={}, y=y)


def confusion_charts(runs: pd.DataFrame, trials: pd.DataFrame) -> Iterator[Chart]:
    """Yield a chart for each data set: the confusion matrix of the best run of each kind.

    Args:
        runs: our runs on the standard test images, on any fraction (`runs.stored_runs`).
        trials: the columns origin and confusion of the store's trials that have a matrix.
    """
    known = runs.merge(trials, on="origin")
    known = known[known["val_accuracy"].notna()]
    for dataset, name in DATASETS.items():
        views = []
        for kind, kind_name in KINDS.items():
            mine = known[(known["dataset"] == dataset) & (known["kind"] == kind)]
            if mine.empty:
                continue
            full = mine[mine["fraction"] == mine["fraction"].max()]
            best = highest(full, "val_accuracy")
            size = (
                "" if best["fraction"] == 1 else f" on {100 * best['fraction']:g} % of the images"
            )
            note = (
                f"{kind_name}{size}, {best['setting']}: the best by validation, with test accuracy"
                f" {best['test_accuracy']:.2%}. Only errors are coloured, on a log scale."
            )
            figure = _confusion(best["confusion"], _CLASSES[dataset])
            views.append(_view(kind_name, f"Confusion of {kind_name} on {name}", figure, note))
        if views:
            yield Chart(f"confusion-{dataset}", f"Confusion on {name}", tuple(views))


def _confusion(counts: list[int], classes: list[str]) -> go.Figure:
    table = np.asarray(counts).reshape(len(classes), len(classes))
    errors = table.astype(float)
    np.fill_diagonal(errors, np.nan)
    wrong = table.astype(str).astype(object)
    np.fill_diagonal(wrong, "")
    heat = go.Heatmap(
        z=np.log10(errors + 1),
        x=classes,
        y=classes,
        text=wrong,
        texttemplate="%{text}",
        colorscale=[[0, "rgba(217,101,43,0.02)"], [1, "rgba(217,101,43,0.85)"]],
        showscale=False,
        hovertemplate="true %{y}, predicted %{x}: %{text}<extra></extra>",
        xgap=1,
        ygap=1,
    )
    diagonal = go.Scatter(
        x=classes,
        y=classes,
        mode="text",
        text=[str(table[i, i]) for i in range(len(classes))],
        hoverinfo="skip",
        showlegend=False,
    )
    category = {"type": "category"}
    return styled(
        [heat, diagonal],
        x={**category, "title": titled("predicted")},
        y={**category, "title": titled("true"), "autorange": "reversed"},
    )


def _view(name: str, alt: str, figure: go.Figure, note: str) -> View:
    # Plotly escapes <, > and /, so the JSON is safe in a script element.
    return View(name, alt, Markup(figure.to_json()), note)
