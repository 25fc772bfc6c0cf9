"""Removes a whole search from the store: rows, models, states, proposals, and its record last.

If that is cut short, the record is still there, and the search can be removed again.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

from tune_mnist.store.files.copied import LocalCopy
from tune_mnist.store.files.lease import Lease, lease_key
from tune_mnist.store.files.place import copy_of
from tune_mnist.store.layout import (
    ROW_KINDS,
    candidates_folder,
    check_tree,
    checkpoints_folder,
    models_folder,
    proposals_file,
    proposals_folder,
    quarantine_folder,
    record_file,
    rows_folder,
    writers_folder,
)
from tune_mnist.store.lock import doorway, lock_search, unlock_search


def remove_search(root: Path, search: str) -> None:
    """Remove a search that nobody writes; one that is gone already does not matter.

    Args:
        root: the store's folder; of a store at an address, its copy here.
        search: its name.

    Raises: InputError: it is being written, or something in it is a link. OSError: the store cannot
        be written.
    """
    folders = _folders(root, search)
    for folder in folders:
        check_tree(folder)
    writers_folder(root).mkdir(parents=True, exist_ok=True)
    with doorway(root):
        lock = lock_search(root, search)
    try:
        if copy := copy_of(root):
            _remove_there(copy, root, search)
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
        for file in (proposals_file(root, search), record_file(root, search)):
            file.unlink(missing_ok=True)
    finally:
        with doorway(root):
            unlock_search(root, search, lock)


def _folders(root: Path, search: str) -> list[Path]:
    made = (models_folder, candidates_folder, checkpoints_folder, quarantine_folder)
    rows = [rows_folder(root, kind, search) for kind in reversed(ROW_KINDS)]
    return [*rows, *(folder(root, search) for folder in made), proposals_folder(root, search)]


def _remove_there(copy: LocalCopy, root: Path, search: str) -> None:
    """Remove a search from the store far away; call it with the local lock held."""
    lease = Lease(copy.bucket, search)
    lease.take()
    try:
        for folder in _folders(root, search):
            prefix = copy.key(folder)
            found = [one.key for one in copy.bucket.objects(prefix)]
            copy.bucket.delete([key for key in found if key.startswith(f"{prefix}/")])
        copy.bucket.delete([copy.key(proposals_file(root, search))])
        copy.bucket.delete([copy.key(record_file(root, search))])
    finally:
        lease.release(clean=True)
    with suppress(OSError):
        copy.bucket.delete([lease_key(search)])
