"""A copy of a store that is far away, in this user's cache, so that reading it is reading a folder.

The files of rows never change, so each is fetched once; records are fetched again when their ETag
differs. Every check that protects a reader of a local store (`rules.py`, `layout.py`) thus holds
for one in a bucket, and a leaderboard asks the network for a listing and what is new in it.

The copy never has what the store lacks, except what was removed since the last look: a writer puts
a file into the store first, then into its copy.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from tune_mnist.errors import warn_skipped
from tune_mnist.store.files.bucket import Bucket, Listed
from tune_mnist.store.layout import covered, retried, without_gap

_PART = r"[^/\0]{1,200}"
_OURS = re.compile(
    rf"(reports|trials)/{_PART}/{_PART}\.parquet"
    rf"|searches/{_PART}\.jsonl?|searches/{_PART}\.proposals/{_PART}\.jsonl"
)
_LEASE = re.compile(rf"\.writers/({_PART})\.json")
_MOST_BYTES = 4 * 2**30  # of one object
_AT_ONCE = 16


class LocalCopy:
    """A folder that holds what a store has that is far away.

    Attributes:
        bucket: the store.
        folder: the copy.
        leases: when each search's lease was renewed, at the last look.
    """

    def __init__(self, bucket: Bucket, folder: Path) -> None:
        self.bucket, self.folder = bucket, folder
        self.leases: Mapping[str, datetime] = {}

    def key(self, file: Path) -> str:
        """Return the name in the store of a file in the copy."""
        return file.relative_to(self.folder).as_posix()

    def refresh(self) -> None:
        """Make the copy what the store is now. Raises: BucketError: it cannot be read."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.locked():
            retried(self._refresh)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Let no other process change the copy's records meanwhile."""
        with (self.folder / ".refreshing").open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _refresh(self) -> None:
        here = self._here()  # before the listing: what comes after it is not missing from it
        there = self._listed()
        known = self._known()
        wanted = [
            one
            for key, one in there.items()
            if here.get(key) != one.size or _differs(one, known.get(key))
        ]
        # A visible trial has its measurements, here as anywhere.
        for kind in ("searches/", "reports/", "trials/"):
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                list(pool.map(self._fetch, [one for one in wanted if one.key.startswith(kind)]))
        for key in here.keys() - there.keys():
            (self.folder / key).unlink(missing_ok=True)
        self._know({key: one.stamp for key, one in there.items()})

    def _here(self) -> dict[str, int]:
        """Return the size of each file of the copy by its name in the store."""
        found = {}
        for top in ("searches", "reports", "trials"):
            for inside, _, files in os.walk(self.folder / top):
                for name in files:
                    file = Path(inside, name)
                    with suppress(FileNotFoundError):
                        found[self.key(file)] = file.lstat().st_size
        return found

    def _listed(self) -> dict[str, Listed]:
        """Return the store's objects that a reader may read.

        A listing of many pages is not one moment: during a merge it can miss both the new file and
        the old ones. Then the trials' numbers have a gap, and it is asked again, as `live_files`
        does.
        """
        before: set[str] | None = None
        while True:
            # Trials before reports: a trial that is put meanwhile is not seen without its own.
            folders = (".writers", "trials", "reports", "searches")
            objects = [one for folder in folders for one in self.bucket.objects(folder)]
            self.leases = {
                lease[1]: one.modified for one in objects if (lease := _LEASE.fullmatch(one.key))
            }
            found = {one.key: one for one in objects if _is_readable(self.bucket, one)}
            if found.keys() == before or _all_there(found):
                return found
            before = set(found)

    def _fetch(self, one: Listed) -> None:
        target = self.folder / one.key
        target.parent.mkdir(parents=True, exist_ok=True)
        aside = self.folder / f".fetched-{os.getpid()}-{abs(hash(one.key))}"
        try:
            self.bucket.download(one.key, aside)
            aside.replace(target)
        finally:
            aside.unlink(missing_ok=True)

    def _known(self) -> dict[str, str]:
        try:
            known = json.loads((self.folder / ".known.json").read_bytes())
        except (FileNotFoundError, ValueError):
            return {}
        return known if isinstance(known, dict) else {}

    def _know(self, stamps: Mapping[str, str]) -> None:
        aside = self.folder / ".known.aside"
        aside.write_text(json.dumps(stamps))
        aside.replace(self.folder / ".known.json")


def _is_readable(bucket: Bucket, one: Listed) -> bool:
    """Return whether an object is a file of a store, whose name is safe in a path."""
    if not _OURS.fullmatch(one.key) or "/../" in one.key or "/./" in one.key:
        return False
    if one.size > _MOST_BYTES:
        problem = f"left out: it is larger than {_MOST_BYTES / 2**30:g} GiB"
        warn_skipped(f"{bucket.url}/{one.key}", problem, "move it away")
        return False
    return True


def _differs(one: Listed, known: str | None) -> bool:
    """Return whether an object may differ from its copy, which has the same size.

    Args:
        one: the object.
        known: the stamp of what was fetched; None if this machine has put it, or it was lost.
    """
    is_record = one.key.count("/") == 1  # all others keep their content for ever
    return known != one.stamp if is_record or known is not None else False


def _all_there(found: Mapping[str, Listed]) -> bool:
    """Return whether no search misses a trial between its first and last one."""
    folders: dict[str, set[str]] = {}
    for key in found:
        folder, _, name = key.rpartition("/")
        if folder.startswith(("trials/", "reports/")):
            folders.setdefault(folder, set()).add(name)
    return all(without_gap(sorted(names - covered(names))) for names in folders.values())
