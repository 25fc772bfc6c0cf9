"""Saved models in the store: `models/search=<id>/<trial>/`, whole or not at all.

A trial writes its model into a folder of its own below `.models/<id>/` and seals it (`sealing.py`):
everything is fsynced, and `files.json` lists sizes and SHA-256. The search's writer renames the
sealed folder into place before it stores the trial's row. So the row of one of the best trials
always has its model, whatever is killed when. A model whose row never came is replaced when its
trial runs again. On an object store, where no folder can be renamed, `files.json` is put last and
removed first: a model without it is not there.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from tune_mnist.errors import input_error
from tune_mnist.store.files.bucket import Bucket
from tune_mnist.store.files.copied import LocalCopy
from tune_mnist.store.files.sealing import LIST, MOST_BYTES, check_sealed
from tune_mnist.store.layout import (
    below,
    is_trial_name,
    model_folder,
    models_folder,
    not_ours,
)


def check_model(folder: Path) -> Path:
    """Return a saved model's folder if it is whole. Raises: InputError: as `check_sealed`."""
    return check_sealed(folder, "saved model")


def models_here(root: Path, search: str) -> set[str]:
    """Return the trials that have a folder for a model, perhaps not whole; others' are left out."""
    folder = models_folder(root, search)
    found = folder.iterdir() if folder.is_dir() else ()
    return {one.name for one in found if is_trial_name(one.name) and not not_ours(one)}


def put_model(bucket: Bucket, folder: Path, key: str) -> None:
    """Put a sealed model into an object store, under names that begin with the key."""
    names = [file.name for file in sorted(folder.iterdir()) if file.name != LIST]
    for name in (*names, LIST):
        bucket.upload(f"{key}/{name}", folder / name)


def delete_model(bucket: Bucket, key: str) -> None:
    """Remove all that begins with the key from an object store, the list of files first."""
    keys = [one.key for one in bucket.objects(key)]
    for some in (
        [one for one in keys if one == f"{key}/{LIST}"],
        [one for one in keys if one != f"{key}/{LIST}"],
    ):
        if some:
            bucket.delete(some)


def fetch_model(copy: LocalCopy, search: str, trial: str) -> None:
    """Make the copy's saved model of a trial what the store has.

    Raises: BucketError: the store cannot be read. InputError: it is larger than a model can be.
    """
    folder = model_folder(copy.folder, search, trial)
    key = copy.key(folder)
    try:
        listed, _ = copy.bucket.get(f"{key}/{LIST}")
        if (folder / LIST).is_file() and (folder / LIST).read_bytes() == listed:
            return
    except FileNotFoundError:  # then it has none
        listed = b""
    shutil.rmtree(folder, ignore_errors=True)
    if not listed:
        return
    folder.mkdir(parents=True)
    for one in copy.bucket.objects(key):
        if one.size > MOST_BYTES:
            problem = f"is larger than {MOST_BYTES / 2**30:g} GiB"
            raise input_error(f"{copy.bucket.url}/{one.key}", problem, "do not trust it")
        if (file := below(copy.folder, *one.key.split("/"))).parent == folder:
            copy.bucket.download(one.key, file)


def trials_of(keys: Sequence[str]) -> set[str]:
    """Return the trials that these names of objects, `models/search=<id>/<trial>/...`, are of."""
    split = [key.split("/") for key in keys]
    return {parts[2] for parts in split if len(parts) == 4 and is_trial_name(parts[2])}
