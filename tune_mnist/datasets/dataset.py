"""The arrays that every training reads: `Images`, and a `Dataset` of three of them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

PartName = Literal["train", "val", "test"]
PARTS: tuple[PartName, ...] = get_args(PartName)


@dataclass(frozen=True, eq=False)
class Images:
    """Images and their labels, in contiguous arrays.

    Args:
        images: (n, h, w) uint8 grey, or (n, h, w, 3) uint8 colour; 0..255.
        labels: (n,) int64, 0..k-1, positions in the data set's `classes`.
    """

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Unsplit:
    """A data set as its files have it, before the split.

    Args:
        train: the training pool; what the data set has not of its own is held out of it.
        test: the data set's own test images, or None.
        classes: k class names; labels are positions in it.
        notes: what a person may want to know of how the data was read, one line each.
        val: the data set's own validation images, or None.
        files_hash: SHA-256, in hex, of what the files hold, where that identifies the data and not
            the arrays, which depend on the size that was asked for; "" hashes the arrays.
        split: "report" draws the technical report's parts, "stratified" the same share of each
            class.
    """

    train: Images
    test: Images | None
    classes: tuple[str, ...]
    notes: tuple[str, ...] = ()
    val: Images | None = None
    files_hash: str = ""
    split: Literal["report", "stratified"] = "stratified"


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set that is ready for training. Its arrays are read-only, like arrays shared by Ray.

    Pickle protocol 5 passes the arrays out of band, so Ray shares them among trials without copies.

    Args:
        name: "mnist", or the name of the folder that it came from.
        train: the images to train on.
        val: the images whose accuracy chooses the winner.
        test: the images that are measured once, at the end.
        classes: k class names.
        content_hash: SHA-256, in hex, of split, images and labels; see `content_hash`.
        split: how the parts were made, for example "report-70/10/20 seed 42, test standard".
        notes: what a person may want to know of how the data was read, one line each.
    """

    name: str
    train: Images
    val: Images
    test: Images
    classes: tuple[str, ...]
    content_hash: str
    split: str
    notes: tuple[str, ...] = ()

    def described(self) -> tuple[str, ...]:
        """Return the summary, then the notes: a line each."""
        return (self.summary(), *self.notes)

    def summary(self) -> str:
        """Return what a person should know before training, in one line."""
        counts = np.bincount(self.train.labels, minlength=len(self.classes))
        smallest = int(np.argmin(counts))
        parts = (self.train, self.val, self.test)
        height, width = self.train.images.shape[1:3]
        return (
            f"{self.name}: {len(self.classes)} classes;"
            f" {' / '.join(f'{len(part):,}' for part in parts)} images to train / validate / test;"
            f" {width}x{height} pixels, {'colour' if self.train.images.ndim == 4 else 'grey'};"
            f" smallest class {self.classes[smallest]}, {counts[smallest]:,} to train"
        )


def content_hash(parts: tuple[Images, ...], split: str, files_hash: str = "") -> str:
    """Return the SHA-256, in hex, of the split's name and of the images and labels of all parts.

    It depends on the arrays' shapes and types, but not on their byte order or the files' format.
    Where there is a `files_hash`, it stands for the arrays: they depend on how they were stored.
    """
    digest = hashlib.sha256(split.encode())
    if files_hash:
        digest.update(files_hash.encode())
        return digest.hexdigest()
    for part in parts:
        for array in (part.images.astype("|u1", copy=False), part.labels.astype("<i8", copy=False)):
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
