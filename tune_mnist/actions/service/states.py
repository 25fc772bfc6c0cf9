"""What a search is doing, from all that the store says: its submission, record, rows and writer."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Literal

import psutil
import pyarrow as pa

from tune_mnist.actions.service.submissions import Process, Submission, now
from tune_mnist.store.catalog import has_search
from tune_mnist.store.files.place import writer_of
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


def known_search(root: Path, search: str, submission: Submission | None) -> Known:
    """Return what is known of one search. Raises: InputError: there is no such search."""
    record: SearchRecord | None = None
    counts: Mapping[str, Mapping[str, int]] = {}
    writer: str | None = None
    if submission is None or has_search(root, search):
        record = read_search(root, search)
        counts = counts_of(read_trials(root, search=search, columns=["search", "trial", "status"]))
        writer = writer_of(root, search)
    of_search = counts.get(search, {})
    state = state_of(submission, record, of_search, writer)
    return Known(search, state, submission, record, of_search, writer)


def known_searches(root: Path, submissions: Mapping[str, Submission]) -> dict[str, Known]:
    """Return what is known of every search, by name.

    Raises: InputError: there is no store.
    """
    records = read_searches(root) if (root / "searches").is_dir() else {}
    counts: Mapping[str, Mapping[str, int]] = {}
    if records:
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
    last: dict[tuple[str, str], str] = {}
    columns = [rows[name].to_pylist() for name in ("search", "trial", "status")]
    for search, trial, status in zip(*columns, strict=True):
        last[search, trial] = status
    counts: dict[str, dict[str, int]] = {}
    for (search, _), status in last.items():
        of_search = counts.setdefault(search, {})
        of_search[status] = of_search.get(status, 0) + 1
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
