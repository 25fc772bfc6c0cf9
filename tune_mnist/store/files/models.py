"""Saved models in the store: `models/search=<id>/<trial>/`, whole or not at all.

A trial writes its model into a folder of its own below `.models/<id>/` and seals it: everything is
fsynced, and `files.json` says how large each file is and what its SHA-256 is. The search's writer
renames the sealed folder into place before it stores the trial's row. So the row of one of the best
trials always has its model, whatever is killed when. A model whose row never came is replaced when
its trial runs again. On an object store, where no folder can be renamed, `files.json` is put last
and removed first: a model without it is not there.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, BinaryIO

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tune_mnist.errors import input_error
from tune_mnist.store.files.bucket import Bucket
from tune_mnist.store.files.copied import LocalCopy
from tune_mnist.store.layout import (
    below,
    is_trial_name,
    model_folder,
    models_folder,
    not_ours,
)
from tune_mnist.store.proposals import sync_folder

LIST = "files.json"
MOST_FILES, MOST_BYTES = 100, 2**32
_MOST_LISTED = 2**20  # bytes of the list
_FIX = "restore it from a copy, or run the trial again with `rerun`"


class Sealed(BaseModel):
    """A file of a saved model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$")]
    bytes: Annotated[int, Field(ge=0, le=MOST_BYTES)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Seal(BaseModel):
    """The files of a saved model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    files: Annotated[tuple[Sealed, ...], Field(min_length=1, max_length=MOST_FILES)]


def seal(folder: Path) -> None:
    """Make a model that was written into a folder safe from a power cut, and list its files.

    Raises: InputError: its files are none, too many, too large, or have names that a model in the
        store cannot have.
    """
    files = []
    for file in sorted(path for path in folder.iterdir() if path.name != LIST):
        with file.open("rb") as content:
            digest, size = _digest(content)
            os.fsync(content.fileno())
        files.append({"name": file.name, "bytes": size, "sha256": digest})
    try:
        listed = Seal.model_validate({"files": files})
    except ValidationError as error:
        fix = f"let it write 1 to {MOST_FILES} files with plain names into its folder"
        problem = f"cannot be kept: {error.errors()[0]['msg']}"
        raise input_error("a saved model", problem, fix) from None
    with (folder / LIST).open("wb") as file_list:
        file_list.write(listed.model_dump_json().encode())
        file_list.flush()
        os.fsync(file_list.fileno())
    sync_folder(folder)


def check_model(folder: Path) -> Path:
    """Return a saved model's folder if it holds what was sealed there, and nothing else.

    Raises: InputError: it is missing or damaged, or a link or an unlisted file is in it.
    """
    file = below(folder, LIST)
    try:
        if file.stat().st_size > _MOST_LISTED:
            raise input_error(file, "is larger than the list of a model's files can be", _FIX)
        listed = Seal.model_validate_json(file.read_bytes()).files
    except FileNotFoundError:
        raise input_error(folder, "is no whole saved model", _FIX) from None
    except OSError as error:
        raise input_error(file, f"cannot be read: {error.strerror}", _FIX) from None
    except ValidationError as error:
        problem = f"is not the list of a model's files: {error.errors()[0]['msg']}"
        raise input_error(file, problem, _FIX) from None
    names = {one.name for one in listed}
    if odd := {path.name for path in folder.iterdir()} - names - {LIST}:
        raise input_error(folder / sorted(odd)[0], "is not one of the model's files", "remove it")
    for one in listed:
        path = below(folder, one.name)
        if not path.is_file() or path.stat().st_size != one.bytes or _of(path) != one.sha256:
            raise input_error(path, "is missing or damaged", _FIX)
    return folder


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


def _of(file: Path) -> str:
    with file.open("rb") as content:
        return _digest(content)[0]


def _digest(content: BinaryIO) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    while chunk := content.read(2**20):
        digest.update(chunk)
        size += len(chunk)
    return digest.hexdigest(), size
