"""Private folders outside the store, which go with the process that made them, however it ends.

A folder `tune_mnist-...` holds a file `lock`, which its owner locks with flock as long as it lives,
and a folder `in`, which the owner uses. The kernel frees the lock when the owner dies, whatever
killed it; unlike a process number, a lock is never another's, also not where containers share a
folder. So a folder whose lock is free belongs to a dead owner. A new one gets its name when its
lock is held.

Only its owner may enter a folder (mode 0700). What others have made is never opened or removed.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tune_mnist.errors import input_error

MEMORY = Path("/dev/shm")
"""A memory file system, where there is one."""

_PREFIX = "tune_mnist-"


@contextmanager
def scratch_folder(place: Path | None = None) -> Iterator[Path]:
    """Give an empty private folder, and remove it after the block.

    Args:
        place: where; None for the system's folder for temporary files (`TMPDIR`).

    Raises: InputError: it cannot be made.
    """
    place = place or _temporary()
    try:
        folder, lock = _make(place)
    except OSError as error:
        raise input_error(place, f"takes no temporary folder: {error.strerror}", _FIX) from error
    try:
        yield folder / "in"
    finally:
        _remove(folder)
        os.close(lock)


def remove_leftovers(*places: Path) -> None:
    """Remove the scratch folders of this user whose owners have died.

    Args:
        places: where to look; nothing for everywhere that a search puts them.
    """
    for place in places or {_temporary(), MEMORY}:
        for folder in place.glob(f"{_PREFIX}*"):
            with suppress(OSError):  # another's, a living owner's, or gone by now
                _remove_if_dead(folder)


_FIX = "free some space there, or set the environment variable TMPDIR to another folder"


def _temporary() -> Path:
    try:
        return Path(tempfile.gettempdir())
    except FileNotFoundError as error:
        raise input_error("TMPDIR", f"no temporary folder can be used: {error}", _FIX) from error


def _make(place: Path) -> tuple[Path, int]:
    """Return a new scratch folder and its lock, held."""
    unnamed = Path(tempfile.mkdtemp(prefix=f".{_PREFIX}", dir=place))
    lock = -1
    try:
        lock = os.open(unnamed / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        (unnamed / "in").mkdir()
        return unnamed.rename(unnamed.with_name(unnamed.name[1:])), lock
    except OSError:
        if lock >= 0:
            os.close(lock)
        shutil.rmtree(unnamed, ignore_errors=True)
        raise


def _remove_if_dead(folder: Path) -> None:
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        return
    lock = os.open(folder / "lock", os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _remove(folder)
    finally:
        os.close(lock)


def _remove(folder: Path) -> None:
    """Remove a folder, its lock last: if something still writes there, the next search tries."""
    shutil.rmtree(folder / "in", ignore_errors=True)
    if not (folder / "in").exists():
        shutil.rmtree(folder, ignore_errors=True)
