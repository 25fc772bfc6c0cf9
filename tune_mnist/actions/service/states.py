"""What a search is doing, from all that the store says: its submission, record, rows and writer."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Literal

import psutil
import pyarrow as pa

from tune_mnist.actions.service.submissions import Process, Submission, now
from tune_mnist.store.catalog import has_search
from tune_mnist.store.files.place import writer_of
from tune_mnist.store.layout import records_folder
from tune_mnist.store.plans import SearchRecord, read_search, read_searches
from tune_mnist.store.reader import read_trials

State = Literal["PENDING", "RUNNING", "STOPPED", "SUCCEEDED", "FAILED", "INTERRUPTED"]

SILENT_S = 120.0
"""A process on another machine that has said nothing for so long is taken for dead."""
SEEN_EVERY_S = 30.0
CLAIMED_WITHIN_S = 60.0
"""So long may a process take from its start to its first word."""
MOST_ATTEMPTS = 3
"""A search whose process dies is begun again so often, then it is INTERRUPTED."""


@dataclass(frozen=True)
class Known:
    """All that is known of a search.

    Args:
        search: its name.
        state: what it is doing.
        submission: None if it was not submitted to a service.
        record: None if it has not begun.
        counts: finished trials by status.
        writer: who writes it now ("process 7 on host"), if anybody.
    """

    search: str
    state: State
    submission: Submission | None
    record: SearchRecord | None
    counts: Mapping[str, int] = field(default_factory=dict)
    writer: str | None = None

    @property
    def trained_elsewhere(self) -> bool:
        """Whether clients train its trials."""
        return self.record is not None and self.record.trained_elsewhere

    @property
    def waits(self) -> bool:
        """Whether it waits for its turn."""
        return self.submission is not None and self.submission.stage == "waiting"


def known_search(
    root: Path, search: str, submission: Submission | None, rows: Callable[[], pa.Table]
) -> Known:
    """Return what is known of one search.

    Args:
        root: the store's folder.
        search: its name.
        submission: None if it was not submitted to a service.
        rows: returns its trials, oldest first; called if it has a record.

    Raises: InputError: there is no such search.
    """
    record, counts, writer = None, {}, None
    if submission is None or has_search(root, search):
        record = read_search(root, search)
        counts = counts_of(rows()).get(search, {})
        writer = writer_of(root, search)
    state = state_of(submission, record, counts, writer)
    return Known(search, state, submission, record, counts, writer)


def known_searches(root: Path, submissions: Mapping[str, Submission]) -> dict[str, Known]:
    """Return what is known of every search, by name; nothing where there is no store yet."""
    records: Mapping[str, SearchRecord] = {}
    counts: Mapping[str, Mapping[str, int]] = {}
    if records_folder(root).is_dir():
        records = read_searches(root)
        counts = counts_of(read_trials(root, columns=["search", "trial", "status"]))
    found = {}
    for search in sorted({*records, *submissions}):
        record, submission = records.get(search), submissions.get(search)
        writer = writer_of(root, search) if record else None
        of_search = counts.get(search, {})
        state = state_of(submission, record, of_search, writer)
        found[search] = Known(search, state, submission, record, of_search, writer)
    return found


def counts_of(rows: pa.Table) -> dict[str, dict[str, int]]:
    """Return the number of finished trials of each search by status.

    A trial that was tried again has several rows; the last one counts.

    Args:
        rows: with `search`, `trial` and `status`, oldest first within a search.
    """
    in_order = rows.group_by(["search", "trial"], use_threads=False)
    last = in_order.aggregate([("status", "last")]).rename_columns(["search", "trial", "status"])
    numbers = last.group_by(["search", "status"]).aggregate([("trial", "count")])
    counts: dict[str, dict[str, int]] = {}
    for row in numbers.to_pylist():
        counts.setdefault(row["search"], {})[row["status"]] = row["trial_count"]
    return counts


def state_of(
    submission: Submission | None,
    record: SearchRecord | None,
    counts: Mapping[str, int],
    writer: str | None,
) -> State:
    """Return what a search is doing.

    Args:
        submission: None if it was not submitted to a service.
        record: None if it has not begun.
        counts: finished trials by status.
        writer: who writes it now, if anybody.
    """
    if writer is not None:
        return "RUNNING"
    if record is not None and record.trained_elsewhere:
        return _state_elsewhere(record, counts)
    if submission is not None and submission.stage == "waiting":
        return "STOPPED" if submission.stop else "PENDING"
    if submission is not None and submission.stage == "begun":
        if is_alive(submission):
            return "RUNNING"
        return "STOPPED" if submission.stop else "INTERRUPTED"
    if submission is not None and submission.faults:
        return "FAILED"
    if record is not None and record.ended is not None:
        return "SUCCEEDED" if counts.get("completed") else "FAILED"
    if submission is not None:
        return "STOPPED" if submission.stop else "INTERRUPTED"
    return "INTERRUPTED"


def _state_elsewhere(record: SearchRecord, counts: Mapping[str, int]) -> State:
    """Return the state of a search whose clients train: it runs until it is ended."""
    if record.ended is None:
        return "RUNNING"
    if record.ended.reason == "stopped":
        return "STOPPED"
    return "SUCCEEDED" if counts.get("completed") else "FAILED"


def is_alive(submission: Submission) -> bool:
    """Return whether the process that has begun a submission still lives."""
    if submission.process is None or submission.process.host != socket.gethostname():
        patience = CLAIMED_WITHIN_S if submission.process is None else SILENT_S
        last = submission.seen or submission.begun or submission.submitted
        return now() - last < timedelta(seconds=patience)
    return lives(submission.process)


def this_process() -> Process:
    """Return this process, for others to know it by."""
    ours = psutil.Process()
    return Process(host=socket.gethostname(), pid=ours.pid, created=ours.create_time())


def lives(process: Process) -> bool:
    """Return whether a process of this machine still lives."""
    try:
        found = psutil.Process(process.pid)
        return (
            abs(found.create_time() - process.created) < 1
            and found.status() != psutil.STATUS_ZOMBIE
        )
    except psutil.NoSuchProcess:
        return False
