"""What a service was asked for, kept in the store: `submissions/<id>.json`, one for each search.

A submission waits, is begun by a process, and ends. Each change replaces the document only if
nobody else has changed it, so any number of services and processes may work on one store.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tune_mnist.errors import Fault, InputError, input_error, warn_left_out
from tune_mnist.store.files.documents import change, documents

KIND = "submissions"

Verb = Literal["search", "confirm"]
Stage = Literal["waiting", "begun", "ended"]


class _Kept(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class Told(_Kept):
    """A fault (`errors.Fault`), as it is kept."""

    where: str
    key: str = ""
    problem: str
    fix: str

    def fault(self) -> Fault:
        """Return the fault."""
        return Fault(self.where, self.key, self.problem, self.fix)


class Process(_Kept):
    """The process that runs a submission."""

    host: str
    pid: int
    created: float = Field(description="when it began, seconds since 1970, as the system says")


class Submission(_Kept):
    """A search that a service was asked for.

    `stage` says how far it is: waiting for its turn, begun by a process, or ended.
    """

    search: str
    verb: Verb = "search"
    of: str = Field(default="", description="the search that a confirmation confirms")
    asked: dict[str, Any] = Field(default={}, description="the body of the request")
    again: dict[str, Any] = Field(default={}, description="the body of the last resume")
    submitter: str = ""
    priority: int = 0
    submitted: datetime
    stop: bool = Field(default=False, description="whether it is to stop")
    stage: Stage = "waiting"
    attempts: int = Field(default=0, description="how often it was begun since it was asked for")
    begun: datetime | None = Field(default=None, description="when it was begun the last time")
    seen: datetime | None = Field(default=None, description="when its process last said it lives")
    process: Process | None = None
    reason: str = Field(default="", description="why it ended")
    faults: tuple[Told, ...] = ()
    token: str = Field(default="", description="differs in every version of the document")

    def faulty(self) -> InputError | None:
        """Return why it failed, if it did."""
        return InputError(told.fault() for told in self.faults) if self.faults else None


def now() -> datetime:
    """Return this moment in UTC."""
    return datetime.now(timezone.utc)


def told(error: InputError) -> tuple[Told, ...]:
    """Return an error's faults as they are kept."""
    return tuple(
        Told(where=one.where, key=one.key, problem=one.problem, fix=one.fix) for one in error.faults
    )


class Submissions:
    """The submissions of a store. Reading them again reads those that have changed.

    Args:
        root: the store's folder; of a store at an address, its copy here.
    """

    def __init__(self, root: Path) -> None:
        self._kept = documents(root, KIND)
        self._known: dict[str, tuple[str, Submission]] = {}

    def all(self) -> Mapping[str, Submission]:
        """Return every submission by its search; one that cannot be read is named and left out."""
        found = {}
        for name, stamp in self._kept.stamps().items():
            known = self._known.get(name)
            if known is None or known[0] != stamp:
                try:
                    known = stamp, self.read(name)
                except FileNotFoundError:
                    continue
                except InputError as error:
                    warn_left_out(error)
                    continue
            found[name] = known
        self._known = found
        return {name: submission for name, (_, submission) in found.items()}

    def read(self, search: str) -> Submission:
        """Return a submission.

        Raises: FileNotFoundError: there is none. InputError: it cannot be read.
        """
        return _parsed(search, self._kept.read(search)[0])

    def create(self, submission: Submission) -> None:
        """Keep a new one. Raises: FileExistsError: there is one of this search."""
        self._kept.create(submission.search, _content(submission))

    def change(
        self, search: str, changed: Callable[[Submission], Mapping[str, Any] | None]
    ) -> Submission:
        """Change a submission.

        Args:
            search: which.
            changed: returns the new values; None to leave it as it is. It may be called again, with
                what another process has made of it.

        Returns: the submission now.
        Raises: FileNotFoundError: it is not there.
        """

        def new(content: bytes) -> bytes | None:
            before = _parsed(search, content)
            values = changed(before)
            return None if values is None else _content(before.model_copy(update=dict(values)))

        return _parsed(search, change(self._kept, search, new))

    def remove(self, search: str) -> None:
        """Remove a submission."""
        self._kept.remove(search)


def _content(submission: Submission) -> bytes:
    fresh = submission.model_copy(update={"token": secrets.token_hex(8)})
    return fresh.model_dump_json(indent=1).encode()


def _parsed(search: str, content: bytes) -> Submission:
    try:
        return Submission.model_validate_json(content)
    except ValidationError as error:
        problem = f"is no submission: {error.errors()[0]['msg']}"
        raise input_error(f"{KIND}/{search}.json", problem, "remove it") from None
