"""The rows of searches, kept in memory as long as their files are the same.

A file of the store never changes, so the names of a search's files say whether its rows have.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path

import pyarrow as pa

from tune_mnist.store.layout import RowKind, live_files, rows_folder
from tune_mnist.store.reader import read_reports, read_trials

_MOST_TABLES = 64
_MOST_BYTES = 2**29

Key = tuple[str, ...]


class Tables:
    """Reads the rows of searches, each state of a search once. For use from many threads."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[Path, RowKind, str], tuple[Key, pa.Table]] = OrderedDict()
        self._guard = threading.Lock()

    def key(self, root: Path, kind: RowKind, search: str) -> Key:
        """Return what differs whenever the rows of a search do."""
        return tuple(file.name for file in live_files(rows_folder(root, kind, search)))

    def rows(self, root: Path, kind: RowKind, search: str) -> pa.Table:
        """Return the rows of a search, oldest first. Raises: InputError: no such search."""
        return self.keyed_rows(root, kind, search)[1]

    def keyed_rows(self, root: Path, kind: RowKind, search: str) -> tuple[Key, pa.Table]:
        """Return the rows of a search with their key. Raises: as `rows`."""
        place, key = (root, kind, search), self.key(root, kind, search)
        with self._guard:
            known = self._kept.get(place)
            if known is not None and known[0] == key:
                self._kept.move_to_end(place)
                return known
        read = read_trials if kind == "trials" else read_reports
        rows = read(root, search=search).combine_chunks()
        with self._guard:
            self._kept[place] = (key, rows)
            self._kept.move_to_end(place)
            while len(self._kept) > _MOST_TABLES or (
                len(self._kept) > 1
                and sum(one.nbytes for _, one in self._kept.values()) > _MOST_BYTES
            ):
                self._kept.popitem(last=False)
        return key, rows
