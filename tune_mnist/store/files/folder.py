"""The files of one search in a local folder, and the right to write them.

A file is written aside, fsynced and renamed into place, and its folder is fsynced: it appears whole
or not at all. `objects.py` does the same on an object store.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Literal, TextIO

from tune_mnist.errors import InputError, input_error
from tune_mnist.store.files.models import models_here
from tune_mnist.store.layout import (
    ROW_KINDS,
    aside_file,
    candidates_folder,
    check_tree,
    checkpoints_folder,
    covered,
    live_files,
    model_folder,
    proposals_file,
    proposals_folder,
    quarantine_folder,
    record_file,
    rows_folder,
    writer_folder,
    writers_folder,
)
from tune_mnist.store.lock import dead_writers, doorway, lock_search, unlock_search
from tune_mnist.store.proposals import Proposal, append_line, line_of, sync_folder

Put = Literal["new", "changed", "over"]
"""How a file comes: under a name that must be free, in place of the one that we know, or anyhow."""


class Folder:
    """The files of one search in a local folder.

    Attributes:
        root: the store's folder, absolute.
        search: the search's id.
        promising: whether the name of a small file promises its trial's accuracy and wall time.
        to_fence: whether an earlier writer may come back, which must be kept out first.
    """

    promising = True
    to_fence = False

    def __init__(self, root: Path, search: str) -> None:
        self.root, self.search = root, search
        self.lock: TextIO

    def open(self, resume: bool) -> None:
        """Get the right to write the search, and tidy up after those who died.

        Raises: InputError: it is being written, or its name is taken. OSError: the disk refuses it.
        """
        for ours in (checkpoints_folder, candidates_folder):
            check_tree(ours(self.root, self.search))
        writers_folder(self.root).mkdir(parents=True, exist_ok=True)
        with doorway(self.root):
            self._check_name(resume)
            for search, lock in dead_writers(self.root):
                Folder(self.root, search).tidy()
                Folder(self.root, search).drop_candidates()
                unlock_search(self.root, search, lock)
            self.lock = lock_search(self.root, self.search)
        self.drop_candidates()
        self._make_folders()

    def close(self) -> None:
        """Release the search to other writers; a second call does nothing."""
        if self.lock.closed:
            return
        try:
            with doorway(self.root):
                unlock_search(self.root, self.search, self.lock)
        except (OSError, InputError):  # read-only, or held: the next writer will tidy our folder
            self.lock.close()

    @property
    def lease_age_s(self) -> float | None:
        """Seconds since the writer's lease was renewed; None in a folder, which needs no lease."""
        return None

    def check(self) -> None:
        """Raise an OSError if another writer has taken the search over: here, a lock forbids it."""

    def refresh(self) -> None:
        """Look again at what is there: here, every look does."""

    @contextmanager
    def appearing(self, target: Path, put: Put) -> Iterator[BinaryIO]:
        """Open a file that appears as `target` whole and safe from a power cut, or not at all."""
        aside = aside_file(self.root, self.search)
        try:
            with aside.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            self._publish(aside, target, put)
        except BaseException:
            with suppress(OSError):
                aside.unlink(missing_ok=True)  # a full disk needs its bytes
            raise
        sync_folder(target.parent)

    def remove(self, files: Sequence[Path]) -> None:
        """Remove files that a merged one covers; they are all in one folder."""
        # Plain readers see rows twice until these files are out of sight, and unlink is slower.
        aside = writer_folder(self.root, self.search)
        gone = [path.rename(aside / path.name) for path in files]
        sync_folder(files[0].parent)
        for path in gone:
            path.unlink()

    def tidy(self) -> None:
        """Remove files that were already merged, but not yet removed when their writer died."""
        for kind in ROW_KINDS:
            self._tidy(rows_folder(self.root, kind, self.search), "*.parquet")

    def set_aside(self, file: Path, name: str) -> Path:
        """Move a file into quarantine, under this name or one like it; return where it is."""
        target = self._free(name)
        return file.rename(target)

    def append_proposal(self, proposal: Proposal) -> None:
        """Append one proposal, whole or not at all.

        Raises: ValueError: it cannot be written as JSON.
        """
        append_line(proposals_file(self.root, self.search), proposal)

    def repair_proposals(self, proposals: Iterable[Proposal]) -> None:
        """Write the whole list of proposals anew; a copy of the damaged one is kept."""
        file, pieces = proposals_file(self.root, self.search), self._pieces()
        self._keep_list(file, pieces)
        with self.appearing(file, "over") as repaired:
            repaired.writelines(map(line_of, proposals))
        self._unlink(pieces)

    def _keep_list(self, file: Path, pieces: Sequence[Path]) -> None:
        """Put a copy of the list of proposals, its file and its pieces, into quarantine."""
        old = [file, *pieces] if file.exists() else pieces
        if old:
            folder = quarantine_folder(self.root, self.search)
            folder.mkdir(parents=True, exist_ok=True)
            copies = len(list(folder.glob(f"{file.name}*")))
            with self.appearing(folder / f"{file.name}.{copies + 1}", "new") as copy:
                copy.writelines(one.read_bytes() for one in old)

    def _pieces(self) -> list[Path]:
        """Return the pieces of the list: on an object store, or in a copy of one."""
        return live_files(proposals_folder(self.root, self.search), ".jsonl")

    def models(self) -> set[str]:
        """Return the trials whose models are there, perhaps not whole; what is not ours stays."""
        return models_here(self.root, self.search)

    def keep_model(self, candidate: Path, trial: str) -> None:
        """Let a sealed model appear as that of a trial; what was there is removed first."""
        self.drop_models([trial])
        target = model_folder(self.root, self.search, trial)
        for folder in (target.parent.parent, target.parent):
            folder.mkdir(exist_ok=True)
            sync_folder(folder.parent)
        self._share_model(candidate, target)
        candidate.rename(target)
        sync_folder(target.parent)

    def drop_models(self, trials: Iterable[str]) -> None:
        """Remove the models of some trials."""
        aside = candidates_folder(self.root, self.search)
        for trial in trials:
            folder = model_folder(self.root, self.search, trial)
            if folder.is_dir():
                aside.mkdir(parents=True, exist_ok=True)
                gone = folder.rename(aside / f"gone-{trial}-{secrets.token_hex(4)}")
                sync_folder(folder.parent)
                shutil.rmtree(gone)

    def drop_candidates(self) -> None:
        """Remove the models that trials have written and nobody has kept."""
        shutil.rmtree(candidates_folder(self.root, self.search), ignore_errors=True)

    def _share_model(self, candidate: Path, target: Path) -> None:
        """Put a model where other machines find it too: here, all of them see the folder."""

    def compact_proposals(self) -> None:
        """Merge what the list of proposals is made of: here, one file that grows."""

    def _check_name(self, resume: bool) -> None:
        """Raise InputError if a new search has a name that is taken."""
        folders = [rows_folder(self.root, kind, self.search) for kind in ROW_KINDS]
        plan = record_file(self.root, self.search)
        if not resume and (plan.exists() or any(map(live_files, folders))):
            raise input_error(
                "`name`",
                f"a search {self.search!r} is already in {self.root}",
                "choose another `name`",
            )

    def _make_folders(self) -> None:
        folders = [rows_folder(self.root, kind, self.search) for kind in ROW_KINDS]
        for folder in (*folders, record_file(self.root, self.search).parent):
            folder.mkdir(parents=True, exist_ok=True)
            sync_folder(folder.parent)

    def _publish(self, aside: Path, target: Path, put: Put) -> None:
        aside.replace(target)

    def _tidy(self, folder: Path, pattern: str) -> None:
        names = {file.name for file in folder.glob(pattern) if not file.is_dir()}
        if gone := covered(names):
            self._unlink([folder / name for name in gone])

    def _unlink(self, files: Sequence[Path]) -> None:
        for file in files:
            file.unlink()

    def _free(self, name: str) -> Path:
        """Return a path in quarantine that is not there yet."""
        folder = quarantine_folder(self.root, self.search)
        folder.mkdir(parents=True, exist_ok=True)
        target, count = folder / name, 1
        while target.exists():
            count += 1
            target = folder / f"{name}.{count}"
        return target
