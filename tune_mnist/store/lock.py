"""One writer per search: a lock that dies with its process.

A writer holds flock on `<root>/.writers/<id>/lock` as long as it lives. The kernel releases the
lock when the process ends, so a killed writer blocks nobody, and a folder with a free lock belongs
to a dead writer. `doorway` is a second lock, held for the milliseconds in which a writer opens,
tidies or closes. Without it, a writer could lock a file that another one is about to remove.

Both files name the process that holds them. Who only asks whether a search is being written opens
them for reading, so the store may be read-only.

On an object store a lease says who writes (`files/lease.py`). The lock is then in the local copy,
and keeps two processes of one machine apart.
"""

from __future__ import annotations

import fcntl
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal, TextIO

from tune_mnist.errors import Fault, InputError, input_error
from tune_mnist.store.layout import (
    doorway_file,
    is_search_name,
    lock_file,
    numbers,
    writer_folder,
    writers_folder,
)

WAIT_S = 10.0
"""How long a process waits for another one that opens or closes."""
_ASK_EVERY_S = 0.02
_LONGEST_NAME = 400  # characters of "process 7 on host"


class BeingWrittenError(InputError):
    """A living process is writing the search; later it may be free."""

    def __init__(self, search: str, owner: str, wait: str) -> None:
        problem = f"{search!r} is being written by {owner}"
        super().__init__([Fault("`name`", "", problem, wait)])
        self._told = (search, owner, wait)

    def __reduce__(self) -> Any:
        return type(self), self._told


@contextmanager
def doorway(root: Path) -> Iterator[None]:
    """Let only one writer of the store at a time open, tidy or close.

    Raises: InputError: another process has been there for `WAIT_S` seconds.
    """
    with _opened(doorway_file(root), "a+") as door:
        _enter(door)
        _sign(door)
        try:
            yield
        finally:
            with suppress(OSError):  # a full disk
                door.truncate(0)


def living_writer(root: Path, search: str) -> str | None:
    """Return who is writing a search ("process 7 on host"), None if nobody is.

    Raises: InputError: a file cannot be read, or another process is in the doorway for too long.
    """
    file = lock_file(root, search)
    try:
        if not file.is_file():
            return None
        with _doorway_of_readers(root), _opened(file, "r") as lock:
            return None if _locked(lock, fcntl.LOCK_SH) else _owner(lock)
    except FileNotFoundError:  # the writer closed while we waited
        return None
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
        raise input_error(error.filename or file, problem, "make it readable") from error


def lock_search(root: Path, search: str) -> TextIO:
    """Return the open lock file of a search; closing it frees the lock. Call inside `doorway`.

    Raises: BeingWrittenError: a living process is writing this search.
    """
    lock = _try_lock(root, search)
    if lock is None:
        with _opened(lock_file(root, search), "r") as others:
            owner = _owner(others)
        raise BeingWrittenError(search, owner, "wait for it, or choose another `name`")
    _sign(lock)
    return lock


def unlock_search(root: Path, search: str, lock: TextIO) -> None:
    """Free a lock and remove the writer's files, but no others. Call inside `doorway`."""
    folder = writer_folder(root, search)
    for file in folder.iterdir():
        ours = file.name in ("lock", "aside") or numbers(file.name)
        if ours and (file.is_symlink() or not file.is_dir()):
            file.unlink()
    with suppress(OSError):  # somebody else's file is in it
        folder.rmdir()
    lock.close()


def dead_writers(root: Path) -> Iterator[tuple[str, TextIO]]:
    """Yield each search whose writer has died, with its lock. Call inside `doorway`.

    What no writer can have made, and what we may not open, is left alone.
    """
    for folder in sorted(writers_folder(root).iterdir()):
        if not is_search_name(folder.name) or not folder.is_dir():
            continue
        with suppress(OSError):
            lock = _try_lock(root, folder.name)
            if lock is not None:
                yield folder.name, lock


@contextmanager
def _doorway_of_readers(root: Path) -> Iterator[None]:
    """Let no writer open or close meanwhile; nothing is written."""
    try:
        door = _opened(doorway_file(root), "r")
    except FileNotFoundError:  # no writer has ever opened this copy of a store
        yield
        return
    with door:
        _enter(door)
        yield


def _enter(door: TextIO) -> None:
    """Wait until nobody else is in the doorway."""
    until = time.monotonic() + WAIT_S
    while not _locked(door, fcntl.LOCK_EX):
        if time.monotonic() > until:
            problem = f"is held by {_owner(door)} for more than {WAIT_S:g} s"
            raise input_error(door.name, problem, "end that process, or wait for it and try again")
        time.sleep(_ASK_EVERY_S)


def _try_lock(root: Path, search: str) -> TextIO | None:
    writer_folder(root, search).mkdir(exist_ok=True)
    lock = _opened(lock_file(root, search), "a+")
    if _locked(lock, fcntl.LOCK_EX):
        return lock
    lock.close()
    return None


def _opened(file: Path, mode: Literal["r", "a+"]) -> TextIO:
    return file.open(mode, encoding="utf-8", errors="replace")


def _locked(file: TextIO, kind: int) -> bool:
    """Lock a file if nobody else has; return whether it is locked."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sign(file: TextIO) -> None:
    """Write into a file that we have locked who we are, for others who wait."""
    with suppress(OSError):  # a full disk keeps nobody from locking
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}")
        file.flush()


def _owner(file: TextIO) -> str:
    """Return who signed a file."""
    file.seek(0)
    return " ".join(file.read(_LONGEST_NAME).split()) or "another process"
