"""The files of one search on an object store (S3, GCS, Azure), and the right to write them.

Each file is put once, whole, under its final name, and only if no object has that name; then it
goes into the local copy (`copied.py`), from which all reading is done.

A search numbers its rows and its pieces of proposals 0, 1, 2, ..., and a small file's name is its
number alone. So a driver that was cut off and comes back cannot double a trial. Who takes a search
over first puts empty files at the next free numbers, as a fence. If the old driver's file was there
first, it counts, and the fence comes after it; if the fence is there, the old driver's next put is
refused, and it writes nothing more. No clock is needed for this. Records are replaced only while
they have the ETag that their writer knows, and before a record or a merge a writer looks whether
the lease (`lease.py`) is still its own. A merge that comes late nevertheless changes nothing: its
rows are in the store already, and the rule of `layout.py` covers what it covers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path

from tune_mnist.store.files.bucket import Version
from tune_mnist.store.files.copied import LocalCopy
from tune_mnist.store.files.folder import Folder, Put
from tune_mnist.store.files.lease import Lease, TakenError
from tune_mnist.store.files.models import delete_model, put_model, trials_of
from tune_mnist.store.files.states import States
from tune_mnist.store.layout import (
    candidates_folder,
    check_tree,
    checkpoints_folder,
    file_name,
    model_folder,
    models_folder,
    numbers,
    proposals_file,
    proposals_folder,
    record_file,
    writers_folder,
)
from tune_mnist.store.lock import doorway, lock_search
from tune_mnist.store.proposals import Proposal, line_of

PIECES = 64  # of a list of proposals, before they are merged
_ATTEMPTS = 100


class Objects(Folder):
    """The files of one search on an object store, and in its local copy."""

    promising = False

    def __init__(self, copy: LocalCopy, search: str) -> None:
        super().__init__(copy.folder, search)
        self._copy = copy
        self._bucket = replace(copy.bucket, patient=True)
        self._lease = Lease(self._bucket, search)
        self._states = States(self._bucket, copy, search, self._lease.check)
        self._record: Version | None = None
        self._next_piece = 0
        self._whole = True  # nothing that we put may be there in part

    def open(self, resume: bool) -> None:
        """Get the right to write the search: on this machine by a lock, elsewhere by a lease."""
        for ours in (checkpoints_folder, candidates_folder):
            check_tree(ours(self.root, self.search))
        writers_folder(self.root).mkdir(parents=True, exist_ok=True)
        with doorway(self.root):
            self.lock = lock_search(self.root, self.search)
        with ExitStack() as undo:
            undo.callback(super().close)
            self._lease.take()
            undo.callback(self._lease.release, clean=self._lease.was_closed)
            self._copy.refresh()
            self._check_name(resume)
            self.drop_candidates()
            self._make_folders()
            self._record = self._bucket.version(self._key(record_file(self.root, self.search)))
            self.to_fence = not self._lease.was_closed
            self._number_pieces()
            if self.to_fence:
                self._fence_proposals()
            self.tidy()
            self._states.start()
            undo.pop_all()

    def close(self) -> None:
        """Release the search to other writers; a second call does nothing."""
        if not self.lock.closed:
            self._states.stop()
            self._lease.release(clean=self._whole and not self.to_fence)
        super().close()

    @property
    def lease_age_s(self) -> float | None:
        """Seconds since the lease was renewed."""
        return self._lease.age_s

    def check(self) -> None:
        """Raise TakenError if another writer has taken the search over."""
        self._lease.check()

    def refresh(self) -> None:
        """Look again at what is there."""
        self._copy.refresh()

    def remove(self, files: Sequence[Path]) -> None:
        """Remove files that a merged one covers."""
        self._unlink(files)

    def tidy(self) -> None:
        """Remove files that were already merged, but not yet removed when their writer died."""
        super().tidy()
        self._tidy(self._list, "*.jsonl")

    def set_aside(self, file: Path, name: str) -> Path:
        """Put a copy of a file into quarantine and remove it; return where the copy is."""
        target = self._free(name)
        self._bucket.put(self._key(target), file.read_bytes())
        self._bucket.delete([self._key(file)])
        return file.rename(target)

    def models(self) -> set[str]:
        """Return the trials whose models are there, perhaps not whole."""
        folder = self._key(models_folder(self.root, self.search))
        return super().models() | trials_of([one.key for one in self._bucket.objects(folder)])

    def drop_models(self, trials: Iterable[str]) -> None:
        """Remove the models of some trials."""
        trials = list(trials)
        if trials:
            self.check()
        for trial in trials:
            delete_model(self._bucket, self._key(model_folder(self.root, self.search, trial)))
        super().drop_models(trials)

    def append_proposal(self, proposal: Proposal) -> None:
        """Append one proposal, as a piece of its own. Raises: as `Folder.append_proposal`."""
        self._put_piece(self._next_piece, line_of(proposal))
        small = [file for file in self._pieces() if _is_small(file)]
        if len(small) >= PIECES:
            with suppress(OSError):  # it can wait: the proposal is safe
                self._merge_pieces(small)

    def compact_proposals(self) -> None:
        """Merge the pieces of the list of proposals into one."""
        if len(pieces := self._pieces()) > 1:
            self._merge_pieces(pieces)

    def repair_proposals(self, proposals: Iterable[Proposal]) -> None:
        """Write the whole list of proposals anew; a copy of the damaged one is kept."""
        file, pieces = proposals_file(self.root, self.search), self._pieces()
        self._keep_list(file, pieces)
        self._put_piece(0, b"".join(map(line_of, proposals)))
        self._unlink([file, *pieces] if file.exists() else pieces)

    @property
    def _list(self) -> Path:
        return proposals_folder(self.root, self.search)

    def _number_pieces(self) -> None:
        spans = [span for file in self._pieces() if (span := numbers(file.name))]
        self._next_piece = 1 + max((last for _, last in spans), default=-1)

    def _fence_proposals(self) -> None:
        """Put an empty piece behind all that an earlier writer has put."""
        for _ in range(_ATTEMPTS):
            try:
                return self._put_piece(self._next_piece, b"")
            except TakenError:
                self._copy.refresh()
                self._number_pieces()
        return self._put_piece(self._next_piece, b"")

    def _put_piece(self, first: int, content: bytes) -> None:
        """Put an object that holds all from piece `first` to the next free number."""
        self._list.mkdir(parents=True, exist_ok=True)
        with self.appearing(self._list / _piece_name(first, self._next_piece), "new") as file:
            file.write(content)
        self._next_piece += 1

    def _merge_pieces(self, files: Sequence[Path]) -> None:
        self.check()
        (first, _), (_, last) = (numbers(file.name) or (0, 0) for file in (files[0], files[-1]))
        with self.appearing(self._list / _piece_name(first, last), "new") as file:
            file.writelines(one.read_bytes() for one in files)
        self._unlink(files)

    def _publish(self, aside: Path, target: Path, put: Put) -> None:
        """Put a file into the store, then into the copy."""
        key, content = self._key(target), aside.read_bytes()
        try:
            if put == "changed":
                self._change(key, content, aside, target)
                return
            if put == "new":
                self._bucket.create(key, content)
            else:
                self._bucket.put(key, content)
        except FileExistsError:
            self._whole = False
            raise self._lease.taken() from None
        except BaseException:
            self._whole = False
            raise
        aside.replace(target)

    def _share_model(self, candidate: Path, target: Path) -> None:
        put_model(self._bucket, candidate, self._key(target))

    def _change(self, key: str, content: bytes, aside: Path, target: Path) -> None:
        """Replace the record, unless another process has changed it since we know it."""
        self.check()
        with self._copy.locked():
            self._record = (
                self._bucket.create(key, content)
                if self._record is None
                else self._bucket.replace(key, content, self._record)
            )
            aside.replace(target)

    def _unlink(self, files: Sequence[Path]) -> None:
        self._bucket.delete([self._key(file) for file in files])
        for file in files:
            file.unlink(missing_ok=True)

    def _key(self, file: Path) -> str:
        return self._copy.key(file)


def _piece_name(first: int, last: int) -> str:
    return file_name(first, last).replace(".parquet", ".jsonl")


def _is_small(file: Path) -> bool:
    first, last = numbers(file.name) or (0, 0)
    return first == last
