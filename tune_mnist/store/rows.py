"""Turn a trial's Python values into typed Arrow rows, and refuse what fits no column.

A key or value that does not fit is a mistake in our own code. It raises ValueError, and nothing is
written.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa

from tune_mnist.store.rules import STATUSES, broken_rows
from tune_mnist.store.schema import REPORTS, TRIALS

REQUIRED = ("trial", "attempt", "status", "config")


def trial_row(trial: Mapping[str, Any], schema: pa.Schema) -> pa.Table:
    """Return a trial as a table of one row; columns that it does not name are null.

    Args:
        trial: column name to value. `config` is the mapping of its hyperparameters and also fills
            the columns `config.<name>`.
        schema: the result of `trials_schema(...)`.
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
    return _unbroken(_table([values], schema), TRIALS)


def report_rows(
    trial: str, attempt: int, reports: Sequence[Mapping[str, Any]], schema: pa.Schema
) -> pa.Table:
    """Return the rows of a trial's measurements, in their order.

    Raises: ValueError: as for `trial_row`, or a measurement names another trial.
    """
    owner = {"trial": trial, "attempt": attempt}
    for report in reports:
        if any(report.get(key, value) != value for key, value in owner.items()):
            raise ValueError(f"a measurement of {owner} belongs to another trial: {dict(report)}")
    return _unbroken(_table([{**report, **owner} for report in reports], schema), REPORTS)


def _table(rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    unknown = {key for row in rows for key in row} - set(schema.names)
    if unknown:
        raise ValueError(f"not a column of the store: {', '.join(sorted(unknown))}")
    columns = [_column(field, [row.get(field.name) for row in rows]) for field in schema]
    return pa.Table.from_arrays(columns, schema=schema)


def _unbroken(rows: pa.Table, declared: pa.Schema) -> pa.Table:
    for problem in broken_rows(rows, declared).values():
        raise ValueError(problem)
    return rows


def _column(field: pa.Field, values: Iterable[Any]) -> pa.Array:
    """Return the values as an Arrow array; refuse what Arrow would round or reinterpret."""
    plain = [_fitting(field, _plain(value)) for value in values]
    try:
        return pa.array(plain, field.type)
    except (pa.ArrowException, TypeError, OverflowError) as error:
        raise ValueError(f"{field.name}: {error}") from error


def _fitting(field: pa.Field, value: Any) -> Any:
    """Return the value as the column takes it; refuse one that would change on the way."""
    if value is None:
        return None
    type_ = field.type
    if pa.types.is_string(type_) and field.name.startswith("config."):
        return str(value)  # gamma is "scale" or a number; its column is text
    naive = isinstance(value, datetime) and value.tzinfo is None  # Arrow would take it for UTC
    fraction = pa.types.is_integer(type_) and isinstance(value, float) and value % 1 != 0
    mixed = pa.types.is_boolean(type_) != isinstance(value, bool)
    if naive or fraction or mixed:
        raise ValueError(f"{field.name}: {value!r} is not a {type_}")
    return value


def _plain(value: Any) -> Any:
    """Return a NumPy scalar as its Python value; any other value unchanged."""
    return value.item() if hasattr(value, "item") else value
