"""IDX files, the format of MNIST: accepted only if every byte is accounted for.

The first bytes of a file, not its name, show whether it is raw or gzip. EMNIST's names have a
prefix; QMNIST's labels are a table of 32-bit numbers, whose first column is the class.
Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database", section File Formats.
"""

from __future__ import annotations

import gzip
import math
import os
import re
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from tune_mnist.datasets.dataset import PARTS, Images, PartName, Unsplit
from tune_mnist.datasets.formats.arrays import check_pair, check_same_size
from tune_mnist.datasets.formats.file_sets import FileSet, files_of, part_of, quick
from tune_mnist.datasets.memory import check_fits
from tune_mnist.errors import Fault, InputError, input_error

FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
NAME = re.compile(
    r"(?P<stem>.+)[-_.](?P<what>images|labels)[-.]idx\d[-.](?:ubyte|int)(?:\.gz)?", re.IGNORECASE
)
UNSIGNED_BYTE, INT = 0x08, 0x0C
CHUNK_BYTES = 1 << 20
GET_AGAIN = "copy or download the file again"

T = TypeVar("T")
R = TypeVar("R")


def find(files: Sequence[Path]) -> list[FileSet]:
    """Return the data sets whose IDX files are among these."""
    return [
        FileSet(
            one.name,
            (*(one.roles[role] for role in sorted(one.roles, key=_train_first)), *one.copies),
            quick(partial(_read, one)),
        )
        for one in _sets(files).values()
    ]


def holds_idx(folder: Path) -> bool:
    """Return whether any of the four files of MNIST is in `folder`."""
    return folder.is_dir() and "" in _sets(files_of(folder))


def read_idx_folder(folder: Path, classes: Sequence[str] = ()) -> Unsplit:
    """Read the four files of a data set; the two test files may be missing if `classes` is empty.

    Args:
        folder: holds the files of `FILES`, or with a dot for the second dash, each raw or with
            ".gz" (raw is preferred), directly or in a folder of its own name.
        classes: the names of labels 0..k-1. If it is empty, the labels must be consecutive whole
            numbers, starting anywhere, and serve as the class names.

    Raises: InputError: a file is missing, damaged or empty; images and labels differ in number; or
        a label is out of range. Faults of several files are raised together.
    """
    return _read(_sets(files_of(folder)).get("", _Set("", folder)), classes)


@dataclass
class _Set:
    """The files of one data set.

    Args:
        name: what its files' names begin with: "emnist-balanced"; "" for MNIST's own names.
        folder: where most of them are.
        roles: the files by what they hold: "train images".
        copies: files that hold the same as others, and are not used.
    """

    name: str
    folder: Path
    roles: dict[str, Path] = field(default_factory=dict)
    copies: list[Path] = field(default_factory=list)


def _train_first(role: str) -> bool:
    return not role.startswith("train")


def _read(one: _Set, classes: Sequence[str] = ()) -> Unsplit:
    named: Sequence[PartName] = ("train", "test") if classes else ("train",)
    parts = [part for part in PARTS if part in named or any(r.startswith(part) for r in one.roles)]
    roles = [f"{part} {what}" for part in parts for what in ("images", "labels")]
    paths = _together(roles, lambda role: _existing(one, role))
    arrays = _together(paths, read_idx)
    pairs = range(0, len(paths), 2)
    _together(
        pairs,
        lambda i: check_pair(paths[i + 1], len(arrays[i + 1]), paths[i].name, len(arrays[i])),
    )
    _together(pairs, lambda i: check_same_size(paths[i], arrays[i], paths[0].name, arrays[0]))
    first = 0 if classes else int(arrays[1].min())
    names = tuple(classes) or _consecutive(paths[1], arrays[1])
    _together(
        range(1, len(paths), 2), lambda i: _check_labels(paths[i], arrays[i], first, len(names))
    )
    images = {
        part: Images(pixels.astype(np.uint8, copy=False), labels.astype(np.int64) - first)
        for part, pixels, labels in zip(parts, arrays[::2], arrays[1::2], strict=True)
    }
    return Unsplit(images["train"], images.get("test"), names, val=images.get("val"))


def _sets(files: Sequence[Path]) -> dict[str, _Set]:
    """Return the data sets by name; a raw file comes before its gzip."""
    sets: dict[str, _Set] = {}
    for path in sorted(files, key=lambda path: (len(path.parts), path.suffix == ".gz")):
        match = NAME.fullmatch(path.name)
        name, part = part_of(match["stem"]) if match else ("", None)
        if match and part:
            one = sets.setdefault(name, _Set(name, path.parent))
            role = f"{part} {match['what'].lower()}"
            if role in one.roles:
                one.copies.append(path)
            one.roles.setdefault(role, path)
    return dict(sorted(sets.items()))


def read_idx(path: Path) -> npt.NDArray[Any]:
    """Read one IDX file.

    Returns: (n,) uint8 or int32 for labels, (n, h, w) or (n, h, w, 3) uint8 for images; n, h and
        w >= 1. Of a table of labels, (n, k), the first column.
    Raises: InputError: the file is not IDX, has another type or number of dimensions, or is shorter
        or longer than its header says; or its gzip stream ends early or fails its checksum.
    """
    contents, damage = _contents(path)
    type_, dimensions = _header(path, contents, damage)
    start = 4 + 4 * len(dimensions)
    expected = start + math.prod(dimensions) * type_.itemsize
    if damage or len(contents) != expected:
        problem = f"{len(contents):,} bytes{' unpacked' if damage else ''}, expected {expected:,}"
        raise input_error(path, f"{problem} {damage}", GET_AGAIN)
    if expected == start:
        raise input_error(path, f"is empty, its dimensions are {dimensions}", GET_AGAIN)
    array = np.frombuffer(contents, type_, offset=start).reshape(dimensions)
    return array[:, 0].astype(np.int32) if array.ndim == 2 else array


def _header(path: Path, contents: bytearray, damage: str) -> tuple[np.dtype[Any], tuple[int, ...]]:
    """Return type and dimensions in the header, after checking them.

    Images have 3 or 4 dimensions of unsigned bytes. Labels have 1, or 1 or 2 of 32-bit numbers.
    """
    labels = "labels" in path.name.lower()
    too_short = f"ends inside its header: {len(contents)} bytes {damage}"
    if len(contents) < 4:
        raise input_error(path, too_short, GET_AGAIN)
    if contents[:2] != b"\0\0":
        raise input_error(path, f"is not IDX: starts with 0x{contents[:4].hex()}", GET_AGAIN)
    table = labels and contents[2] == INT
    if contents[2] != UNSIGNED_BYTE and not table:
        raise input_error(path, f"its type is 0x{contents[2]:02x}", "use unsigned bytes, 0x08")
    dimensions_allowed = (1, 2) if table else (1,) if labels else (3, 4)
    if contents[3] not in dimensions_allowed:
        allowed = " or ".join(map(str, dimensions_allowed))
        raise input_error(path, f"has {contents[3]} dimensions", f"it must have {allowed}")
    if len(contents) < 4 + 4 * contents[3]:
        raise input_error(path, too_short, GET_AGAIN)
    sizes = np.frombuffer(contents, ">u4", count=contents[3], offset=4)
    dimensions = tuple(int(size) for size in sizes)
    if len(dimensions) == 4 and dimensions[3] != 3:
        raise input_error(path, f"has {dimensions[3]} channels", "use 3, or grey in 3 dimensions")
    return np.dtype(">i4" if table else "u1"), dimensions


def _contents(path: Path) -> tuple[bytearray, str]:
    """Return a file's bytes, unpacked, and what ended the unpacking early, or ""."""
    contents = bytearray()
    try:
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            check_fits(path, os.fstat(file.fileno()).st_size)
            with gzip.open(file) if packed else file as stream:
                while chunk := stream.read1(CHUNK_BYTES):  # keeps what comes before a damaged part
                    contents += chunk
                    # Stop beyond the promised length: a small gzip may unpack to terabytes.
                    if packed and len(contents) > _promised(contents) and stream.read1(1):
                        return contents, "(and more)"
                    if packed and len(contents) >= CHUNK_BYTES:
                        check_fits(path, _promised(contents))
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        return contents, f"({error})"
    except OSError as error:
        raise input_error(path, f"cannot be read: {error.strerror}", "make it readable") from None
    return contents, ""


def _promised(contents: bytearray) -> int:
    """Return the length of the file according to its header, of which only a part may be read."""
    count = contents[3] if len(contents) >= 4 else 0
    sizes = bytes(contents[4 : 4 + 4 * count])
    values = math.prod(int.from_bytes(sizes[at : at + 4], "big") for at in range(0, len(sizes), 4))
    return 4 + 4 * count + values * (4 if count and contents[2] == INT else 1)


def _consecutive(path: Path, labels: npt.NDArray[Any]) -> tuple[str, ...]:
    """Return the labels' numbers as class names; refuse a gap, which is more likely damage."""
    present = np.unique(labels)
    gap = np.flatnonzero(np.diff(present) > 1)
    if len(gap):
        below, above = present[gap[0]], present[gap[0] + 1]
        raise input_error(
            path,
            f"no label between {below} and {above}",
            "number the classes without gaps, or repair the file",
        )
    return tuple(str(label) for label in present)


def _check_labels(path: Path, labels: npt.NDArray[Any], first: int, k: int) -> None:
    wrong = np.flatnonzero((labels < first) | (labels >= first + k))
    if len(wrong):
        raise input_error(
            path,
            f"label {labels[wrong[0]]} of image {wrong[0]} ({len(wrong):,} such)",
            f"labels must be {first} to {first + k - 1}",
        )


def _existing(one: _Set, role: str) -> Path:
    if role in one.roles:
        return one.roles[role]
    part, _, what = role.partition(" ")
    stem = f"{one.name}-{part}" if one.name else {"test": "t10k"}.get(part, part)
    name = f"{stem}-{what}-idx{'3' if what == 'images' else '1'}-ubyte"
    raise input_error(one.folder, f"has neither {name} nor {name}.gz", "put the file there")


def _together(items: Sequence[T], step: Callable[[T], R]) -> list[R]:
    """Return `step` of every item, or raise the faults of all items as one error."""
    results: list[R] = []
    faults: list[Fault] = []
    for item in items:
        try:
            results.append(step(item))
        except InputError as error:
            faults.extend(error.faults)
    if faults:
        raise InputError(faults)
    return results
