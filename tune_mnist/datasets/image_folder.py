"""Your own images, in one folder per class, as in torchvision's `ImageFolder`.

The class folders (cat/, dog/) are directly in the data set's folder, or in train/ and test/ below.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tune_mnist.datasets.cache import cached
from tune_mnist.datasets.dataset import Images, Unsplit
from tune_mnist.datasets.pictures import Progress, read_pictures
from tune_mnist.errors import Fault, InputError, input_error

SUFFIXES = (
    *(".bmp", ".gif", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm", ".ppm"),
    *(".tif", ".tiff", ".webp"),
)
MOST_NAMED = 3
VERSION = 1  # of the decoding; a new number makes every cached result invalid


@dataclass
class _Listing:
    """The image files of a folder, the training images first."""

    classes: tuple[str, ...]
    paths: list[Path] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    train: int = 0  # number of training images


def read_image_folder(folder: Path, progress: Progress | None = None) -> Unsplit:
    """Decode a folder of class folders, or take it from the cache of decoded arrays.

    Args:
        folder: laid out as the module says. The class names are the names of the class folders,
            sorted. Folders whose names start with "." or "__" and files whose names start with "."
            are ignored. Other files that are not images are left out, and a note names them.
        progress: as in `read_pictures`, which also explains how images get one size.

    Raises: InputError: there are fewer than 2 class folders, a class folder has no images, a test
        class is not a training class, or a file cannot be decoded.
    """
    folder = folder.resolve()
    listing = _list(folder)
    return cached(folder, _stamp(listing), lambda: _decode(listing, progress))


def _list(folder: Path) -> _Listing:
    train, test = folder / "train", folder / "test"
    halved = train.is_dir() and bool(_subfolders(train))  # else "train" is a class
    pool = train if halved else folder
    listing = _Listing(tuple(child.name for child in _subfolders(pool)))
    if len(listing.classes) < 2:
        raise input_error(
            pool,
            f"holds {len(listing.classes)} class folders and no IDX files",
            "add one folder of images per class, at least 2",
        )
    _add(listing, pool)
    listing.train = len(listing.paths)
    if halved and test.is_dir():
        _add(listing, test)
        if len(listing.paths) == listing.train:
            raise input_error(test, "holds no class folders", "add them, or remove it")
    if halved:
        others = (child.name for child in _subfolders(folder))
        listing.left_out += [f"{name}/" for name in others if name not in ("train", "test")]
    return listing


def _subfolders(folder: Path) -> list[Path]:
    children = (child for child in folder.iterdir() if not child.name.startswith((".", "__")))
    return sorted(child for child in children if child.is_dir())


def _add(listing: _Listing, half: Path) -> None:
    """Add the images of the class folders in `half`, sorted by class and name."""
    faults = []
    for folder in _subfolders(half):
        names = sorted(f.name for f in folder.iterdir() if not f.name.startswith("."))
        images = [name for name in names if name.lower().endswith(SUFFIXES)]
        if folder.name not in listing.classes:
            fix = f"the training classes are {', '.join(listing.classes)}"
            faults.append(Fault(str(folder), "", "is not a training class", fix))
        elif not images:
            faults.append(Fault(str(folder), "", "holds no images", "add images, or remove it"))
        else:
            listing.paths += [folder / name for name in images]
            listing.labels += [listing.classes.index(folder.name)] * len(images)
            others = (name for name in names if not name.lower().endswith(SUFFIXES))
            listing.left_out += [f"{folder.name}/{name}" for name in others]
    if faults:
        raise InputError(faults)


def _stamp(listing: _Listing) -> str:
    """Return a hash of every file's path, size and modification time, and of the decoder."""
    import PIL

    digest = hashlib.sha256(f"{VERSION} {PIL.__version__} {listing.left_out}".encode())
    for path in listing.paths:
        state = path.stat()
        line = f"{path}\0{state.st_size}\0{state.st_mtime_ns}\0"
        digest.update(line.encode(errors="surrogateescape"))
    return digest.hexdigest()


def _decode(listing: _Listing, progress: Progress | None) -> Unsplit:
    images, notes = read_pictures(listing.paths, progress)
    labels = np.array(listing.labels, dtype=np.int64)
    n = listing.train
    train = Images(images[:n], labels[:n])
    test = Images(images[n:].copy(), labels[n:]) if n < len(labels) else None
    if listing.left_out:
        notes += (f"not used: {_some(listing.left_out)}",)
    return Unsplit(train, test, listing.classes, notes)


def _some(names: Sequence[str]) -> str:
    rest = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {rest:,} more" if rest > 0 else "")
