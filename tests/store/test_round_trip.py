"""Any trial that fits the columns comes back unchanged from real Parquet."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from itertools import count
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tune_mnist.store.plans import SearchRecord
from tune_mnist.store.reader import read_reports, read_trials
from tune_mnist.store.schema import REPORTS, TRIALS
from tune_mnist.store.writer import Writer

PARAMETERS: dict[str, type] = {"kernel": str, "C": float, "degree": int, "shrinking": bool}
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
MOMENT = st.datetimes(datetime(1970, 1, 1), datetime(2261, 12, 31), timezones=st.just(timezone.utc))
VALUES: dict[pa.DataType, st.SearchStrategy[Any]] = {
    pa.string(): TEXT,
    pa.int64(): st.integers(0, 2**53),
    pa.bool_(): st.booleans(),
    pa.float64(): st.floats(0, 1e9),
    pa.list_(pa.int64()): st.lists(st.integers(0, 2**63 - 1), min_size=9, max_size=9),
    pa.list_(pa.float64()): st.lists(st.none() | st.floats(0, 1), max_size=3),
    pa.timestamp("us", tz="UTC"): MOMENT,
}
FRACTION = st.floats(0, 1)
CONFIG = st.fixed_dictionaries(
    {},
    optional={
        "kernel": TEXT,
        "C": st.floats(-1e99, 1e99),
        "degree": st.integers(-(10**17), 10**17),
        "shrinking": st.booleans(),
    },
)
REQUIRED = {"model": "svm", "dataset": "mnist", "wall_time_s": 1.0} | dict.fromkeys(
    ("started", "finished"), datetime(2026, 11, 24, tzinfo=timezone.utc)
)
SET_APART = (
    "trial",
    "attempt",
    "step",
    "status",
    "config",
    "versions",
    "schedule",
    "error",
    *REQUIRED,
)
NUMBERS = count()


def columns(schema: pa.Schema) -> st.SearchStrategy[dict[str, Any]]:
    """Return a strategy for rows: any of the columns, each of its type and range, or null."""
    free = [field for field in schema if field.name not in SET_APART]
    return st.fixed_dictionaries(
        {}, optional={field.name: st.none() | _values(field) for field in free}
    )


def _values(field: pa.Field) -> st.SearchStrategy[Any]:
    fraction = field.metadata[b"unit"] == b"fraction" and pa.types.is_floating(field.type)
    return FRACTION if fraction else VALUES[field.type]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    row=columns(TRIALS),
    config=CONFIG,
    status=st.sampled_from(["completed", "stopped", "failed"]),
    reports=st.lists(columns(REPORTS).map(lambda one: {"step": 1, **one}), max_size=3),
    compact=st.booleans(),
)
def test_trials_and_reports_come_back_as_they_went_in(
    root: Path,
    row: dict[str, Any],
    config: dict[str, Any],
    status: str,
    reports: list[dict[str, Any]],
    compact: bool,
) -> None:
    search = f"s{next(NUMBERS)}"
    given_row = {**REQUIRED, **row, "trial": "t", "attempt": 1, "status": status}
    with Writer(root, search, PARAMETERS) as writer:
        writer.write_search(SearchRecord())
        writer.append_trial(
            {**REQUIRED, "trial": "x", "attempt": 1, "status": "failed", "config": {}}, []
        )
        writer.append_trial({**given_row, "config": config}, reports)
        if compact:
            writer.compact()
    read = read_trials(root, search=search).to_pylist()[-1]
    assert json.loads(read.pop("config")) == config
    expected = {**dict.fromkeys(read), **given_row, "search": search}
    assert read == expected | {f"config.{name}": value for name, value in config.items()}
    owner = {"search": search, "trial": "t", "attempt": 1}
    names = ["search", *REPORTS.names]
    assert read_reports(root, search=search).to_pylist() == [
        {**dict.fromkeys(names), **report, **owner} for report in reports
    ]
