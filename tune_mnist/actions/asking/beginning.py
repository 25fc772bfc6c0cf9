"""Begin a search whose trials are trained elsewhere; stop it, and let it go on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from tune_mnist.actions.asking.asked import columns_of, read_asked, writing
from tune_mnist.actions.asking.held import remove_held
from tune_mnist.actions.asking.measured import OF_A_REPORT
from tune_mnist.actions.asking.refused import conflict
from tune_mnist.actions.naming import new_name
from tune_mnist.errors import Fault, InputError
from tune_mnist.models.hyperparameters import shown
from tune_mnist.provenance import git_commit, host, versions
from tune_mnist.searching.planning.limits import check_grid, most_trials
from tune_mnist.searching.proposing.samplers import helper
from tune_mnist.spaces import Space, size
from tune_mnist.spaces.reading import read_external
from tune_mnist.store.catalog import has_search
from tune_mnist.store.plans import Run, SearchRecord
from tune_mnist.store.reader import check_columns
from tune_mnist.store.writer import check_search_name
from tune_mnist.wording import displayed

_LONGEST = 200  # characters of a data set's name
_NOTE = "trained elsewhere: the rows say what its clients measured"


@dataclass(frozen=True)
class Begun:
    """A search that clients can ask for trials.

    Args:
        record: as the store has it.
        is_new: whether this call has begun it; if not, the same call had before.
    """

    record: SearchRecord
    is_new: bool


def begin(root: Path, name: str | None, space: Mapping[str, Any]) -> Begun:
    """Begin a search; the same call again changes nothing.

    Args:
        root: the store's folder.
        name: of the search; None lets us find one.
        space: what a space file would hold, with `model: external` or `model: external/name`.

    Raises: ConflictError: another search has the name. InputError: every fault of the space, each
        with its key.
    """
    asked_for = _read(space)
    name = name or new_name(asked_for, asked_for.dataset)
    check_search_name(name)
    columns = columns_of(asked_for)
    check_columns(root, columns)
    record = _record(name, asked_for)
    if has_search(root, name):
        return _same(root, name, record)
    try:
        with writing(root, name, columns, resume=False) as writer:
            remove_held(root, name)  # of a search that was deleted
            writer.write_search(record)
    except InputError:
        if has_search(root, name):  # somebody was faster
            return _same(root, name, record)
        raise
    return Begun(record, is_new=True)


def stop(root: Path, name: str) -> SearchRecord:
    """End a search: nothing more is suggested, and the answer to a report is to stop.

    Raises: UnknownError: there is no such search.
    """
    asked = read_asked(root, name)
    with writing(root, name, columns_of(asked.space)) as writer:
        if read_asked(root, name).record.ended is None:
            writer.end_search("stopped")
    return read_asked(root, name).record


def resume(root: Path, name: str) -> SearchRecord:
    """Let a search go on that was stopped or whose time was over; its time budget begins anew.

    Raises: UnknownError: there is no such search. ConflictError: it has ended by itself.
    """
    asked = read_asked(root, name)
    with writing(root, name, columns_of(asked.space)) as writer:
        record = read_asked(root, name).record
        if record.ended is None:
            return record
        if record.ended.reason not in ("stopped", "time budget"):
            problem = f"{name!r} has ended ({record.ended.reason})"
            raise conflict("`search`", problem, "begin another search")
        run = Run(at=_moment(), host=host(), versions=versions(), git_commit=git_commit())
        changed = {"ended": None, "resumed": (*record.resumed, run)}
        writer.write_search(record.model_copy(update=changed))
    return read_asked(root, name).record


def _read(given: Mapping[str, Any]) -> Space:
    """Return the space that a client gave. Raises: InputError: every fault, with its key."""
    try:
        space = read_external(given)
        _check(space)
        columns_of(space)
    except InputError as error:
        raise error.located("`space`") from None
    return space


def _check(space: Space) -> None:
    """Raise InputError if something is asked for that a client must do, or nobody can."""
    faults = []
    if space.search.retries:
        fix = "leave it out: a client that fails may try again before it says so"
        faults.append(Fault("", "search.retries", "is not ours to do", fix))
    never = [one.metric for one in space.objectives if one.metric not in OF_A_REPORT]
    if space.search.scheduler != "none" and never:
        problem = f"{space.search.scheduler} compares measurements on the way, which have no "
        fix = "use none, or another objective"
        faults.append(Fault("", "search.scheduler", problem + never[0], fix))
    name = space.dataset
    if not name.strip() or name != displayed(name) or len(name) > _LONGEST:
        fix = f"give a name of at most {_LONGEST} characters"
        faults.append(Fault("", "dataset", f"{shown(name)} cannot name a data set", fix))
    if faults:
        raise InputError(faults)


def _record(name: str, space: Space) -> SearchRecord:
    count = size(space, "cpu")
    check_grid(space, count)
    left_to_another = helper(space, "cpu")
    return SearchRecord(
        search=name,
        space=space.model_dump(mode="json"),
        configurations=count,
        trials=most_trials(space, count),
        first_trials=space.search.trials,
        notes=(_NOTE, *([left_to_another] if left_to_another else [])),
        dataset=space.dataset,
        seed=space.search.seed,
        host=host(),
        versions=versions(),
        git_commit=git_commit(),
        started=_moment(),
    )


def _same(root: Path, name: str, wanted: SearchRecord) -> Begun:
    """Return the search that is there already, if it is the one that is wanted."""
    try:
        there = read_asked(root, name).record
    except InputError:
        there = None
    if there is None or there.space != wanted.space:
        problem = f"{name!r} is another search"
        raise conflict("`name`", problem, "choose another `name`")
    return Begun(there, is_new=False)


def _moment() -> str:
    return datetime.now(timezone.utc).isoformat()
