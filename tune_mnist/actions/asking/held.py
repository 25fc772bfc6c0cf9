"""Who trains which trial: one small document a search, beside the store's rows.

It holds only what the store does not have yet: a lease for each trial that a client is training,
with what it has measured so far. If the document is lost, nothing else is: a proposal without a row
and without a lease is suggested again.

A trial changes hands only while its search is being written (`asked.writing`). A client may add to
its own lease at any time, so each change is made again if another one came first.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from tune_mnist.errors import input_error
from tune_mnist.store.files.documents import change, documents

KIND = "asked"
_MOST_BYTES = 2**20 - 2**12  # what a document may hold, and room for its token


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Lease(_Part):
    """A trial that a client is training."""

    client: str = Field(description="its id")
    config: dict[str, Any] = Field(description="what it trains")
    since: AwareDatetime = Field(description="when the trial was suggested to it")
    called: AwareDatetime = Field(description="when it last called about the trial")
    reports: tuple[dict[str, Any], ...] = Field(default=(), description="what it has measured")
    stop: str = Field(default="", description="why it was told to stop; empty: it was not")

    def is_lost(self, timeout_s: float | None) -> bool:
        """Return whether the client has not called for too long."""
        return timeout_s is not None and (now() - self.called).total_seconds() > timeout_s


class Held(_Part):
    """The leases of a search, by trial."""

    leases: dict[str, Lease] = {}
    token: str = ""  # a new one in each content

    def of(self, client: str) -> dict[str, Lease]:
        """Return the leases of a client, the oldest trial first."""
        return {name: self.leases[name] for name in sorted(self.leases) if self._has(name, client)}

    def _has(self, name: str, client: str) -> bool:
        return self.leases[name].client == client


def now() -> datetime:
    """Return the time; leases are compared across machines, so it is the wall clock's."""
    return datetime.now(timezone.utc)


def read_held(root: Path, search: str) -> Held:
    """Return the leases of a search. Raises: InputError: the document is damaged."""
    with suppress(FileNotFoundError):
        return _read(documents(root, KIND).read(search)[0], search)
    return Held()


def change_held(root: Path, search: str, changed: Callable[[Held], Held]) -> Held:
    """Change the leases of a search; what is returned is in the store.

    Args:
        root: the store's folder.
        search: its id.
        changed: returns the new leases; called again if another process was faster.

    Raises: InputError: the document is damaged or would be too large. And what `changed` raises.
    """
    kept = documents(root, KIND)

    def written(content: bytes) -> bytes | None:
        before = _read(content, search)
        after = changed(before)
        return None if after == before else _content(after, search)

    while True:
        try:
            return _read(change(kept, search, written), search)
        except FileNotFoundError:
            with suppress(FileExistsError):
                kept.create(search, _content(Held(), search))


def remove_held(root: Path, search: str) -> None:
    """Remove the document of a search that has no leases left."""
    documents(root, KIND).remove(search)


def _content(held: Held, search: str) -> bytes:
    content = held.model_copy(update={"token": secrets.token_hex(8)}).model_dump_json().encode()
    if len(content) > _MOST_BYTES:
        problem = "its unfinished trials have too many measurements"
        raise input_error(search, problem, "report less often, or train fewer trials at once")
    return content


def _read(content: bytes, search: str) -> Held:
    try:
        return Held.model_validate_json(content)
    except ValidationError as error:
        problem = f"{KIND}/{search}.json is damaged: {error.errors()[0]['msg']}"
        fix = "remove it: its unfinished trials are then suggested again"
        raise input_error(search, problem, fix) from None
