"""The saved states of a search's trials, in an object store: a resumed search may run elsewhere.

Tune writes them into the local copy. They are put into the store every `KEPT_EVERY_S` and when the
search ends, and removed there when they are gone here. One that was put while it was being written
is put again; a resumed search passes over one that is not whole.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import suppress

from tune_mnist.store.files.bucket import Bucket
from tune_mnist.store.files.copied import LocalCopy
from tune_mnist.store.layout import checkpoints_folder

KEPT_EVERY_S = 15.0


def fetch_states(copy: LocalCopy, search: str) -> None:
    """Bring the saved states of a search here, with the times at which they were put.

    States that are here alone stay: their machine had no time left to put them.

    Raises: BucketError: the store cannot be read.
    """
    for one in copy.bucket.objects(_folder(search)):
        file = copy.folder / one.key
        if not _is_state(one.key) or (file.is_file() and file.stat().st_size == one.size):
            continue
        file.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):  # its writer has removed it meanwhile
            copy.bucket.download(one.key, file)
            os.utime(file, (one.modified.timestamp(), one.modified.timestamp()))


class States:
    """What keeps the states of one search in the store, in a thread of its own.

    Args:
        bucket: the store.
        copy: where Tune writes.
        search: its id.
        check: raises an OSError if another writer has taken the search over.
    """

    def __init__(
        self, bucket: Bucket, copy: LocalCopy, search: str, check: Callable[[], None]
    ) -> None:
        self._bucket, self._copy, self._search, self._check = bucket, copy, search, check
        self._stored: dict[str, tuple[int, int]] = {}  # size and time of what was put
        self._over = threading.Event()
        self._guard = threading.Lock()

    def start(self) -> None:
        """Begin. Raises: BucketError: the store cannot be read."""
        here = self._here()
        keys = [one.key for one in self._bucket.objects(_folder(self._search))]
        # Those that were not brought here are nobody's to remove; the others are put once more.
        self._stored = {key: (-1, -1) for key in keys if key in here}
        threading.Thread(target=self._keep, daemon=True, name="states").start()

    def stop(self) -> None:
        """Put what is new, and end."""
        if not self._over.is_set():
            self._over.set()
            with suppress(OSError):  # what is in the store already is whole
                self.keep()

    def keep(self) -> None:
        """Make the store's states what they are here. Raises: OSError: it refuses."""
        with self._guard:
            here = self._here()
            new = [key for key, state in here.items() if self._stored.get(key) != state]
            gone = self._stored.keys() - here.keys()
            if new or gone:
                self._check()
            for key in sorted(new, key=lambda key: here[key][1]):
                with suppress(FileNotFoundError):  # Tune keeps the newest two
                    self._bucket.upload(key, self._copy.folder / key)
                    self._stored[key] = here[key]
            if gone:
                self._bucket.delete(sorted(gone))
            for key in gone:
                del self._stored[key]

    def _keep(self) -> None:
        while not self._over.wait(KEPT_EVERY_S):
            with suppress(OSError):  # it is tried again
                self.keep()

    def _here(self) -> dict[str, tuple[int, int]]:
        found = {}
        folder = checkpoints_folder(self._copy.folder, self._search)
        for file in folder.glob("*/*/checkpoint_*/*"):
            with suppress(FileNotFoundError):
                state = file.stat()
                found[self._copy.key(file)] = (state.st_size, state.st_mtime_ns)
        return {key: state for key, state in found.items() if _is_state(key)}


def _folder(search: str) -> str:
    return f".checkpoints/{search}"


def _is_state(key: str) -> bool:
    """Return whether a name is one of a state: run, trial, checkpoint, file."""
    parts = key.split("/")
    return len(parts) == 6 and parts[4].startswith("checkpoint_") and not {"", ".", ".."} & {*parts}
