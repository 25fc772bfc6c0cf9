"""Recorded grids and a simulated clock: a search's whole course in milliseconds, without training.

Reads benchmarks/tables/*.csv (`record_tables.py`; report_*.csv are the technical report's own
figures). Imports nothing of tune_mnist, so that a peer's own virtualenv can run it.
"""

from __future__ import annotations

import heapq
import itertools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pandas as pd

TABLES = Path(__file__).with_name("tables")
WORKERS = 2

Config = dict[str, Any]
Trace = list[tuple[float, float]]
"""(seconds, regret of the best completed trial so far) at each improvement."""


@dataclass(frozen=True)
class Parameter:
    """The values of a hyperparameter in a grid, and under which values of another it is there."""

    values: tuple[Any, ...]
    when: tuple[str, tuple[Any, ...]] | None = None


@dataclass(frozen=True)
class Point:
    """A configuration: validation accuracy at each rung, and the seconds from rung to rung."""

    accuracies: tuple[float, ...]
    seconds: tuple[float, ...]


@dataclass(frozen=True)
class Table:
    """A recorded grid.

    Args:
        name, model: what it is of.
        parameters: of its configurations.
        rungs: fidelities, ascending; one of them where only whole trials are recorded.
        points: by `key` of a configuration.
        noise: standard deviation of one run's accuracy over seeds, near the top; 0 for an SVM.
    """

    name: str
    model: str
    parameters: Mapping[str, Parameter]
    rungs: tuple[float, ...]
    points: Mapping[str, Point]
    noise: float

    @property
    def best(self) -> float:
        """The highest accuracy of a whole trial."""
        return max(point.accuracies[-1] for point in self.points.values())

    def grid_seconds(self) -> float:
        """Return how long the workers take over every whole trial, in the table's order."""
        free = [0.0] * WORKERS
        for point in self.points.values():
            heapq.heapreplace(free, free[0] + point.seconds[-1] if self.model == "svm" else
                              free[0] + sum(point.seconds))  # fmt: skip
        return max(free)

    def active(self, config: Mapping[str, Any]) -> Config:
        """Return the configuration without what is not there under its other values."""
        return {
            name: config[name]
            for name, one in self.parameters.items()
            if name in config and (one.when is None or config.get(one.when[0]) in one.when[1])
        }


def key(config: Mapping[str, Any]) -> str:
    return json.dumps(config, sort_keys=True)


class Rival(Protocol):
    """Anything that proposes configurations; `report` says whether a trial may go on."""

    def ask(self) -> tuple[Any, Config] | None: ...

    def report(self, trial: Any, rung: int, fidelity: float, accuracy: float) -> bool: ...

    def tell(self, trial: Any, accuracy: float, *, stopped: bool) -> None: ...


def replay(rival: Rival, table: Table, horizon: float, *, rungs: bool) -> Trace:
    """Run a search on the simulated clock until `horizon` seconds; proposing takes no time.

    Args:
        rival: who proposes.
        table: what is proposed from.
        horizon: simulated seconds, after which nothing counts.
        rungs: whether trials stop at each rung and pay for each: an SVM trains at each of them
            anew, a ResNet goes on. Without, a trial costs what its last rung costs alone.
    """
    running: list[tuple[float, int, Any, Point, int]] = []
    order = itertools.count()
    trace: Trace = [(0.0, table.best)]

    def begin(now: float) -> None:
        asked = rival.ask() if now < horizon else None
        if asked is not None:
            point = table.points[key(table.active(asked[1]))]
            rung = 0 if rungs else len(table.rungs) - 1
            whole = point.seconds[-1] if table.model == "svm" else sum(point.seconds)
            took = point.seconds[0] if rungs else whole
            heapq.heappush(running, (now + took, next(order), asked[0], point, rung))

    for _ in range(WORKERS):
        begin(0.0)
    while running:
        now, _, trial, point, rung = heapq.heappop(running)
        if now > horizon:
            break
        accuracy, last = point.accuracies[rung], rung == len(table.rungs) - 1
        goes_on = rival.report(trial, rung, table.rungs[rung], accuracy) if rungs else True
        if not last and goes_on:
            heapq.heappush(running, (now + point.seconds[rung + 1], next(order), trial, point,
                                     rung + 1))  # fmt: skip
            continue
        rival.tell(trial, accuracy, stopped=not last)
        if last and table.best - accuracy < trace[-1][1]:
            trace.append((now, table.best - accuracy))
        begin(now)
    return trace


def time_to(trace: Trace, regret: float) -> float:
    """Return when the regret was first as low; infinity if never."""
    return next((at for at, reached in trace if reached <= regret + 1e-9), math.inf)


def regret_at(trace: Trace, seconds: float) -> float:
    """Return the regret after so many seconds."""
    return [regret for at, regret in trace if at <= seconds][-1]


def load(name: str) -> Table:
    """Return one of `NAMES`."""
    if name.startswith("report_"):
        return _report(name)
    frame = pd.read_csv(TABLES / f"{name}.csv")
    return _svm(name, frame) if name.startswith("svm") else _resnet(name, frame)


NAMES = ("svm_digits", "svm_mnist", "resnet_digits", "report_mnist", "report_fashion_mnist")


def _svm(name: str, frame: pd.DataFrame) -> Table:
    frame["gamma"] = [text if text == "scale" else float(text) for text in frame["gamma"]]
    columns = ("kernel", "C", "gamma", "degree")
    parameters = {
        "kernel": Parameter(tuple(sorted(frame["kernel"].unique()))),
        "C": Parameter(tuple(sorted(frame["C"].unique().tolist()))),
        "gamma": Parameter(
            tuple(dict.fromkeys(g for g in frame["gamma"] if g == g)),
            ("kernel", ("poly", "rbf", "sigmoid")),
        ),
        "degree": Parameter((2, 3, 4), ("kernel", ("poly",))),
    }
    rungs = tuple(sorted(frame["fidelity"].unique().tolist()))
    points = _points(frame, columns, rungs, cumulative=False)
    return Table(name, "svm", parameters, rungs, points, noise=0.0)


def _resnet(name: str, frame: pd.DataFrame) -> Table:
    columns = ("batch_size", "optimizer", "learning_rate")
    last = frame[frame["fidelity"] == frame["fidelity"].max()]
    by_seed = last.groupby(list(columns))["val_accuracy"].agg(["mean", "var", "count"])
    top = by_seed[(by_seed["count"] > 1) & (by_seed["mean"] > 0.95)]
    rungs = (1.0, 2.0, 4.0, 8.0)
    first = frame[(frame["seed"] == 0) & frame["fidelity"].isin(rungs)]
    parameters = {one: Parameter(tuple(sorted(frame[one].unique().tolist()))) for one in columns}
    points = _points(first, columns, rungs, cumulative=True)
    return Table(name, "resnet", parameters, rungs, points, math.sqrt(top["var"].mean()))


def _points(
    frame: pd.DataFrame, columns: Sequence[str], rungs: Sequence[float], *, cumulative: bool
) -> dict[str, Point]:
    found: dict[str, Point] = {}
    for _, rows in frame.sort_values("fidelity").groupby(list(columns), dropna=False, sort=False):
        row = rows.iloc[0]
        config = {n: _plain(row[n]) for n in columns if row[n] == row[n]}
        if "degree" in config:
            config["degree"] = int(config["degree"])
        seconds = rows["wall_time_s"].tolist()
        if cumulative:
            seconds = [after - before for before, after in itertools.pairwise([0.0, *seconds])]
        if len(seconds) == len(rungs):
            found[key(config)] = Point(tuple(rows["val_accuracy"]), tuple(seconds))
    return found


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


def _report(name: str) -> Table:
    """Return the technical report's 64 ResNets on one data set; its rerun shows a run's noise."""
    grid = pd.read_csv(TABLES / "report_resnet_grid.csv")
    rerun = pd.read_csv(TABLES / "report_resnet_grid_rerun.csv")
    columns = ["Dataset", "Batch Size", "Optimizer", "Learning Rate", "Epochs", "Pin Memory"]
    both = grid.merge(rerun, on=columns, suffixes=("", " again"))
    differences = pd.concat(
        [
            both[f"{net} Acc (%)"] - both[f"{net} Acc (%) again"]
            for net in ("ResNet-18", "ResNet-50")
        ]
        if "ResNet-18 Acc (%) again" in both
        else []
    )
    wanted = "MNIST" if name == "report_mnist" else "FashionMNIST"
    points: dict[str, Point] = {}
    for _, row in grid[grid["Dataset"] == wanted].iterrows():
        for net in ("ResNet-18", "ResNet-50"):
            config = {
                "architecture": net.replace("-", "").lower(),
                "batch_size": int(row["Batch Size"]),
                "optimizer": str(row["Optimizer"]).lower(),
                "learning_rate": float(row["Learning Rate"]),
                "epochs": int(row["Epochs"]),
                "pin_memory": bool(row["Pin Memory"]),
            }
            accuracy = float(row[f"{net} Val Acc (%)"]) / 100
            points[key(config)] = Point((accuracy,), (60 * float(row[f"{net} Time (min)"]),))
    names = list(json.loads(next(iter(points))))
    values = {n: sorted({json.loads(one)[n] for one in points}) for n in names}
    noise = float(differences.abs().median()) / 100 / (0.6745 * math.sqrt(2))
    parameters = {n: Parameter(tuple(values[n])) for n in names}
    return Table(name, "resnet", parameters, (1.0,), points, noise)
