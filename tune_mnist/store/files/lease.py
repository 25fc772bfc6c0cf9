"""Who writes a search on an object store: an object that its writer renews.

    <root>/.writers/<id>.json

It is there for politeness and for messages: a second writer is refused while the lease is fresh,
and takes over when it has not been renewed for `LASTS_S`. That no row is doubled does not depend on
it, nor on any clock: rows have numbers, and no number can be put twice (`objects.py`).

Ages are measured by the object store's own clock, so the clocks of two machines may differ.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

from tune_mnist.store.files.bucket import Bucket, BucketError, ChangedError, Version
from tune_mnist.store.lock import BeingWrittenError

LASTS_S = 60.0
RENEWED_EVERY_S = 15.0
_CLOCK = ".writers/.clock"
_ATTEMPTS = 5


class TakenError(BucketError):
    """Another writer has taken the search over; this one must write nothing more."""


def lease_key(search: str) -> str:
    """Return the name of a search's lease."""
    return f".writers/{search}.json"


class Lease:
    """The right to write a search, until another process takes it.

    Attributes:
        was_closed: whether whoever wrote the search before has said that it writes no more, or
            nobody has; known after `take`.
    """

    def __init__(self, bucket: Bucket, search: str) -> None:
        self._bucket, self._search, self._key = bucket, search, lease_key(search)
        self._quick = replace(bucket, patient=False)  # a renewal that fails is tried again
        self._token, self._count = secrets.token_hex(8), 0
        self._since = datetime.now(timezone.utc).isoformat(timespec="seconds")
        self._version: Version = {}
        self._renewed = time.monotonic()
        self._guard = threading.Lock()
        self._over = threading.Event()
        self.was_closed = True

    def take(self) -> None:
        """Take the lease and keep it fresh.

        Raises: BeingWrittenError: a living process has it. BucketError: the store cannot be asked,
            or cannot do what keeps two writers apart.
        """
        now = self._now()
        for _ in range(_ATTEMPTS):
            try:
                self._version = self._taken(now)
            except (ChangedError, FileExistsError):  # somebody else was faster: look again
                continue
            self._renewed = time.monotonic()
            threading.Thread(target=self._keep, daemon=True, name="lease").start()
            return
        raise BucketError(f"{self._bucket.url}: others take {self._search!r} all the time")

    @property
    def age_s(self) -> float:
        """Seconds since it was last renewed; after `LASTS_S` others may take it."""
        return time.monotonic() - self._renewed

    def check(self) -> None:
        """Raise TakenError if another writer has taken the search."""
        with self._guard:
            holder, _ = _read(self._bucket, self._key)
        if holder.get("token") != self._token:
            raise self.taken()

    def taken(self) -> TakenError:
        """Return the error for a search that somebody else writes now, for the caller to raise."""
        holder, _ = _read(self._bucket, self._key)
        if holder.get("token") == self._token:
            return TakenError("an earlier try, which seemed to fail, was stored after all")
        return TakenError(f"{_said(holder)} has taken the search over")

    def release(self, *, clean: bool) -> None:
        """Give the lease back. Args: clean: nothing of ours is stored in part."""
        self._over.set()
        with suppress(OSError), self._guard:
            self._quick.replace(
                self._key, self._content("closed" if clean else "died"), self._version
            )

    def _taken(self, now: datetime) -> Version:
        holder, version = _read(self._bucket, self._key)
        if version is None:
            self.was_closed = True
            return self._bucket.create(self._key, self._content("writes"))
        if holder.get("state") == "writes":
            age_s = (now - self._bucket.modified(self._key)).total_seconds()
            if age_s < LASTS_S:
                wait = f"wait for it, or, if it has died, for {LASTS_S - age_s:.0f} s"
                raise BeingWrittenError(self._search, _said(holder), wait)
        self.was_closed = holder.get("state") == "closed"
        return self._bucket.replace(self._key, self._content("writes"), version)

    def _now(self) -> datetime:
        """Return the object store's time, and check that it keeps a name from being taken twice."""
        self._bucket.put(_CLOCK, self._token.encode())
        try:
            self._bucket.create(_CLOCK, b"")
        except FileExistsError:
            return self._bucket.modified(_CLOCK)
        raise BucketError(
            f"{self._bucket.url} puts an object under a name that is taken (it ignores"
            " If-None-Match), so it cannot keep two writers apart"
        )

    def _keep(self) -> None:
        """Renew the lease until it is given back or lost; a lost network is tried again."""
        while not self._over.wait(RENEWED_EVERY_S):
            with self._guard:
                if self._over.is_set():
                    return
                try:
                    content = self._content("writes")
                    self._version = self._quick.replace(self._key, content, self._version)
                    self._renewed = time.monotonic()
                except ChangedError:
                    return  # the next write finds out
                except OSError:
                    continue

    def _content(self, state: str) -> bytes:
        self._count += 1  # an ETag may be a hash of the content, so each content is new
        said = {
            "owner": f"process {os.getpid()} on {socket.gethostname()}",
            "since": self._since,
            "state": state,
            "token": self._token,
            "renewed": self._count,
        }
        return json.dumps(said).encode()


def holder_of(bucket: Bucket, search: str) -> str | None:
    """Return who writes a search ("process 7 on host"); None if nobody does.

    Args:
        bucket: where.
        search: its id.
    Raises: BucketError: the store cannot be asked.
    """
    key = lease_key(search)
    holder, version = _read(bucket, key)
    if version is None or holder.get("state") != "writes" or not is_fresh(bucket.modified(key)):
        return None
    return _said(holder)


def is_fresh(modified: datetime) -> bool:
    """Return whether a lease of this moment is fresh, by this machine's clock."""
    return (datetime.now(timezone.utc) - modified).total_seconds() < LASTS_S


def _read(bucket: Bucket, key: str) -> tuple[Mapping[str, Any], Version | None]:
    """Return what a lease says, and its version; None if there is none."""
    try:
        content, version = bucket.get(key)
        said = json.loads(content)
    except FileNotFoundError:
        return {}, None
    except (ValueError, RecursionError):
        return {}, version
    return (said if isinstance(said, dict) else {}), version


def _said(holder: Mapping[str, Any]) -> str:
    owner, since = str(holder.get("owner") or "another process")[:200], holder.get("since")
    return f"{owner} (since {str(since)[:40]})" if since else owner
