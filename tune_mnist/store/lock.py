"""One writer per search: a lock that dies with its process.

A writer holds flock on `<root>/.writers/<id>/lock` as long as it lives. The kernel releases the
lock when the process ends, so a killed writer blocks nobody, and a folder with a free lock belongs
to a dead writer. `doorway` is a second lock, held for the milliseconds in which a writer opens,
tidies or closes. Without it, a writer could lock a file that another one is about to remove.
"""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from tune_mnist.errors import input_error
from tune_mnist.store.layout import (
    doorway_file,
    lock_file,
    numbers,
    writer_folder,
    writers_folder,
)


@contextmanager
def doorway(root: Path) -> Iterator[None]:
    """Let only one writer of the store at a time open, tidy or close."""
    with doorway_file(root).open("w") as door:
        fcntl.flock(door, fcntl.LOCK_EX)
        yield


def living_writer(root: Path, search: str) -> str | None:
    """Return who is writing a search ("process 7 on host"), None if nobody is."""
    file = lock_file(root, search)
    if not file.exists():
        return None
    with doorway(root):
        try:
            lock = file.open(encoding="utf-8")
        except FileNotFoundError:  # the writer closed while we waited
            return None
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return lock.read().strip() or "another process"
    return None


def lock_search(root: Path, search: str) -> TextIO:
    """Return the open lock file of a search; closing it frees the lock. Call inside `doorway`.

    Raises: InputError: a living process is writing this search.
    """
    lock = _try_lock(root, search)
    if lock is None:
        owner = lock_file(root, search).read_text(encoding="utf-8").strip()
        raise input_error(
            "`name`",
            f"{search!r} is being written by {owner or 'another process'}",
            "wait for it, or choose another `name`",
        )
    lock.truncate(0)
    lock.write(f"process {os.getpid()} on {socket.gethostname()}")
    lock.flush()
    return lock


def unlock_search(root: Path, search: str, lock: TextIO) -> None:
    """Free a lock and remove the writer's files, but no others. Call inside `doorway`."""
    folder = writer_folder(root, search)
    for file in folder.iterdir():
        if file.name in ("lock", "aside") or numbers(file.name):
            file.unlink()
    with suppress(OSError):  # somebody else's file is in it
        folder.rmdir()
    lock.close()


def dead_writers(root: Path) -> Iterator[tuple[str, TextIO]]:
    """Yield each search whose writer has died, with its lock. Call inside `doorway`."""
    for folder in sorted(writers_folder(root).glob("[!.]*")):
        lock = _try_lock(root, folder.name) if folder.is_dir() else None
        if lock is not None:
            yield folder.name, lock


def _try_lock(root: Path, search: str) -> TextIO | None:
    writer_folder(root, search).mkdir(exist_ok=True)
    lock = lock_file(root, search).open("a", encoding="utf-8")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    return lock
