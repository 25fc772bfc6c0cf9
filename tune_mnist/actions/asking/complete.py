"""The end of a trial: its row is stored once, then its lease is dropped.

The right to write the search is held for this one call, so that any process may serve the next.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tune_mnist.actions.asking.asked import Asked, check_client, columns_of, read_asked, writing
from tune_mnist.actions.asking.held import Held, Lease, change_held, now, read_held
from tune_mnist.actions.asking.measured import (
    CLOSE,
    OF_THE_TEST,
    checked_result,
    whole_fidelity,
)
from tune_mnist.actions.asking.refused import conflict
from tune_mnist.actions.asking.report import check_holder, proposal_of
from tune_mnist.actions.asking.suggest import settle
from tune_mnist.errors import Fault, InputError, input_error
from tune_mnist.models.hyperparameters import shown
from tune_mnist.searching.history.resume import earlier_of
from tune_mnist.searching.observer import Row
from tune_mnist.store.layout import live_files, rows_folder
from tune_mnist.store.proposals import Proposal
from tune_mnist.store.schema import REPORTS
from tune_mnist.wording import displayed

MOST_FILES = 16
"""So many files may hold the rows of a search. Each call reads them all, a millisecond a file; a
search that runs here writes without reading, and may have more."""

_LONGEST = 2000  # characters of an error


@dataclass(frozen=True)
class Completed:
    """How a trial ended, as its row says.

    Args:
        trial: its id.
        status: completed, stopped or failed.
    """

    trial: str
    status: str


@dataclass(frozen=True)
class _Told:
    """What a client says of a trial's end.

    Args:
        result: checked; None: what it reported last.
        failed: why it failed; None if it did not.
    """

    result: dict[str, Any] | None
    failed: str | None


def complete(
    root: Path,
    search: str,
    trial: str,
    client: str,
    result: Mapping[str, Any] | None = None,
    failed: str | None = None,
) -> Completed:
    """Store how a trial ended; the same call again answers the same.

    Args:
        root: the store's folder.
        search: its id.
        trial: its id.
        client: who trained it.
        result: any of `measured.OF_A_RESULT`, the search's objectives and constraints among them;
            None if the trial ends with its last report. Without `wall_time_s` the time since the
            suggestion counts.
        failed: why it failed; nothing else is said then.

    Raises: UnknownError: there is no such trial. ConflictError: another client has it, or another
        result is stored. InputError: a value that cannot be used, or one that is missing.
    """
    check_client(client)
    asked = read_asked(root, search)
    told = _told(asked, result, failed)
    with writing(root, search, columns_of(asked.space)) as writer:
        asked = read_asked(root, search)
        proposal = proposal_of(asked, trial)
        earlier = earlier_of(root, search, asked.record)
        stored = next((row for row in earlier.rows if row["trial"] == trial), None)
        if stored is not None:
            status = _again(stored, told)
        else:
            lease = read_held(root, search).leases.get(trial)
            if lease is not None:
                check_holder(asked, trial, lease, client)
            row, reports = _row(asked, proposal, lease, told)
            writer.append_trial(row, reports)
            status = row["status"]
            earlier = replace(earlier, rows=[*earlier.rows, {"shared_with": None, **row}])
            if len(live_files(rows_folder(root, "trials", search))) > MOST_FILES:
                writer.compact()
        if trial in read_held(root, search).leases:
            change_held(root, search, lambda held: _without(held, trial))
        settle(asked, earlier, writer)
    return Completed(trial, status)


def _told(asked: Asked, result: Mapping[str, Any] | None, failed: str | None) -> _Told:
    if failed is not None:
        if result is not None:
            raise input_error("`failed`", "comes with a result", "give one of the two")
        if not (isinstance(failed, str) and failed.strip()):
            raise input_error("`failed`", f"{shown(failed)} is no reason", "say why it failed")
        return _Told(None, displayed(failed)[:_LONGEST])
    if result is None:
        return _Told(None, None)
    return _Told(checked_result(asked.space, result), None)


def _again(row: Row, told: _Told) -> str:
    """Return the status of a trial whose row is stored. Raises: ConflictError: it says another."""
    if told.failed is not None:
        same = row["error"] == told.failed
    else:
        result = told.result or {}
        same = row["status"] != "failed" and all(row[name] == result[name] for name in result)
    if not same:
        problem = f"trial {row['trial']} is {row['status']} already, with another result"
        raise conflict("`trial`", problem, "ask for another one")
    return str(row["status"])


def _row(
    asked: Asked, proposal: Proposal, lease: Lease | None, told: _Told
) -> tuple[Row, list[Row]]:
    """Return a trial's row and its measurements."""
    reports = [dict(one) for one in lease.reports] if lease else []
    status = _status(asked, lease, told)
    measured: Row = {}
    if told.failed is None:
        measured = dict(told.result if told.result is not None else _last(reports))
    finished = now()
    if "wall_time_s" not in measured and lease is not None:
        measured["wall_time_s"] = (finished - lease.since).total_seconds()
    if "wall_time_s" not in measured and told.failed is None:
        problem = "is missing, and the search does not know when the trial began"
        raise input_error("`result`", problem, "give it in seconds", "wall_time_s")
    if told.result is not None:
        own = {name: measured[name] for name in REPORTS.names if name in measured}
        if not reports or {**reports[-1], **own, "wall_time_s": 0} != {
            **reports[-1],
            "wall_time_s": 0,
        }:
            reports.append(own)
    row = {
        **measured,
        "trial": f"{proposal.number:05d}",
        "attempt": 1,
        "status": status,
        "error": told.failed,
        "config": proposal.config,
        "space": asked.space.name,
        "model": asked.space.model,
        "dataset": asked.record.dataset,
        "proposed_after": proposal.seen,
        "started": _began(lease, finished, measured),
        "finished": finished,
    }
    return row, [{**one, "step": step} for step, one in enumerate(reports, start=1)]


def _last(reports: list[Row]) -> Row:
    """Return what the last measurement says of the whole trial. Raises: InputError: none does."""
    if not reports:
        fix = 'give it, for example {"val_accuracy": 0.98}'
        raise input_error("`result`", "is missing, and nothing was reported", fix)
    return {name: value for name, value in reports[-1].items() if name != "step"}


def _status(asked: Asked, lease: Lease | None, told: _Told) -> str:
    """Return a trial's status: one that was told to stop, and did, has not run to its end."""
    if told.failed is not None:
        return "failed"
    stop = lease.stop if lease else ""
    scheduled = asked.space.search.scheduler != "none"
    if told.result is None:
        stopped = bool(stop or asked.ended)
    elif scheduled and lease is not None and stop:
        whole = whole_fidelity(asked.space, lease.config) - CLOSE
        stopped = told.result["fidelity"] < whole
    else:
        stopped = False
    given = [name for name in OF_THE_TEST if name in (told.result or {})]
    if stopped and given:
        problem = "of a trial that was stopped early"
        raise InputError(Fault("`result`", name, problem, "leave it out") for name in given)
    return "stopped" if stopped else "completed"


def _began(lease: Lease | None, finished: datetime, measured: Mapping[str, Any]) -> datetime:
    if lease is not None:
        return lease.since
    return finished - timedelta(seconds=measured.get("wall_time_s", 0.0))


def _without(held: Held, trial: str) -> Held:
    leases = {name: one for name, one in held.leases.items() if name != trial}
    return held.model_copy(update={"leases": leases})
