"""Write to the store: one `Writer` per search; a trial is on disk when `append_trial` returns.

    with Writer(Path("results"), "svm-1", {"C": float}) as writer:
        writer.write_search(record)
        writer.append_trial(trial, reports)

`root` may be the copy of a store in a bucket (`files/place.py`); how files come and go there is in
`files/objects.py`. In a local folder:

Each trial is a small file of its own. It is written aside, fsynced and renamed into place, and its
folder is fsynced: first the trial's measurements, then its row. Every 256 such files are merged
into one; `compact` merges all. layout.py says why our readers neither see a row twice nor miss one.
A plain reader (pandas, DuckDB) can see rows twice if it lists the folder in the milliseconds
between the arrival of a merged file and the removal of the old ones. It gets FileNotFoundError for
a file that is removed between listing and reading. The store's next writer tidies up what a killed
one left.

A full or read-only disk raises `StoreError`, at whatever step it shows. Everything written earlier
is whole, the half-written file is gone, and the same call works again once there is room.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tune_mnist.errors import Fault, InputError, input_error
from tune_mnist.store.catalog import ForeignFilesError, stored_schema
from tune_mnist.store.files.bucket import BucketError
from tune_mnist.store.files.folder import Folder, Put
from tune_mnist.store.files.lease import TakenError
from tune_mnist.store.files.objects import Objects
from tune_mnist.store.files.place import copy_of
from tune_mnist.store.layout import (
    ROW_KINDS,
    RowKind,
    candidates_folder,
    checkpoints_folder,
    file_name,
    is_search_name,
    live_files,
    merged_name,
    numbers,
    record_file,
    rows_folder,
)
from tune_mnist.store.merge import row_groups
from tune_mnist.store.plans import Ended, SearchRecord, read_search
from tune_mnist.store.proposals import Proposal
from tune_mnist.store.quarantine import quarantine_torn, quarantine_unreadable
from tune_mnist.store.reader import read_trials
from tune_mnist.store.rows import Columns, columns_of, report_rows, trial_row
from tune_mnist.store.schema import REPORTS, trials_schema

MERGE_AT = 256  # small files: limits how many a reader opens
SMALL: dict[str, Any] = {"compression": "none", "use_dictionary": False}  # halves a row's time
MERGED: dict[str, Any] = {"compression": "zstd"}


class StoreError(InputError):
    """The store cannot be written: the disk is full, read-only or gone, or access is denied."""


class SearchTakenError(StoreError):
    """Another process has taken the search over; this one must leave it alone."""


class Writer:
    """The only process that writes a search; not for use from two threads at once.

    Args:
        root: the store's folder; created if it is missing.
        search: the search's id, which names its folders.
        parameters: the name and Python type of every hyperparameter of every model.
        resume: continue a search that is already in the store, instead of refusing its name.
    Raises:
        InputError: the name cannot be used, is taken, or is being written.
        StoreError: the folder cannot be written.
    """

    def __init__(
        self, root: Path, search: str, parameters: Mapping[str, type], *, resume: bool = False
    ) -> None:
        check_search_name(search)
        self._root, self._search = root.resolve(), search
        copy = copy_of(self._root)
        self._files = Objects(copy, search) if copy else Folder(self._root, search)
        try:
            self._files.open(resume)
        except OSError as error:
            problem = f"the results folder cannot be written: {error}"
            fix = "make it writable, or choose another `results` folder"
            raise StoreError([Fault(str(root), "", problem, fix)]) from error
        try:
            with self._writing("the search"):
                self._take_stock(parameters)
                while self._files.to_fence:
                    self._fence()
                    self._take_stock(parameters)
        except BaseException:
            self.close()
            raise

    def _take_stock(self, parameters: Mapping[str, type]) -> None:
        """Move unreadable files out of the way, then find out which trials are there."""
        quarantine_unreadable(self._files)
        spans = self._spans("trials")
        self._next = 1 + max((last for _, last in spans), default=-1)
        self._unmerged = 1 + max((last for first, last in spans if first < last), default=-1)
        self._recent: dict[Path, pa.Table] = {}  # rows of small files: reading one takes 1 ms
        self._columns: dict[RowKind, Columns] = {
            "reports": columns_of(self._schema("reports", REPORTS)),
            "trials": columns_of(self._schema("trials", trials_schema(parameters))),
        }
        done = read_trials(self._root, search=self._search, columns=["trial", "attempt"])
        self._done = set(zip(*(column.to_pylist() for column in done), strict=True))

    def _fence(self) -> None:
        """Put files without rows at the next numbers, which an earlier writer can then not use."""
        try:
            for kind in reversed(ROW_KINDS):
                target = rows_folder(self._root, kind, self._search)
                target /= file_name(self._next, self._next)
                # What it measured of a trial whose row is now kept out counts no more.
                put: Put = "new" if kind == "trials" else "over"
                with self._files.appearing(target, put) as file:
                    pq.write_table(self._columns[kind].schema.empty_table(), file, **SMALL)
            self._files.to_fence = False
        except TakenError:  # its row was there first, and counts
            self._files.refresh()

    @property
    def lease_age_s(self) -> float | None:
        """Seconds since the right to write was renewed on an object store; None in a folder."""
        return self._files.lease_age_s

    @property
    def search(self) -> str:
        """The search's id."""
        return self._search

    @property
    def root(self) -> Path:
        """The store's folder."""
        return self._root

    @property
    def checkpoints(self) -> Path:
        """The folder for the states that the search's trials save; the caller creates it."""
        return checkpoints_folder(self._root, self._search)

    @property
    def candidates(self) -> Path:
        """The folder where trials write models that may be kept; the caller creates it."""
        return candidates_folder(self._root, self._search)

    def models(self) -> set[str]:
        """Return the trials whose models are there."""
        with self._writing("the saved models"):
            return self._files.models()

    def keep_model(self, trial: str, candidate: Path) -> None:
        """Let a model become the one of a trial, before the trial's row is stored.

        Args:
            trial: the trial's id.
            candidate: a sealed folder below `candidates`, which moves.

        Raises: StoreError: the disk refuses it.
        """
        with self._writing(f"the model of trial {trial}"):
            self._files.keep_model(candidate, trial)

    def drop_models(self, trials: Iterable[str]) -> None:
        """Remove the models of some trials. Raises: StoreError: the disk refuses it."""
        with self._writing("the saved models"):
            self._files.drop_models(trials)

    def write_search(self, record: SearchRecord) -> None:
        """Write the record; the search is in the store from here on.

        Raises: StoreError: the disk refuses it.
        """
        with (
            self._writing("the record of the search"),
            self._files.appearing(record_file(self._root, self._search), "changed") as file,
        ):
            file.write(record.to_json().encode())

    def append_trial(self, trial: Mapping[str, Any], reports: Sequence[Mapping[str, Any]]) -> None:
        """Put a trial and its measurements on disk; the same attempt is written only once.

        Args:
            trial: column to value. `trial`, `attempt`, `status` and `config` (a mapping) are
                required; any other column that is missing becomes null.
            reports: the measurements, each column to value; trial and attempt are filled in.
        Raises:
            ValueError: an unknown key, or a value that its column cannot hold.
            StoreError: the disk refuses it.
        """
        row = trial_row(trial, self._columns["trials"])
        key = (str(trial["trial"]), int(trial["attempt"]))
        if key in self._done:
            return
        rows: dict[RowKind, pa.Table] = {
            "reports": report_rows(*key, reports, self._columns["reports"]),
            "trials": row,
        }
        with self._writing(f"trial {key[0]}"):
            self._append(key, rows)
        if self._next - self._unmerged >= MERGE_AT:
            # A merge that fails can wait: the trial is safe, and the next append tries again.
            with suppress(OSError):
                self._merge(self._unmerged)

    def _append(self, key: tuple[str, int], rows: Mapping[RowKind, pa.Table]) -> None:
        for kind in ROW_KINDS:
            promised = kind == "trials" and self._files.promising
            best = _best_of(rows[kind]) if promised else None
            folder = rows_folder(self._root, kind, self._search)
            target = folder / file_name(self._next, self._next, best)
            try:
                with self._files.appearing(target, "new") as file:
                    pq.write_table(rows[kind], file, **SMALL)
            finally:
                if kind == "trials" and target.exists():  # even if syncing its folder failed
                    self._done.add(key)
                    self._next += 1
            self._recent[target] = rows[kind]

    def append_proposal(self, proposal: Proposal) -> None:
        """Put a proposal of the sampler on disk, before its trial starts.

        `read_list` reads it back.

        Raises:
            ValueError: it cannot be written as JSON.
            StoreError: the disk refuses it.
        """
        with self._writing("a proposal"):
            self._files.append_proposal(proposal)

    def repair_proposals(self, proposals: Iterable[Proposal]) -> None:
        """Write the whole list of proposals anew; a copy of the damaged one is kept.

        Raises: StoreError: the disk refuses it; the list is as it was.
        """
        with self._writing("the list of proposals"):
            self._files.repair_proposals(proposals)

    def end_search(self, reason: str) -> None:
        """Write into the record that the search has ended, why, and when (UTC)."""
        record = read_search(self._root, self._search)
        ended = Ended(reason=reason, at=datetime.now(timezone.utc).isoformat())
        self.write_search(record.model_copy(update={"ended": ended}))

    def compact(self) -> None:
        """Merge the search's files into one of trials and one of reports, once it has ended.

        Raises: StoreError: the disk refuses it; every row is still there.
        """
        with self._writing("the merged files"):
            self._merge(0)
            self._files.compact_proposals()

    def close(self) -> None:
        """Release the search to other writers; a second call does nothing."""
        self._files.close()

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _spans(self, kind: RowKind) -> dict[tuple[int, int], Path]:
        """Return our files by first and last trial, without reports whose trial was not stored."""
        files = live_files(rows_folder(self._root, kind, self._search))
        spans = {span: file for file in files if (span := numbers(file.name))}
        return spans if kind == "trials" else {s: f for s, f in spans.items() if s[1] < self._next}

    def _schema(self, kind: RowKind, declared: pa.Schema) -> pa.Schema:
        """Return the declared columns, and any others that this search's files have."""
        newest = list(self._spans(kind).values())[-1:]
        both = [declared, stored_schema(kind, newest)]
        return pa.unify_schemas(both, promote_options="permissive")

    def _merge(self, start: int) -> None:
        """Merge the files of the trials from number `start` on, and remove the old files."""
        self._files.tidy()  # what a failed merge left
        for kind in ROW_KINDS:
            try:
                self._merge_kind(kind, start)
            except ForeignFilesError:
                quarantine_torn(self._files)
                self._merge_kind(kind, start)
        self._unmerged = self._next

    def _merge_kind(self, kind: RowKind, start: int) -> None:
        files = [file for span, file in self._spans(kind).items() if span[0] >= start]
        if len(files) > 1:
            self._files.check()
            name = merged_name([file.name for file in files])
            if kind == "trials" and not self._files.promising:
                columns = ["status", "val_accuracy", "wall_time_s"]
                rows = pa.concat_tables(pq.read_table(file, columns=columns) for file in files)
                name = file_name(*(numbers(name) or (0, 0)), _best_of(rows))
            self._replace(kind, files, name)

    def _replace(self, kind: RowKind, files: Sequence[Path], name: str) -> None:
        folder, schema = rows_folder(self._root, kind, self._search), self._columns[kind].schema
        known = [self._recent[file] for file in files if file in self._recent]
        groups: Iterable[pa.Table] = (
            [pa.concat_tables(known)]
            if len(known) == len(files)
            else row_groups(kind, files, schema)
        )
        with (
            self._files.appearing(folder / name, "new") as file,
            pq.ParquetWriter(file, schema, **MERGED) as parquet,
        ):
            for group in groups:
                parquet.write_table(group)
        self._files.remove(files)
        for path in files:
            self._recent.pop(path, None)

    @contextmanager
    def _writing(self, what: str) -> Iterator[None]:
        """Turn a disk error into a StoreError that says what is safe and how to continue."""
        try:
            yield
        except OSError as error:
            problem = f"{what} could not be written: {error.strerror or error}"
            safe = "what was written before is whole"
            fix = f"make room or make it writable, then resume the search {self._search}"
            if isinstance(error, TakenError):
                fault = Fault(str(self._root), "", f"{problem}; {safe}", "let that one finish it")
                raise SearchTakenError([fault]) from error
            if isinstance(error, BucketError):
                fix = f"see that the store can be reached, then resume the search {self._search}"
            raise StoreError([Fault(str(self._root), "", f"{problem}; {safe}", fix)]) from error


def check_search_name(name: str) -> None:
    """Raise InputError unless the name is safe in a path and every reader reads it as text."""
    if is_search_name(name):
        return
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-._")[:90]
    raise input_error(
        "`name`",
        f"{name!r} cannot name a search",
        "begin with a letter and use only letters, digits, '.', '_' and '-', at most 100; "
        f"for example {f'search-{plain}'.strip('-')}",
    )


def _best_of(trials: pa.Table) -> tuple[float, float]:
    """Return the accuracy and wall time to promise for some trials."""
    best = 0.0, math.inf  # of trials that are never ranked
    for row in trials.select(["status", "val_accuracy", "wall_time_s"]).to_pylist():
        accuracy, wall_time_s = row["val_accuracy"], row["wall_time_s"]
        if row["status"] != "failed" and accuracy is not None:
            own = accuracy + 0.0, wall_time_s + 0.0  # -0.0 becomes 0.0
            best = min(best, own, key=lambda one: (-one[0], one[1]))
    return best
