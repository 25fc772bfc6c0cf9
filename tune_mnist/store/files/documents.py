"""Small documents of a store that several processes change: each reads one, and replaces it if it
is still the one that was read.

    <root>/<kind>/<name>.json

In a folder, a document is replaced by a rename, under a lock that is held for milliseconds. On an
object store it is put on the condition that its ETag is still the same. Readers take no lock, and
never see half a document.

Each content must be one that nobody else writes; a random token in it does. If the answer to a put
is lost, `bucket.py` knows by the content whether the put had worked.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from tune_mnist.errors import input_error
from tune_mnist.store.files.bucket import Bucket, ChangedError, Version
from tune_mnist.store.files.place import copy_of
from tune_mnist.store.layout import below, is_search_name

_MOST_BYTES = 2**20
_ATTEMPTS = 100


class Documents(Protocol):
    """The documents of one kind. A name is safe in a path, as the name of a search is."""

    def stamps(self) -> dict[str, str]:
        """Return the name of each document, with a text that differs when its content does."""
        ...

    def read(self, name: str) -> tuple[bytes, Version]:
        """Return a document and its version. Raises: FileNotFoundError: it is not there."""
        ...

    def create(self, name: str, content: bytes) -> None:
        """Put a new document. Raises: FileExistsError: there is one of this name."""
        ...

    def replace(self, name: str, content: bytes, version: Version) -> None:
        """Replace a document. Raises: ChangedError: it no longer has this version."""
        ...

    def remove(self, name: str) -> None:
        """Remove a document; one that is gone already does not matter."""
        ...


def documents(root: Path, kind: str) -> Documents:
    """Return the documents of a store, wherever it is.

    Args:
        root: the store's folder; of a store at an address, its copy here.
        kind: what they are; it names their folder.

    Raises: InputError: the folder is a link.
    """
    if copy := copy_of(root):
        return _InBucket(replace(copy.bucket, patient=False), kind)
    return _InFolder(below(root, kind))


def change(kept: Documents, name: str, changed: Callable[[bytes], bytes | None]) -> bytes:
    """Change a document, again if another process has changed it meanwhile.

    Args:
        kept: the documents.
        name: which one.
        changed: returns the new content, or None to leave it as it is.

    Returns: its content now.
    Raises: FileNotFoundError: it is not there. InputError: others change it all the time.
    """
    for _ in range(_ATTEMPTS):
        content, version = kept.read(name)
        new = changed(content)
        if new is None or new == content:
            return content
        with suppress(ChangedError):
            kept.replace(name, new, version)
            return new
    raise input_error(name, "others change it all the time", "try again")


class _InFolder:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def stamps(self) -> dict[str, str]:
        found = {}
        with suppress(FileNotFoundError), os.scandir(self._folder) as entries:
            for entry in entries:
                name, dot, ending = entry.name.rpartition(".")
                if dot and ending == "json" and is_search_name(name) and not entry.is_symlink():
                    with suppress(FileNotFoundError):
                        about = entry.stat(follow_symlinks=False)
                        found[name] = f"{about.st_mtime_ns}-{about.st_ino}-{about.st_size}"
        return found

    def read(self, name: str) -> tuple[bytes, Version]:
        file = self._file(name)
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(descriptor, "rb") as opened:  # noqa: PTH123 - it is open already
            content = opened.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise input_error(file, "is larger than 1 MiB", "remove it")
        return content, {"sha256": hashlib.sha256(content).hexdigest()}

    def create(self, name: str, content: bytes) -> None:
        with self._locked():
            if self._file(name).exists():
                raise FileExistsError(f"{self._file(name)} exists already")
            self._put(name, content)

    def replace(self, name: str, content: bytes, version: Version) -> None:
        with self._locked():
            try:
                _, now = self.read(name)
            except FileNotFoundError:
                now = {}
            if now != version:
                raise ChangedError(f"{self._file(name)} was changed by another process")
            self._put(name, content)

    def remove(self, name: str) -> None:
        with self._locked():
            self._file(name).unlink(missing_ok=True)

    def _file(self, name: str) -> Path:
        _check(name)
        return below(self._folder, f"{name}.json")

    def _put(self, name: str, content: bytes) -> None:
        aside = below(self._folder, ".aside")
        with aside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(self._file(name))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._folder.mkdir(parents=True, exist_ok=True)
        with below(self._folder, ".lock").open("a+b") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


class _InBucket:
    def __init__(self, bucket: Bucket, kind: str) -> None:
        self._bucket, self._kind = bucket, kind
        self._key_of = re.compile(rf"{re.escape(kind)}/([^/]+)\.json")

    def stamps(self) -> dict[str, str]:
        listed = (
            (self._key_of.fullmatch(one.key), one) for one in self._bucket.objects(self._kind)
        )
        return {
            found[1]: one.stamp
            for found, one in listed
            if found and is_search_name(found[1]) and one.size <= _MOST_BYTES
        }

    def read(self, name: str) -> tuple[bytes, Version]:
        return self._bucket.get(self._key(name))

    def create(self, name: str, content: bytes) -> None:
        self._bucket.create(self._key(name), content)

    def replace(self, name: str, content: bytes, version: Version) -> None:
        self._bucket.replace(self._key(name), content, version)

    def remove(self, name: str) -> None:
        self._bucket.delete([self._key(name)])

    def _key(self, name: str) -> str:
        _check(name)
        return f"{self._kind}/{name}.json"


def _check(name: str) -> None:
    if not is_search_name(name):
        raise ValueError(f"{name!r} is not safe in a path")
