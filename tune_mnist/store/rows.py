"""Turn a trial's Python values into typed Arrow rows, and refuse what fits no column.

A key or value that does not fit is a mistake in our own code. It raises ValueError, and nothing is
written.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

from tune_mnist.store.layout import RowKind
from tune_mnist.store.rules import STATUSES, problem_of

REQUIRED = ("trial", "attempt", "status", "config")


@dataclass(frozen=True)
class Columns:
    """A schema, prepared once to make many small tables of it.

    Args:
        schema: of the tables.
        row: the type of a whole row. Arrow converts a list of such rows in a third of the time
            that one column after the other takes.
        types: the type of each column.
    """

    schema: pa.Schema
    row: pa.StructType
    types: Mapping[str, pa.DataType]


def columns_of(schema: pa.Schema) -> Columns:
    """Return a schema prepared for `trial_row` or `report_rows`."""
    types = dict(zip(schema.names, schema.types, strict=True))
    return Columns(schema, pa.struct(list(schema)), types)


def trial_row(trial: Mapping[str, Any], columns: Columns) -> pa.Table:
    """Return a trial as a table of one row; columns that it does not name are null.

    Args:
        trial: column name to value. `config` is the mapping of its hyperparameters and also fills
            the columns `config.<name>`.
        columns: of `trials_schema(...)`.
    Raises: ValueError: a key or hyperparameter has no column, a required key is missing, the
        status does not exist, a value breaks a rule of `rules.py`, or the column's type cannot
        hold it unchanged.
    """
    missing = [key for key in REQUIRED if trial.get(key) is None]
    if missing:
        raise ValueError(f"trial lacks {', '.join(missing)}")
    if trial["status"] not in STATUSES:
        raise ValueError(f"status {trial['status']!r} is not one of {', '.join(STATUSES)}")
    config = {name: _plain(value) for name, value in trial["config"].items()}
    values = {
        **trial,
        "config": json.dumps(config, sort_keys=True, allow_nan=False),
        **{f"config.{name}": value for name, value in config.items()},
    }
    return _table([values], columns, "trials")


def report_rows(
    trial: str, attempt: int, reports: Sequence[Mapping[str, Any]], columns: Columns
) -> pa.Table:
    """Return the rows of a trial's measurements, in their order.

    Raises: ValueError: as for `trial_row`, or a measurement names another trial.
    """
    owner = {"trial": trial, "attempt": attempt}
    for report in reports:
        if any(report.get(key, value) != value for key, value in owner.items()):
            raise ValueError(f"a measurement of {owner} belongs to another trial: {dict(report)}")
    return _table([{**report, **owner} for report in reports], columns, "reports")


def _table(rows: Sequence[Mapping[str, Any]], columns: Columns, kind: RowKind) -> pa.Table:
    fitting = [_fitting(row, columns.types) for row in rows]
    try:
        whole = pa.array(fitting, columns.row)
    except (pa.ArrowException, TypeError, OverflowError, ValueError):
        for name, type_ in columns.types.items():
            _check_column(name, [row.get(name) for row in fitting], type_)
        raise
    for row in fitting:
        if problem := problem_of(row, kind):
            raise ValueError(problem)
    return pa.Table.from_batches([pa.RecordBatch.from_struct_array(whole)], columns.schema)


def _check_column(name: str, values: Sequence[Any], type_: pa.DataType) -> None:
    """Raise ValueError, with the column's name, if Arrow refuses its values."""
    try:
        pa.array(values, type_)
    except (pa.ArrowException, TypeError, OverflowError, ValueError) as error:
        raise ValueError(f"{name}: {error}") from error


def _fitting(row: Mapping[str, Any], types: Mapping[str, pa.DataType]) -> dict[str, Any]:
    """Return the values as their columns take them.

    Raises: ValueError: a key has no column, or Arrow would round or reinterpret a value.
    """
    if unknown := row.keys() - types.keys():
        raise ValueError(f"not a column of the store: {', '.join(sorted(unknown))}")
    return {
        name: _fitting_value(name, _plain(value), types[name])
        for name, value in row.items()
        if value is not None
    }


def _fitting_value(name: str, value: Any, type_: pa.DataType) -> Any:
    if isinstance(value, str):
        return value
    if type_ == _TEXT and name.startswith("config."):
        return str(value)  # gamma is "scale" or a number; its column is text
    naive = isinstance(value, datetime) and value.tzinfo is None  # Arrow would take it for UTC
    fraction = isinstance(value, float) and value % 1 != 0 and pa.types.is_integer(type_)
    mixed = isinstance(value, bool) != (type_ == _TRUTH)
    untimed = pa.types.is_timestamp(type_) and not isinstance(value, datetime)
    if naive or fraction or mixed or untimed:
        raise ValueError(f"{name}: {value!r} is not a {type_}")
    return value


_TEXT, _TRUTH = pa.string(), pa.bool_()


def _plain(value: Any) -> Any:
    """Return a NumPy scalar as its Python value; any other value unchanged."""
    return value.item() if hasattr(value, "item") else value
