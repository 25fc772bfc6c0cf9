"""A row or file that breaks a rule is named and left out by every reader; no writer writes one."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.store.example_trials import BEGAN, PARAMETERS, report, trial, write
from tests.store.mutations import FRACTIONS, LISTS, NUMBERS, TEXTS, WHOLE
from tune_mnist.actions.status import status
from tune_mnist.errors import InputError, SkippedWarning
from tune_mnist.store.layout import ROW_KINDS, RowKind, live_files, rows_folder
from tune_mnist.store.plans import read_search, read_searches
from tune_mnist.store.reader import read_reports, read_trials, top_trials
from tune_mnist.store.rules import broken_rows, problem_of
from tune_mnist.store.schema import DECLARED
from tune_mnist.store.writer import Writer

LATE = datetime(2300, 1, 1, tzinfo=timezone.utc)
ODD: list[tuple[str, Any]] = [
    *(("trial", None), ("trial", ""), ("status", None), ("status", "running"), ("attempt", 0)),
    *(("wall_time_s", None), ("wall_time_s", float("nan")), ("wall_time_s", -1.0)),
    *(("val_accuracy", 1.5), ("val_accuracy", float("nan")), ("test_accuracy", -0.1)),
    *(("config", None), ("config", "{"), ("config", "[]"), ("config", '{"C": NaN}')),
    *(("config", '{"C": [1]}'), ("config", '{"C": 1e999}'), ("config", '{"C": "\\ud800"}')),
    *(("versions", "5"), ("versions", '{"python": {}}'), ("schedule", "{}"), ("error", " ")),
    *(("model", None), ("dataset", None), ("started", None), ("finished", LATE)),
    *(("parameters", 2**62), ("cpus", -1.0), ("fidelity", float("inf"))),
    *(("confusion", [1, 2]), ("confusion", [1, None, 2, 3]), ("confusion", [-1])),
    *(("recall", [0.5, 1.5]), ("recall", [float("nan")]), ("val_balanced_accuracy", 1.5)),
]
READERS: dict[str, Callable[[Path], pa.Table]] = {
    "read": read_trials,
    "read one column": lambda root: read_trials(root, columns=["trial"]),
    "top": lambda root: top_trials(root, top=3, metric="val_loss", mode="max"),
}


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Return a store of a merged search; the second of its three trials has the highest loss."""
    losses = {"t0": 0.5, "t1": 0.9, "t2": 0.7}
    rows = [trial(name, val_loss=loss) for name, loss in losses.items()]
    write(tmp_path, "svm", rows, compact=True)
    return tmp_path


def change(file: Path, name: str, value: Any) -> None:
    """Give the middle row of a file a value that no writer of ours would."""
    rows = pq.ParquetFile(file).read()
    values = rows[name].to_pylist()
    values[1] = value
    field = rows.schema.field(name)
    changed = rows.set_column(rows.column_names.index(name), field, pa.array(values, field.type))
    pq.write_table(changed, file)


def test_a_populations_schedule_is_read_as_it_was_written(tmp_path: Path) -> None:
    schedule = '[[0, {"learning_rate": 0.1}], [2, {"learning_rate": 0.05}]]'
    write(tmp_path, "net", [trial("t0", schedule=schedule)])
    assert read_trials(tmp_path)["schedule"].to_pylist() == [schedule]


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(("name", "value"), ODD)
def test_a_row_that_breaks_a_rule_is_named_and_the_others_are_read(
    store: Path, name: str, value: Any, reader: str
) -> None:
    (file,) = live_files(rows_folder(store, "trials", "svm"))
    change(file, name, value)
    with pytest.warns(SkippedWarning, match=f"{file}: left out trial .*: its {name} is ") as said:
        rows = READERS[reader](store)
    expected = ["t2", "t0"] if reader == "top" else ["t0", "t2"]
    assert rows["trial"].to_pylist() == expected
    assert len({str(one.message) for one in said}) == 1


def test_a_failed_trial_may_lack_its_time(store: Path) -> None:
    with Writer(store, "svm", PARAMETERS, resume=True) as writer:
        lacking = trial("t3", None, status="failed", error="it broke", wall_time_s=None)
        writer.append_trial(lacking, [])
    assert len(read_trials(store)) == 4


def test_a_measurement_that_breaks_a_rule_is_named(store: Path) -> None:
    (file,) = live_files(rows_folder(store, "reports", "svm"))
    change(file, "val_accuracy", 7.0)
    with pytest.warns(SkippedWarning, match="left out trial t1: its val_accuracy is not a number"):
        assert read_reports(store)["trial"].to_pylist() == ["t0", "t2"]


def test_a_resumed_search_runs_a_trial_again_whose_row_is_left_out(store: Path) -> None:
    (file,) = live_files(rows_folder(store, "trials", "svm"))
    change(file, "config", "{")
    with pytest.warns(SkippedWarning, match="left out trial t1"):
        writer = Writer(store, "svm", PARAMETERS, resume=True)
    with writer:
        writer.append_trial(trial("t1"), [report(1)])
    with pytest.warns(SkippedWarning):
        assert sorted(read_trials(store)["trial"].to_pylist()) == ["t0", "t1", "t2"]


@pytest.mark.parametrize(
    ("name", "value"),
    [("val_accuracy", 1.5), ("wall_time_s", None), ("versions", "{"), ("model", None)],
)
def test_no_row_is_written_that_would_be_left_out(store: Path, name: str, value: Any) -> None:
    with Writer(store, "other", PARAMETERS) as writer, pytest.raises(ValueError, match=name):
        writer.append_trial(trial("t9", **{name: value}), [])


def odd_of(field: pa.Field) -> tuple[Any, ...]:
    """Return odd values that a column of this type can hold."""
    if pa.types.is_floating(field.type):
        return (*NUMBERS, 1.0, 1e9, 2.0**53)
    if pa.types.is_integer(field.type):
        return (*WHOLE, 2**31, 2**53)
    if pa.types.is_timestamp(field.type):
        return (
            None,
            LATE,
            BEGAN,
            *(datetime(year, 1, 1, tzinfo=timezone.utc) for year in (1969, 1970, 2262)),
        )
    if pa.types.is_list(field.type):
        return FRACTIONS if pa.types.is_floating(field.type.value_type) else LISTS
    return (None, True) if pa.types.is_boolean(field.type) else (*TEXTS, "\t", "\v", "\u00a0")


@pytest.mark.parametrize("kind", ROW_KINDS)
def test_a_row_is_refused_on_writing_exactly_if_it_would_be_left_out_on_reading(
    kind: RowKind,
) -> None:
    declared = DECLARED[kind]
    row = trial("t0", config='{"C": 1.0}') if kind == "trials" else report(1) | {"trial": "t0"}
    rows = [row | {"attempt": 1, f.name: odd} for f in declared for odd in odd_of(f)]
    rows = [row for row in rows if row.get("status", "failed") is not None]  # refused before
    broken = broken_rows(pa.Table.from_pylist(rows, declared), kind)
    assert 10 < len(broken) < len(rows)
    for index, row in enumerate(rows):
        assert problem_of(row, kind) == broken.get(index)


def test_a_column_of_another_type_than_in_most_files_is_named(tmp_path: Path) -> None:
    for search in ("a", "b", "c"):
        write(tmp_path, search, [trial(f"of-{search}")])
    (file,) = live_files(rows_folder(tmp_path, "trials", "a"))
    rows = pq.ParquetFile(file).read()
    place = rows.column_names.index("config.C")
    pq.write_table(rows.set_column(place, "config.C", pa.array(["one"])), file)
    for read in (read_trials, lambda root: top_trials(root, top=9)):
        with pytest.warns(SkippedWarning, match=f"{file}: left out: its column 'config.C'"):
            assert read(tmp_path)["trial"].to_pylist() == ["of-b", "of-c"]


def bomb(file: Path, rows: int) -> None:
    """Write a small file whose rows share one long text."""
    one = pq.ParquetFile(file).read().slice(0, 1)
    columns = {name: one[name].combine_chunks() for name in one.column_names}
    long = pa.array([f'{{"kernel": "{"x" * 300_000}"}}'])
    table = {
        name: pa.DictionaryArray.from_arrays(np.zeros(rows, np.int32), long)
        if name == "config"
        else pa.repeat(values[0], rows)
        for name, values in columns.items()
    }
    pq.write_table(pa.table(table), file, compression="zstd", store_schema=False)


@pytest.mark.parametrize("reader", READERS)
def test_a_small_file_that_would_fill_the_memory_is_named_and_not_read(
    store: Path, reader: str
) -> None:
    write(store, "other", [trial("t9", val_loss=0.1)])
    (file,) = live_files(rows_folder(store, "trials", "svm"))
    bomb(file, 20_000)  # 6 GB
    assert file.stat().st_size < 100_000
    before = pa.total_allocated_bytes()
    pa.default_memory_pool().release_unused()
    with pytest.warns(SkippedWarning, match=f"{file}: left out: would take more than 4 GiB"):
        assert READERS[reader](store)["trial"].to_pylist() == ["t9"]
    assert pa.total_allocated_bytes() - before < 10**8


READS = """
import sys, warnings
from pathlib import Path
from tune_mnist.store.reader import read_trials, top_trials
root = Path(sys.argv[1])
warnings.simplefilter("always")
assert len(read_trials(root, dataset="mnist")) == 1
assert len(top_trials(root, top=5)) == 1
"""
REPETITION = {"optional": b"\x25\x02", "required": b"\x25\x00"}
"""What stands before the length and name of a column in the footer, as Thrift writes it."""


@pytest.mark.parametrize("column", ["dataset", "val_accuracy", "config", "wall_time_s"])
def test_a_flipped_bit_in_a_footer_that_would_end_the_process_is_named(
    store: Path, column: str
) -> None:
    write(store, "other", [trial("t9")])
    (file,) = live_files(rows_folder(store, "trials", "svm"))
    name = bytes([0x18, len(column)]) + column.encode()
    flipped = file.read_bytes().replace(
        REPETITION["optional"] + name, REPETITION["required"] + name
    )
    assert flipped != file.read_bytes()
    file.write_bytes(flipped)
    done = subprocess.run([sys.executable, "-c", READS, str(store)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert f"{file}: left out: cannot be read as Parquet" in done.stderr


def test_a_file_with_too_many_rows_is_named(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tune_mnist.store.catalog.MOST_ROWS", 2)
    with pytest.warns(SkippedWarning, match="has 3 rows; at most 2 can be"):
        assert len(read_trials(store)) == 0


RECORDS = [
    ({"ended": {}}, "ended.reason"),
    ({"ended": {"reason": "done", "at": "soon"}}, "ended.at"),
    ({"started": "2026-11-24T09:30:00"}, "started"),
    ({"started": "9999-12-31T23:59:59+00:00"}, "started"),
    ({"space": {"search": 5}}, "space.search"),
    ({"space": {"search": {"retries": "many"}}}, "space.search.retries"),
    ({"space": {"name": ["x"]}}, "space.name"),
    ({"search": "other"}, "another search"),
    ({"dataset": "\ud800"}, "JSON"),
]


@pytest.mark.parametrize(("content", "named"), RECORDS)
def test_a_record_that_breaks_a_rule_is_named_and_the_others_are_shown(
    store: Path, content: dict[str, Any], named: str
) -> None:
    write(store, "sound", [])
    (store / "searches" / "svm.json").write_text(json.dumps(content))
    with pytest.warns(SkippedWarning, match=rf"svm\.json.*{named}"):
        assert [one.search for one in status(store)] == ["sound"]
    with pytest.raises(InputError, match=named):
        read_search(store, "svm")


def test_a_record_too_large_to_be_one_is_named_and_not_read(store: Path) -> None:
    with (store / "searches" / "svm.json").open("wb") as file:
        file.truncate(2**40)
    with pytest.warns(SkippedWarning, match=r"svm\.json: left out: is larger than 256 MiB"):
        assert read_searches(store) == {}


@pytest.mark.parametrize("name", ["a b", "5", "\udcff", "-x"])
def test_a_name_that_no_search_can_have_is_left_out(store: Path, name: str) -> None:
    (store / "searches" / f"{name}.json").write_text("{}")
    rows_folder(store, "trials", name).mkdir()
    with pytest.warns(SkippedWarning, match="left out: not the"):
        assert [one.search for one in status(store)] == ["svm"]
