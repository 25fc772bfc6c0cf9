"""The arrays every training reads: `Images`, and the `Dataset` of three of them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class Images:
    """Images and their labels; both arrays contiguous.

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
    """A data set as its files hold it, before the split.

    Args:
        train: the training pool; the split draws train, validation and hold-out from it.
        test: the data set's own test images, or None.
        classes: k names; labels are positions in it.
        notes: what was done to the data that a person may want to know, a line each.
    """

    train: Images
    test: Images | None
    classes: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set ready for training. Its arrays are read-only, as Ray's shared ones are.

    Pickled with protocol 5 the arrays travel out of band: Ray shares them without a copy each.

    Args:
        name: "mnist", or the name of the folder it came from.
        train: what is trained on.
        val: what chooses the winner.
        test: what is measured once at the end.
        classes: k class names.
        content_hash: SHA-256, hex, of split, images and labels; see `content_hash`.
        split: how the parts came about, "report-70/10/20 seed 42, test standard".
        notes: what was done to the data, a line each.
    """

    name: str
    train: Images
    val: Images
    test: Images
    classes: tuple[str, ...]
    content_hash: str
    split: str
    notes: tuple[str, ...] = ()


def content_hash(parts: tuple[Images, ...], split: str) -> str:
    """Return the SHA-256, hex, of the split's name and of every part's images and labels.

    Shape and type count, byte order and the files the data came from do not.
    """
    digest = hashlib.sha256(split.encode())
    for part in parts:
        for array in (part.images.astype("|u1", copy=False), part.labels.astype("<i8", copy=False)):
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
