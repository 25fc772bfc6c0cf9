"""IDX files, the format of MNIST: accepted only if every byte is accounted for.

The first bytes of a file, not its name, show whether it is raw or gzip.
Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database", section File Formats.
"""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from tune_mnist.datasets.dataset import Images, Unsplit
from tune_mnist.errors import Fault, InputError, input_error

FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
UNSIGNED_BYTE = 0x08
CHUNK_BYTES = 1 << 20
GET_AGAIN = "copy or download the file again"

T = TypeVar("T")
R = TypeVar("R")


def holds_idx(folder: Path) -> bool:
    """Return whether any of the four files is directly in `folder`, raw or gzip."""
    return any(_find(folder, name) for name in FILES)


def read_idx_folder(folder: Path, classes: Sequence[str] = ()) -> Unsplit:
    """Read the four files of a data set; the two test files may be missing if `classes` is empty.

    Args:
        folder: holds the files of `FILES`, each raw or with ".gz" (raw is preferred).
        classes: the names of labels 0..k-1. If it is empty, the labels must be consecutive whole
            numbers, starting anywhere, and serve as the class names.

    Raises: InputError: a file is missing, damaged or empty; images and labels differ in number; or
        a label is out of range. Faults of several files are raised together.
    """
    expected = FILES if classes or any(_find(folder, name) for name in FILES[2:]) else FILES[:2]
    paths = _together(expected, lambda name: _existing(folder, name))
    arrays = _together(paths, read_idx)
    _together(range(0, len(paths), 2), lambda i: _check_pair(paths[i : i + 2], arrays[i : i + 2]))
    if len(arrays) == 4 and arrays[0].shape[1:] != arrays[2].shape[1:]:
        raise input_error(
            paths[2],
            f"its images are {_by(arrays[2])}, those of {paths[0].name} are {_by(arrays[0])}",
            "use train and test images of one size",
        )
    first = 0 if classes else int(arrays[1].min())
    names = tuple(classes) or _consecutive(paths[1], arrays[1])
    _together(
        range(1, len(paths), 2), lambda i: _check_labels(paths[i], arrays[i], first, len(names))
    )
    parts = [
        Images(arrays[i], arrays[i + 1].astype(np.int64) - first) for i in range(0, len(arrays), 2)
    ]
    return Unsplit(parts[0], parts[1] if len(parts) == 2 else None, names)


def read_idx(path: Path) -> npt.NDArray[np.uint8]:
    """Read one IDX file of unsigned bytes.

    Returns: (n,) for labels, (n, h, w) or (n, h, w, 3) for images; n, h, w >= 1.
    Raises: InputError: the file is not IDX, has another type or number of dimensions, or is shorter
        or longer than its header says; or its gzip stream ends early or fails its checksum.
    """
    contents, damage = _contents(path)
    dimensions = _header(path, contents, damage)
    start = 4 + 4 * len(dimensions)
    expected = start + math.prod(dimensions)
    if damage or len(contents) != expected:
        problem = f"{len(contents):,} bytes{' unpacked' if damage else ''}, expected {expected:,}"
        raise input_error(path, f"{problem} {damage}", GET_AGAIN)
    if expected == start:
        raise input_error(path, f"is empty, its dimensions are {dimensions}", GET_AGAIN)
    return np.frombuffer(contents, np.uint8, offset=start).reshape(dimensions)


def _header(path: Path, contents: bytearray, damage: str) -> tuple[int, ...]:
    """Return the dimensions in the header, after checking them: labels have 1, images 3 or 4."""
    dimensions_allowed = (1,) if "labels" in path.name else (3, 4)
    too_short = f"ends inside its header: {len(contents)} bytes {damage}"
    if len(contents) < 4:
        raise input_error(path, too_short, GET_AGAIN)
    if contents[:2] != b"\0\0":
        raise input_error(path, f"is not IDX: starts with 0x{contents[:4].hex()}", GET_AGAIN)
    if contents[2] != UNSIGNED_BYTE:
        raise input_error(path, f"its type is 0x{contents[2]:02x}", "use unsigned bytes, 0x08")
    if contents[3] not in dimensions_allowed:
        allowed = " or ".join(map(str, dimensions_allowed))
        raise input_error(path, f"has {contents[3]} dimensions", f"it must have {allowed}")
    if len(contents) < 4 + 4 * contents[3]:
        raise input_error(path, too_short, GET_AGAIN)
    sizes = np.frombuffer(contents, ">u4", count=contents[3], offset=4)
    dimensions = tuple(int(size) for size in sizes)
    if len(dimensions) == 4 and dimensions[3] != 3:
        raise input_error(path, f"has {dimensions[3]} channels", "use 3, or grey in 3 dimensions")
    return dimensions


def _contents(path: Path) -> tuple[bytearray, str]:
    """Return a file's bytes, unpacked, and what ended the unpacking early, or ""."""
    contents = bytearray()
    try:
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            with gzip.open(file) if packed else file as stream:
                while chunk := stream.read1(CHUNK_BYTES):  # keeps what comes before a damaged part
                    contents += chunk
                    # Stop beyond the promised length: a small gzip may unpack to terabytes.
                    if packed and len(contents) > _promised(contents) and stream.read1(1):
                        return contents, "(and more)"
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        return contents, f"({error})"
    except OSError as error:
        raise input_error(path, f"cannot be read: {error.strerror}", "make it readable") from None
    return contents, ""


def _promised(contents: bytearray) -> int:
    """Return the length of the file according to its header, of which only a part may be read."""
    count = contents[3] if len(contents) >= 4 else 0
    sizes = bytes(contents[4 : 4 + 4 * count])
    return (
        4
        + 4 * count
        + math.prod(int.from_bytes(sizes[at : at + 4], "big") for at in range(0, len(sizes), 4))
    )


def _check_pair(paths: Sequence[Path], arrays: Sequence[npt.NDArray[np.uint8]]) -> None:
    images, labels = arrays
    if len(images) != len(labels):
        raise input_error(
            paths[1],
            f"{len(labels):,} labels for the {len(images):,} images of {paths[0].name}",
            "use two files of one data set",
        )


def _consecutive(path: Path, labels: npt.NDArray[np.uint8]) -> tuple[str, ...]:
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


def _check_labels(path: Path, labels: npt.NDArray[np.uint8], first: int, k: int) -> None:
    wrong = np.flatnonzero((labels < first) | (labels >= first + k))
    if len(wrong):
        raise input_error(
            path,
            f"label {labels[wrong[0]]} of image {wrong[0]} ({len(wrong):,} such)",
            f"labels must be {first} to {first + k - 1}",
        )


def _find(folder: Path, name: str) -> Path | None:
    return next((p for p in (folder / name, folder / f"{name}.gz") if p.is_file()), None)


def _existing(folder: Path, name: str) -> Path:
    path = _find(folder, name)
    if path is None:
        raise input_error(folder, f"has neither {name} nor {name}.gz", "put the file there")
    return path


def _by(images: npt.NDArray[np.uint8]) -> str:
    return " by ".join(map(str, images.shape[1:]))


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
