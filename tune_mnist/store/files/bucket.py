"""Requests to an object store: each succeeds, or raises an OSError of one line.

The answer to a put can be lost. If we send it again and the store then says that the object exists
or has changed, we read the object: if it holds what we sent, the first try had worked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from obstore import UpdateVersion
    from obstore.store import MemoryStore, ObjectStore

Version = dict[str, str]
"""What an object store calls one state of an object: its ETag, or its generation."""

SCHEMES = ("s3", "gs", "az", "memory")
_TIMES = {"connect_timeout": "5s", "timeout": "120s"}  # of one try
_READING = {"max_retries": 5, "retry_timeout": timedelta(seconds=30)}
_WRITING = {"max_retries": 40, "retry_timeout": timedelta(seconds=180)}
"""A search tries for minutes, to survive a short loss of the network; a reader soon gives up."""
_DELETED_AT_ONCE = 500


class BucketError(OSError):
    """An object store refuses a request or cannot be reached; its text is one line."""


class ChangedError(BucketError):
    """An object is not what it was when we saw it last."""


@dataclass(frozen=True)
class Listed:
    """An object in a listing.

    Args:
        key: its name below the store's address.
        size: bytes.
        stamp: differs whenever its content does.
        modified: when it was put, by the object store's clock.
    """

    key: str
    size: int
    stamp: str
    modified: datetime


@dataclass(frozen=True)
class Bucket:
    """What is below an address.

    Args:
        url: the address, such as s3://bucket/prefix.
        endpoint: where S3 is, if not at Amazon's or where AWS_ENDPOINT_URL says.
        patient: whether requests are repeated for minutes, as a search that writes must.
    """

    url: str
    endpoint: str | None = None
    patient: bool = False

    @cached_property
    def _store(self) -> ObjectStore:
        from obstore.store import from_url

        if self.url.startswith("memory://"):
            return _memory(self.url)
        options: dict[str, Any] = {
            "client_options": {**_TIMES, "allow_http": True},
            "retry_config": _WRITING if self.patient else _READING,
        }
        if self.endpoint is not None:
            options["endpoint"] = self.endpoint
        with self._asking(""):
            return from_url(self.url, **options)

    def objects(self, folder: str) -> list[Listed]:
        """Return all objects whose name begins with this folder's."""
        import obstore

        with self._asking(""):
            return [
                Listed(
                    one["path"],
                    one["size"],
                    one["e_tag"] or f"{one['last_modified'].isoformat()} {one['size']}",
                    one["last_modified"],
                )
                for page in obstore.list(self._store, folder)
                for one in page
            ]

    def get(self, key: str) -> tuple[bytes, Version]:
        """Return an object. Raises: FileNotFoundError: it is not there."""
        import obstore

        with self._asking(key):
            found = obstore.get(self._store, key)
            return bytes(found.bytes()), _version(found.meta)

    def download(self, key: str, target: Path) -> None:
        """Write an object to a file. Raises: FileNotFoundError: it is not there."""
        import obstore

        with self._asking(key), target.open("wb") as file:
            for chunk in obstore.get(self._store, key).stream():
                file.write(chunk)

    def modified(self, key: str) -> datetime:
        """Return when an object was put. Raises: FileNotFoundError: it is not there."""
        import obstore

        with self._asking(key):
            return obstore.head(self._store, key)["last_modified"]

    def version(self, key: str) -> Version | None:
        """Return an object's version; None if it is not there."""
        import obstore

        try:
            with self._asking(key):
                return _version(obstore.head(self._store, key))
        except FileNotFoundError:
            return None

    def put(self, key: str, content: bytes) -> Version:
        """Put an object, whatever is there."""
        import obstore

        with self._asking(key, missing=BucketError):
            return _version(obstore.put(self._store, key, content, use_multipart=False))

    def upload(self, key: str, file: Path) -> None:
        """Put a file, in parts if it is large. Raises: FileNotFoundError: it is not there."""
        import obstore

        with file.open("rb") as content, self._asking(key, missing=BucketError):
            obstore.put(self._store, key, content)

    def create(self, key: str, content: bytes) -> Version:
        """Put an object under a name that is free.

        Raises: FileExistsError: another object has the name.
        """
        import obstore
        from obstore.exceptions import AlreadyExistsError

        try:
            with self._asking(key, missing=BucketError):
                return _version(obstore.put(self._store, key, content, mode="create"))
        except AlreadyExistsError:
            found, version = self.get(key)
            if found != content:
                raise FileExistsError(f"{self.url}/{key} exists already") from None
            return version

    def replace(self, key: str, content: bytes, version: Version) -> Version:
        """Replace an object that still has this version. Raises: ChangedError: it has not."""
        import obstore
        from obstore.exceptions import PreconditionError

        try:
            with self._asking(key):
                mode = cast("UpdateVersion", version)
                return _version(obstore.put(self._store, key, content, mode=mode))
        except PreconditionError:
            with suppress(FileNotFoundError):  # removed: changed all the same
                found, now = self.get(key)
                if found == content:
                    return now
        except FileNotFoundError:
            pass
        raise ChangedError(f"{self.url}/{key} was changed or removed by another process")

    def delete(self, keys: Sequence[str]) -> None:
        """Remove objects; those that are gone already do not matter."""
        import obstore

        for start in range(0, len(keys), _DELETED_AT_ONCE):
            some = keys[start : start + _DELETED_AT_ONCE]
            try:
                with self._asking(some[0]):
                    obstore.delete(self._store, list(some))
            except FileNotFoundError:  # S3 never says so; the others may have stopped at it
                for key in some:
                    with suppress(FileNotFoundError), self._asking(key):
                        obstore.delete(self._store, key)

    @contextmanager
    def _asking(self, key: str, missing: type[OSError] = FileNotFoundError) -> Iterator[None]:
        """Turn an error of the library into an OSError of one line."""
        from obstore import exceptions

        where = f"{self.url}/{key}: " if key else ""
        try:
            yield
        except (exceptions.AlreadyExistsError, exceptions.PreconditionError):
            raise
        except FileNotFoundError as error:
            raise missing(f"{where}{_reason(error)}") from error
        except exceptions.BaseError as error:
            raise BucketError(f"{where}{_reason(error)}") from error


_IN_MEMORY: dict[str, MemoryStore] = {}


def _memory(url: str) -> MemoryStore:
    """Return this process's store of a name, for tests."""
    from obstore.store import MemoryStore

    return _IN_MEMORY.setdefault(url, MemoryStore())


def _version(found: Any) -> Version:
    return {key: found[key] for key in ("e_tag", "version") if found.get(key) is not None}


def _reason(error: BaseException) -> str:
    """Return in a few words what an object store answered."""
    text = " ".join(str(error).partition("Debug source")[0].split())
    if answer := re.search(r"<Code>(.*?)</Code>", text):
        message = re.search(r"<Message>(.*?)</Message>", text)
        return f"{answer[1]}: {message[1]}" if message else answer[1]
    if any(said in text for said in ("169.254.169.254", "metadata.google", "Missing AccessKey")):
        return "no credentials were found in the environment"
    if tried := re.search(r"https?://[^/ ]+.*after (\d+) retries", text):
        host = re.search(r"https?://[^/ ]+", text)
        return f"no answer from {host[0] if host else 'it'} after {tried[1]} retries"
    return re.sub(r"^Generic \w+ error: ", "", text)[:300]
