"""Files in the store that are not results: named, never read as results, never fatal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.store.example_trials import PARAMETERS, report, trial, write
from tune_mnist.errors import InputError, SkippedWarning
from tune_mnist.store.layout import live_files, quarantine_folder, rows_folder
from tune_mnist.store.plans import SearchRecord, read_search, read_searches
from tune_mnist.store.reader import read_reports, read_trials, top_trials
from tune_mnist.store.selection import Selection
from tune_mnist.store.writer import Writer

Damage = Callable[[Path], object]


def a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def a_loop(file: Path) -> None:
    file.unlink()
    file.symlink_to(file)


def a_link_to_nothing(file: Path) -> None:
    file.unlink()
    file.symlink_to("/nowhere")


def table(**columns: list[object]) -> Damage:
    return lambda file: pq.write_table(pa.table(columns), file)


FOOTERS: dict[str, Damage] = {
    "truncated": lambda file: file.write_bytes(file.read_bytes()[:-100]),
    "empty": lambda file: file.write_bytes(b""),
    "text": lambda file: file.write_text("trial,val_accuracy\nt9,1.0\n"),
    "NUL": lambda file: file.write_bytes(bytes(5000)),
    "a folder": a_folder,
    "a loop": a_loop,
    "a link to nothing": a_link_to_nothing,
    "others' columns": table(a=[1], val_accuracy=[1.0]),
    "no rows' columns": table(a=[]),
    "wrong type": table(
        trial=["t9"], status=["completed"], wall_time_s=[1.0], step=[1], val_accuracy=["1.0"]
    ),
    "two of one name": lambda file: pq.write_table(
        pa.Table.from_arrays([pa.array(["t9"])] * 2, names=["trial", "trial"]), file
    ),
}
DAMAGES: dict[str, Damage] = {
    **FOOTERS,
    "pages": lambda file: file.write_bytes(
        b"PAR1" + b"\xff" * 2000 + file.read_bytes()[2004:]  # the footer is whole
    ),
}
READERS: dict[str, Callable[[Path], pa.Table]] = {
    "read": read_trials,
    "read one": lambda root: read_trials(root, search="svm"),
    "top": lambda root: top_trials(root, top=9),
    "top by another metric": lambda root: top_trials(root, top=9, metric="wall_time_s"),
    "top of a model": lambda root: top_trials(root, top=9, selection=Selection(model="svm")),
}


def resume(root: Path, numbers: Iterable[int]) -> None:
    with Writer(root, "svm", PARAMETERS, resume=True) as writer:
        for number in numbers:
            writer.append_trial(trial(f"t{number}"), [report(1)])
        writer.compact()


@pytest.fixture
def store(tmp_path: Path) -> Path:
    write(tmp_path, "svm", [trial(f"t{number}") for number in range(3)])
    return tmp_path


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_torn_or_foreign_file_is_named_and_the_others_are_read(
    store: Path, damage: str, reader: str
) -> None:
    number = 1 if reader in ("read one", "top") else 2  # the newest file gives the columns
    file = live_files(rows_folder(store, "trials", "svm"))[number]
    DAMAGES[damage](file)
    with pytest.warns(SkippedWarning, match=f"{file}: left out: .*; restore it") as said:
        trials = READERS[reader](store)["trial"].to_pylist()
    assert trials == ["t0", f"t{3 - number}"]
    assert len({str(warning.message) for warning in said}) == 1


@pytest.mark.parametrize("damage", DAMAGES)
def test_torn_reports_are_named_and_the_others_are_read(store: Path, damage: str) -> None:
    DAMAGES[damage](live_files(rows_folder(store, "reports", "svm"))[0])
    with pytest.warns(SkippedWarning, match="left out"):
        assert read_reports(store)["trial"].to_pylist() == ["t1", "t2"]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_file_with_any_other_name_is_checked_the_same_way(store: Path, damage: str) -> None:
    file = rows_folder(store, "trials", "svm") / "mine.parquet"
    file.write_bytes(live_files(file.parent)[0].read_bytes())
    DAMAGES[damage](file)
    with pytest.warns(SkippedWarning, match="mine.parquet: left out"):
        assert read_trials(store)["trial"].to_pylist() == ["t0", "t1", "t2"]


@pytest.mark.parametrize("damage", DAMAGES)
def test_the_next_writer_puts_it_into_quarantine_and_the_trial_runs_again(
    store: Path, damage: str
) -> None:
    file = live_files(rows_folder(store, "trials", "svm"))[1]
    DAMAGES[damage](file)
    with pytest.warns(SkippedWarning, match=f"{file}: "):
        resume(store, [])
    resume(store, range(3))
    assert [path.name for path in quarantine_folder(store, "svm").glob("trials-*")] == [
        f"trials-{file.name}"
    ]
    assert sorted(read_trials(store)["trial"].to_pylist()) == ["t0", "t1", "t2"]
    assert sorted(read_reports(store)["trial"].to_pylist()) == ["t0", "t1", "t2"]


def test_a_merge_amid_a_search_leaves_a_torn_file_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tune_mnist.store.writer.MERGE_AT", 4)
    write(tmp_path, "svm", [trial("t0"), trial("t1")])
    DAMAGES["pages"](live_files(rows_folder(tmp_path, "trials", "svm"))[1])
    with pytest.warns(SkippedWarning):
        resume(tmp_path, range(2, 7))
    assert read_trials(tmp_path)["trial"].to_pylist() == ["t0", *(f"t{n}" for n in range(2, 7))]


def test_stray_files_beside_the_searches_are_named(store: Path) -> None:
    (store / "trials" / "notes.txt").write_text("mine")
    (store / "trials" / "search=file").write_text("mine")
    (store / "trials" / ".DS_Store").write_text("a Mac's")
    with pytest.warns(SkippedWarning, match="not the folder of a search") as said:
        assert len(read_trials(store)) == 3
    assert len(said) == 2


@pytest.mark.parametrize(
    "plan", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 100_000, bytes(100), b"\xef\xbb\xbf{"]
)
def test_a_record_that_is_not_json_is_named_and_its_trials_are_read(
    store: Path, plan: bytes
) -> None:
    write(store, "other", [trial("t9")])
    (store / "searches" / "svm.json").write_bytes(plan)
    with pytest.warns(SkippedWarning, match=r"svm\.json: left out: is not"):
        assert read_searches(store) == {"other": SearchRecord(search="other")}
    with pytest.raises(InputError, match=r"svm\.json: is not (JSON|a JSON object)"):
        read_search(store, "svm")
    assert len(read_trials(store)) == 4


def test_a_record_that_is_a_folder_is_named(store: Path) -> None:
    (store / "searches" / "odd.json").mkdir()
    with pytest.warns(SkippedWarning, match=r"odd\.json: left out: cannot be read"):
        assert list(read_searches(store)) == ["svm"]


def test_the_command_line_says_it_once_in_one_line_and_succeeds(store: Path) -> None:
    file = live_files(rows_folder(store, "trials", "svm"))[1]
    file.write_bytes(b"torn")
    command = [sys.executable, "-m", "tune_mnist", "leaderboard", "--results", str(store)]
    done = subprocess.run(
        [*command, "--format", "json"],
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "80"},
    )
    assert done.returncode == 0, done.stderr
    assert [row["trial"] for row in json.loads(done.stdout)] == ["t0", "t2"]
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"{file}: left out: ")


def test_a_read_only_store_is_read(store: Path, tmp_path: Path) -> None:
    live_files(rows_folder(store, "trials", "svm"))[1].write_bytes(b"torn")
    before = {path: path.stat().st_mtime_ns for path in store.rglob("*")}
    with pytest.warns(SkippedWarning):
        assert len(read_trials(store)) == 2
    assert {path: path.stat().st_mtime_ns for path in store.rglob("*")} == before
