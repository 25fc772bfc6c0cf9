"""Any trial that fits the columns comes back unchanged from real Parquet."""

from __future__ import annotations

import json
from datetime import timezone
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
VALUES: dict[pa.DataType, st.SearchStrategy[Any]] = {
    pa.string(): TEXT,
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.float64(): st.floats(allow_nan=False),
    pa.list_(pa.int64()): st.lists(st.integers(0, 2**63 - 1), max_size=9),
    pa.timestamp("us", tz="UTC"): st.datetimes(timezones=st.just(timezone.utc)),
}
CONFIG = st.fixed_dictionaries(
    {},
    optional={
        "kernel": TEXT,
        "C": st.floats(allow_nan=False, allow_infinity=False),
        "degree": st.integers(-(2**63), 2**63 - 1),
        "shrinking": st.booleans(),
    },
)
SET_APART = ("trial", "attempt", "status", "config")
NUMBERS = count()


def columns(schema: pa.Schema) -> st.SearchStrategy[dict[str, Any]]:
    """Return a strategy for rows: any of the columns, each of its type or null."""
    free = [field for field in schema if field.name not in SET_APART]
    return st.fixed_dictionaries(
        {}, optional={field.name: st.none() | VALUES[field.type] for field in free}
    )


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    row=columns(TRIALS),
    config=CONFIG,
    status=st.sampled_from(["completed", "stopped", "failed"]),
    reports=st.lists(columns(REPORTS), max_size=3),
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
    given_row = {**row, "trial": "t", "attempt": 1, "status": status}
    with Writer(root, search, PARAMETERS) as writer:
        writer.write_search(SearchRecord())
        writer.append_trial({"trial": "x", "attempt": 1, "status": "failed", "config": {}}, [])
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
