"""The ranking: trials that have a result, best first; for the terminal, JSON, CSV and the page.

Validation accuracy sorts (or the metric asked for), ties go to the faster trial; test accuracy
stands beside and never sorts. Failed trials have no rank; they are counted. Nothing here needs
pandas or Plotly: a ranking in the terminal is answered in the time that pyarrow takes to load.
"""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from tune_mnist.store.reader import top_trials
from tune_mnist.store.schema import TRIALS, column

# One row of the ranking: what stands in it, in this order, with unit and meaning.
RANKING = pa.schema(
    [
        column("rank", pa.int64(), "", "1 is the best on validation; ties go to the faster trial"),
        TRIALS.field("model"),
        TRIALS.field("dataset"),
        column("search", pa.string(), "", "id of the search"),
        TRIALS.field("config"),
        TRIALS.field("val_accuracy"),
        TRIALS.field("test_accuracy"),
        TRIALS.field("train_accuracy"),
        TRIALS.field("wall_time_s"),
        TRIALS.field("device"),
        TRIALS.field("status"),
        TRIALS.field("trial"),
    ]
)

# The hyperparameters that name the kind of model; their values need no key in front.
KINDS = ("architecture", "kernel")


def top_ranking(
    root: Path,
    *,
    top: int,
    metric: str = "val_accuracy",
    mode: Literal["max", "min"] | None = None,
    search: str | None = None,
    dataset: str | None = None,
    model: str | None = None,
) -> pa.Table:
    """Return the best trials of the store as a `RANKING` table, without reading all of it.

    Args and raises: as `store.reader.top_trials`.
    """
    best = top_trials(
        root, top=top, metric=metric, mode=mode, search=search, dataset=dataset, model=model
    )
    return ranking(_numbered(best))


def ranking(ranked: pa.Table) -> pa.Table:
    """Return ranked trials (from `ranked_trials`, or its first rows) as a `RANKING` table."""
    return pa.table({name: ranked[name] for name in RANKING.names}, schema=RANKING)


def ranked_trials(trials: pa.Table) -> pa.Table:
    """Return the trials that have a validation accuracy, best first, with a column `rank`.

    Args:
        trials: rows of the store (`store.reader.read_trials`).
    """
    has_result = pc.and_(
        pc.not_equal(trials["status"], "failed"), pc.is_finite(trials["val_accuracy"])
    )
    order = [
        ("val_accuracy", "descending"),
        ("wall_time_s", "ascending"),
        ("search", "ascending"),
        ("trial", "ascending"),
    ]
    return _numbered(trials.filter(has_result).sort_by(order))


def status_counts(trials: pa.Table) -> dict[str, int]:
    """Return how many trials were completed, stopped (early) and failed, in this order."""
    found = {row["values"]: row["counts"] for row in pc.value_counts(trials["status"]).to_pylist()}
    return {status: found.get(status, 0) for status in ("completed", "stopped", "failed")}


def _numbered(rows: pa.Table) -> pa.Table:
    rank = pa.array(range(1, len(rows) + 1), pa.int64())
    return rows.append_column(RANKING.field("rank"), rank)


def config_text(config: str, *, exact: bool = False) -> str:
    """Return a configuration as a person would write it: "rbf C=10 gamma=scale".

    Args:
        config: JSON object of the hyperparameters, as in the store.
        exact: all digits of every number, not four.
    """
    values = json.loads(config)
    kinds = [str(values.pop(kind)) for kind in KINDS if kind in values]
    written = str if exact else value_text
    return " ".join([*kinds, *(f"{key}={written(value)}" for key, value in values.items())])


def kind_text(model: str, config: str) -> str:
    """Return the model with its architecture or kernel: "resnet18", "svm rbf"."""
    values = json.loads(config)
    kind = " ".join(str(values[name]) for name in KINDS if name in values)
    return kind if kind.startswith(model) else f"{model} {kind}".strip()


def value_text(value: Any) -> str:
    """Return a hyperparameter's value as people see it, a float with four digits at most."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value).lower() if isinstance(value, bool) else str(value)


def heading(field: pa.Field) -> str:
    """Return a column's heading for people: "val_accuracy" reads "val accuracy %"."""
    name = field.name.removeprefix("config.")
    unit = _unit(field)
    if unit == "s":
        name = name.removesuffix("_s")
    return str(name.replace("_", " ")) + (" %" if unit == "fraction" else "")


def meaning(field: pa.Field) -> str:
    """Return what a column holds, as `shown` shows it; wall times name their own units."""
    if field.name == "config":
        return "the hyperparameters"
    text = str(field.metadata[b"meaning"].decode())
    return f"{text} (percent)" if _unit(field) == "fraction" else text


def shown(field: pa.Field, value: Any) -> str:
    """Return a value as a table's cell shows it: percent under a heading that says so."""
    if value is None:
        return "–"
    if field.name == "config":
        return config_text(value)
    if isinstance(value, bool):  # a mark in the rows that its heading is true of
        return heading(field) if value else ""
    unit = _unit(field)
    if unit == "fraction":
        return percent(value).removesuffix("%")
    return duration(value) if unit == "s" else str(value)


def percent(fraction: float) -> str:
    """Return a fraction in percent, with the two digits that thousands of images support."""
    return f"{fraction:.2%}"


def duration(seconds: float) -> str:
    """Return a wall time: "0.42 s", "12.3 s", "12 min 03 s", "2 h 05 min"."""
    if seconds < 9.995:
        return f"{seconds:.2f} s"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02d} min"


def to_json(table: pa.Table) -> str:
    """Return a `RANKING` table as a JSON array: accuracies as fractions, config as an object."""
    return json.dumps(json_rows(table), indent=2, ensure_ascii=False)


def json_rows(table: pa.Table) -> list[dict[str, Any]]:
    """Return a ranking's rows, each with its config as an object."""
    return [row | {"config": json.loads(row["config"])} for row in table.to_pylist()]


def to_csv(table: pa.Table) -> str:
    """Return a `RANKING` table as CSV with a heading: accuracies as fractions, config as text."""
    text = io.StringIO()
    rows = csv.DictWriter(text, table.column_names, lineterminator="\n")
    rows.writeheader()
    for row in table.to_pylist():
        rows.writerow(row | {"config": config_text(row["config"], exact=True)})
    return text.getvalue()


def _unit(field: pa.Field) -> str:
    return str(field.metadata[b"unit"].decode())
