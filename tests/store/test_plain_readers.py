"""pandas, DuckDB and Polars read the store in one line each, without this package."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest

from tests.store.example_trials import PARAMETERS, trial, write
from tune_mnist.errors import InputError
from tune_mnist.store.schema import TRIALS
from tune_mnist.store.writer import Writer

EXPECTED = {("resnet-1", "t1"), ("svm-1", "t1"), ("svm-1", "t2")}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Path]:
    """A compacted SVM search, and a ResNet search that is being written."""
    write(tmp_path, "svm-1", [trial("t1"), trial("t2")], compact=True)
    with Writer(tmp_path, "resnet-1", {**PARAMETERS, "architecture": str}) as writer:
        writer.append_trial(trial("t1", config={"architecture": "resnet18"}), [])
        (tmp_path / ".writers" / "resnet-1" / "aside").write_bytes(b"half a file")
        yield tmp_path


def answer(query: str) -> list[tuple[Any, ...]]:
    """Return DuckDB's rows."""
    relation = duckdb.sql(query)
    assert relation is not None
    return relation.fetchall()


def test_pandas_reads_every_trial_with_every_column(store: Path) -> None:
    rows = pd.read_parquet(store / "trials")
    assert set(zip(rows["search"], rows["trial"], strict=True)) == EXPECTED
    assert set(rows) >= {*TRIALS.names, *(f"config.{name}" for name in PARAMETERS), "search"}


def test_duckdb_reads_every_trial_with_its_search(store: Path) -> None:
    query = f"select search, trial from '{store}/trials/*/*.parquet'"
    assert set(answer(query)) == EXPECTED


def test_duckdb_ranks_trials(store: Path) -> None:
    query = f"""
        select config, max(val_accuracy) from '{store}/trials/*/*.parquet'
        where "config.C" >= 1 group by config
    """
    assert answer(query) == [('{"C": 1.0, "kernel": "rbf"}', 0.9)]


def test_pandas_and_duckdb_read_a_confusion_as_a_list(tmp_path: Path) -> None:
    write(tmp_path, "a", [trial("t1", confusion=[9, 1, 0, 8]), trial("t2")], compact=True)
    rows = pd.read_parquet(tmp_path / "trials").set_index("trial")
    assert rows.loc["t1", "confusion"].tolist() == [9, 1, 0, 8]
    query = f"select confusion[1] from '{tmp_path}/trials/*/*.parquet' where confusion is not null"
    assert answer(query) == [(9,)]


def test_polars_reads_every_trial_with_its_search(store: Path) -> None:
    polars = pytest.importorskip("polars")
    rows = polars.read_parquet(store / "trials", missing_columns="insert")
    assert set(rows.select("search", "trial").rows()) == EXPECTED


@pytest.mark.parametrize("name", ["epoch", "infinity"])
def test_a_name_that_duckdb_would_read_as_a_date_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=f"'{name}' cannot name a search"):
        Writer(tmp_path, name, PARAMETERS)
