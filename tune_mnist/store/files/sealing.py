"""A sealed folder: a list in it says how large each of its files is and what its SHA-256 is.

Saved models and the states that come from other nodes are sealed. Who reads one can tell whether it
is whole.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Annotated, BinaryIO

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tune_mnist.errors import input_error
from tune_mnist.store.layout import below
from tune_mnist.store.proposals import sync_folder

LIST = "files.json"
MOST_FILES, MOST_BYTES = 100, 2**32
_MOST_LISTED = 2**20  # bytes of the list
_FIX = "restore it from a copy, or run the trial again with `rerun`"


class Sealed(BaseModel):
    """A file of a sealed folder."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$")]
    bytes: Annotated[int, Field(ge=0, le=MOST_BYTES)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Seal(BaseModel):
    """The files of a sealed folder."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    files: Annotated[tuple[Sealed, ...], Field(min_length=1, max_length=MOST_FILES)]


def seal(folder: Path) -> None:
    """Make what was written into a folder safe from a power cut, and list its files.

    Raises: InputError: its files are none, too many, too large, or have names that a sealed folder
        cannot have.
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


def check_sealed(folder: Path, what: str) -> Path:
    """Return a sealed folder if it holds what was sealed there, and nothing else.

    Args:
        folder: to check.
        what: it is, for the error: "saved model".

    Raises: InputError: it is missing or damaged, or a link or an unlisted file is in it.
    """
    listed = listed_files(folder, what)
    names = {one.name for one in listed}
    if odd := {path.name for path in folder.iterdir()} - names - {LIST}:
        problem = f"is not one of the files of this {what}"
        raise input_error(folder / sorted(odd)[0], problem, "remove it")
    for one in listed:
        path = below(folder, one.name)
        if not path.is_file() or path.stat().st_size != one.bytes or _of(path) != one.sha256:
            raise input_error(path, "is missing or damaged", _FIX)
    return folder


def listed_files(folder: Path, what: str) -> tuple[Sealed, ...]:
    """Return which files a sealed folder should hold. Args, Raises: as `check_sealed`."""
    file = below(folder, LIST)
    try:
        if file.stat().st_size > _MOST_LISTED:
            raise input_error(file, f"is larger than the list of a {what}'s files can be", _FIX)
        return Seal.model_validate_json(file.read_bytes()).files
    except FileNotFoundError:
        raise input_error(folder, f"is no whole {what}", _FIX) from None
    except OSError as error:
        raise input_error(file, f"cannot be read: {error.strerror}", _FIX) from None
    except ValidationError as error:
        problem = f"is not the list of a {what}'s files: {error.errors()[0]['msg']}"
        raise input_error(file, problem, _FIX) from None


def _of(file: Path) -> str:
    with file.open("rb") as content:
        return _digest(content)[0]


def _digest(content: BinaryIO) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    while chunk := content.read(2**20):
        digest.update(chunk)
        size += len(chunk)
    return digest.hexdigest(), size
