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
from tune_mnist.store.selection import EVERYTHING, Selection
from tune_mnist.wording import config_text

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


def top_ranking(
    root: Path,
    *,
    top: int,
    metric: str = "val_accuracy",
    mode: Literal["max", "min"] | None = None,
    selection: Selection = EVERYTHING,
) -> pa.Table:
    """Return the best trials of the store as a `RANKING` table, without reading all of it.

    Args and raises: as `store.reader.top_trials`.
    """
    best = top_trials(root, top=top, metric=metric, mode=mode, selection=selection)
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
