"""The ranking: trials with a result, best first, for the terminal, JSON, CSV and the page.

Trials of one search are sorted by its goal, others by validation accuracy: winner.py has the order.
Test accuracy is shown but never sorts. Failed trials have no rank; they are counted. Nothing here
imports pandas or Plotly, so the terminal shows a ranking as soon as pyarrow is loaded.
"""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from tune_mnist.data_identity import named_by_content
from tune_mnist.errors import InputError, warn_left_out
from tune_mnist.metrics import ACCURACY, Goal
from tune_mnist.store.plans import read_search
from tune_mnist.store.reader import list_searches, top_trials
from tune_mnist.store.schema import TRIALS, column
from tune_mnist.store.selection import EVERYTHING, Selection
from tune_mnist.winner import best_first
from tune_mnist.wording import clean, config_text, model_text

RANKING = pa.schema(
    [
        column("rank", pa.int64(), "", "1 is the winner; ties go to the faster trial"),
        TRIALS.field("model"),
        TRIALS.field("dataset"),
        TRIALS.field("data_hash"),
        column("search", pa.string(), "", "id of the search"),
        TRIALS.field("config"),
        TRIALS.field("val_accuracy"),
        TRIALS.field("test_accuracy"),
        TRIALS.field("train_accuracy"),
        TRIALS.field("wall_time_s"),
        TRIALS.field("device"),
        column(
            "status",
            pa.string(),
            "",
            "completed, stopped (by the scheduler), or not converged (completed, but the SVM's "
            "solver gave up)",
        ),
        TRIALS.field("trial"),
    ]
)
"""The columns of a ranking, in this order, with their units and meanings."""


LATENCY = "latency_batch_1_s"
_COMPARABLE = ("device", "dataset", "data_hash")
_ALMOST = 0.005  # of the validation accuracy
_FAR_FASTER = 10
NOT_CONVERGED = "not converged"

_FORMULA = (*"=+-@\t\r\n", *"＝＋－＠")
"""How a cell begins that a spreadsheet would evaluate; it strips the white space first."""


def top_ranking(
    root: Path,
    *,
    top: int,
    metric: str = "val_accuracy",
    mode: Literal["max", "min"] | None = None,
    selection: Selection = EVERYTHING,
) -> pa.Table:
    """Return the best trials of a store as a `RANKING` table, without reading the whole store.

    Args and raises: as `store.reader.top_trials`.
    """
    best = top_trials(root, top=top, metric=metric, mode=mode, selection=selection)
    return ranking(_numbered(best))


def goal_of(root: Path, selection: Selection) -> Goal:
    """Return the goal that ranks the selected trials: their search's, if it is one search.

    Trials of several searches are ranked by validation accuracy alone. A record that cannot be read
    is named in a `SkippedWarning`, and its trials are ranked by validation accuracy.
    """
    known = list_searches(root)
    chosen = [selection.search] if selection.search is not None else known
    if len(chosen) != 1 or chosen[0] not in known:
        return ACCURACY
    try:
        return read_search(root, chosen[0]).goal
    except InputError as error:
        warn_left_out(error, "ranked by validation accuracy")
        return ACCURACY


def goal_note(goal: Goal) -> str:
    """Return what decides, for people: "val_loss, then wall_time_s, with wall_time_s <= 60"."""
    limits = " and ".join(map(str, goal.constraints))
    return ", then ".join(goal.objectives) + (f", with {limits}" if limits else "")


def ranking(ranked: pa.Table, goal: Goal = ACCURACY) -> pa.Table:
    """Return ranked trials (rows of `ranked_trials`) as a `RANKING` table.

    The objectives of the goal that `RANKING` lacks stand before the device, balanced accuracy with
    that of the test images. So does the latency of a single image, if any trial has one. Where two
    data sets have the same name, `dataset` has a short hash behind it (data_identity.py).
    """
    ranked = named_by_content(ranked)
    fields = list(RANKING)
    place = RANKING.names.index("device")
    names = [name for name in goal.objectives if name not in RANKING.names]
    if "val_balanced_accuracy" in names:
        names.insert(1 + names.index("val_balanced_accuracy"), "test_balanced_accuracy")
    if LATENCY not in names and ranked[LATENCY].null_count < len(ranked):
        names.append(LATENCY)
    fields[place:place] = [TRIALS.field(name) for name in names]
    schema = pa.schema(fields)
    columns = {name: ranked[name] for name in schema.names} | {"status": shown_status(ranked)}
    return pa.table(columns, schema=schema)


def faster_note(table: pa.Table) -> str:
    """Return which trial is almost as accurate as the first and predicts far faster; "" if none is.

    Latencies compare on one device only. Of several, the most accurate is named.

    Args:
        table: a ranking, best first.
    """
    if LATENCY not in table.column_names or not len(table):
        return ""
    first, *others = table.to_pylist()
    same = [row for row in others if all(row[name] == first[name] for name in _COMPARABLE)]
    faster = [row for row in same if _is_far_faster(row, first)]
    if not faster:
        return ""
    row = max(faster, key=lambda one: float(one["val_accuracy"]))
    points = 100 * (first["val_accuracy"] - row["val_accuracy"])
    how = f"{points:.2f} points less accurate than" if points > 0 else "as accurate as"
    times = first[LATENCY] / row[LATENCY]
    what = model_text(row["model"], row["config"])
    return f"{what} is {how} the first and predicts an image {times:,.0f} times as fast"


def _is_far_faster(row: dict[str, Any], first: dict[str, Any]) -> bool:
    if not row[LATENCY] or not first[LATENCY] or row["status"] != "completed":
        return False
    close = row["val_accuracy"] >= first["val_accuracy"] - _ALMOST
    return bool(close and first[LATENCY] >= _FAR_FASTER * row[LATENCY])


def shown_status(trials: pa.Table) -> pa.ChunkedArray:
    """Return the status of each trial as a ranking shows it."""
    gave_up = pc.and_(
        pc.equal(trials["status"], "completed"), pc.equal(trials["converged"], pa.scalar(False))
    )
    return pc.if_else(pc.fill_null(gave_up, False), NOT_CONVERGED, trials["status"])


def ranked_trials(trials: pa.Table, goal: Goal = ACCURACY) -> pa.Table:
    """Return the trials that have a validation accuracy, best first.

    Args:
        trials: rows of the store (`store.reader.read_trials`).
        goal: which trial is best.
    Returns: the rows with two more columns: `can_win`, and `rank`. The first one is the winner if
        it can win; otherwise there is none.
    """
    has_result = pc.and_(
        pc.not_equal(trials["status"], "failed"), pc.is_finite(trials["val_accuracy"])
    )
    return _numbered(best_first(trials.filter(has_result), goal))


def status_counts(trials: pa.Table) -> dict[str, int]:
    """Return how many trials were completed, stopped (early) and failed, in that order."""
    found = {row["values"]: row["counts"] for row in pc.value_counts(trials["status"]).to_pylist()}
    return {status: found.get(status, 0) for status in ("completed", "stopped", "failed")}


def _numbered(rows: pa.Table) -> pa.Table:
    rank = pa.array(range(1, len(rows) + 1), pa.int64())
    return rows.append_column(RANKING.field("rank"), rank)


def to_json(table: pa.Table) -> str:
    """Return a `RANKING` table as a JSON array: accuracies as fractions, config as an object."""
    return json.dumps(json_rows(table), indent=2)


def json_rows(table: pa.Table) -> list[dict[str, Any]]:
    """Return the rows of a ranking as mappings, their config as a mapping too."""
    return [row | {"config": json.loads(row["config"])} for row in table.to_pylist()]


def to_csv(table: pa.Table) -> str:
    """Return a `RANKING` table as CSV with a header: accuracies as fractions, config as text.

    Texts are cleaned, and one that a spreadsheet would take for a formula gets a quotation mark in
    front, as OWASP advises ("CSV Injection").
    """
    text = io.StringIO()
    rows = csv.DictWriter(text, table.column_names, lineterminator="\n")
    rows.writeheader()
    for row in table.to_pylist():
        row |= {"config": config_text(row["config"], exact=True)}
        rows.writerow({name: _harmless(value) for name, value in row.items()})
    return text.getvalue()


def _harmless(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return clean(f"'{value}" if value.startswith(_FORMULA) else value)
