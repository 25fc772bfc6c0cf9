"""A folder of images, decoded or taken from the cache of decoded folders."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tune_mnist.datasets.cache import cached
from tune_mnist.datasets.dataset import PARTS, Images, PartName, Unsplit
from tune_mnist.datasets.image_folder.layout import Listing, list_images
from tune_mnist.datasets.pictures import Decoded, Progress, read_pictures
from tune_mnist.errors import Fault, InputError, first_faults, input_error
from tune_mnist.wording import displayed, some

MOST_NAMED = 20
VERSION = 2  # of the decoding; a new number makes every cached result, and every hash, another


def read_image_folder(
    folder: Path,
    side: int = 64,
    skip_bad_images: bool = False,
    progress: Progress | None = None,
) -> Unsplit:
    """Decode a folder of images, or take it from the cache of decoded arrays.

    Args:
        folder: in one of the layouts of `layout.py`.
        side: as in `read_pictures`, which also explains how images get one size.
        skip_bad_images: whether to leave out files that cannot be decoded; a note names them.
        progress: as in `read_pictures`.

    Raises: InputError: the folder is in no known layout, a class has no images, or files cannot be
        decoded: the first 20 are named, the others counted.
    """
    root = os.fspath(folder.resolve())
    listing = list_images(root)
    stamp = _stamp(listing, side, skip_bad_images)
    entry = f"{root}\0{side}"
    return cached(entry, stamp, lambda: _decode(root, listing, side, skip_bad_images, progress))


def _stamp(listing: Listing, side: int, skip_bad_images: bool) -> str:
    """Return a hash of all that `_decode` depends on, short of what the files hold.

    A file that was changed keeps its path, and may keep its size and its time of modification: a
    program can set that. It cannot set the time of the change of its inode (ctime), and another
    file that took its place has another inode.
    """
    import PIL

    parts = (VERSION, PIL.__version__, side, skip_bad_images, listing.classes, listing.labels)
    digest = hashlib.sha256(repr((*parts, listing.parts, listing.notes)).encode())
    for path in listing.paths:
        try:
            state = os.stat(path)  # a Path for each of many files is slow
        except OSError:  # a link that leads nowhere: it is named when it is read
            continue
        numbers = (state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino)
        digest.update(b"%b %d %d %d %d\n" % (os.fsencode(path), *numbers))
    return digest.hexdigest()


def _decode(
    root: str, listing: Listing, side: int, skip_bad_images: bool, progress: Progress | None
) -> Unsplit:
    decoded = read_pictures(listing.paths, side, progress)
    notes = (*listing.notes, *decoded.notes)
    if decoded.bad:
        if not skip_bad_images:
            raise _bad(root, listing, decoded)
        names = [displayed(os.path.relpath(listing.paths[i], root)) for i in decoded.bad]
        some_names = some(names, MOST_NAMED)
        files = "file" if len(names) == 1 else "files"
        notes += (f"{len(names):,} {files} that cannot be decoded left out: {some_names}",)
    labels = np.array(listing.labels, dtype=np.int64)[decoded.good]
    counts = [listing.parts.get(part, 0) for part in PARTS]
    part_of = np.repeat(np.arange(len(PARTS)), counts)[decoded.good]
    _check_classes(root, listing.classes, labels[part_of == 0])
    starts = np.searchsorted(part_of, np.arange(len(PARTS) + 1))
    images: dict[PartName, Images | None] = {
        part: Images(decoded.pixels[start:end], labels[start:end]) if end > start else None
        for part, start, end in zip(PARTS, starts[:-1], starts[1:], strict=True)
    }
    train = images["train"]
    assert train is not None  # _check_classes
    files_hash = _files_hash(listing.classes, labels.tolist(), part_of.tolist(), decoded.hashes)
    return Unsplit(train, images["test"], listing.classes, notes, images["val"], files_hash)


def _files_hash(
    classes: Sequence[str], labels: Sequence[int], parts: Sequence[int], hashes: Sequence[bytes]
) -> str:
    """Return the SHA-256 of classes, labels, parts and what each file holds.

    It does not depend on the side that images are stored with.
    """
    digest = hashlib.sha256(repr((VERSION, tuple(classes))).encode())
    for label, part, content in zip(labels, parts, hashes, strict=True):
        digest.update(b"%d %d " % (label, part) + content)
    return digest.hexdigest()


def _bad(root: str, listing: Listing, decoded: Decoded) -> InputError:
    """Return the refusal of the files that cannot be decoded."""
    fix = "repair or remove it, or `skip_bad_images` trains without it"
    faults = [
        Fault(listing.paths[i], "", f"cannot be decoded ({reason})", fix)
        for i, reason in decoded.bad.items()
    ]
    others = Fault(root, "", "more files cannot be decoded", fix.replace("it", "them"))
    return first_faults(faults, MOST_NAMED, others)


def _check_classes(root: str, classes: Sequence[str], labels: Sequence[int]) -> None:
    """Raise InputError if a class has lost all its training images."""
    left = set(map(int, labels))
    lost = [name for number, name in enumerate(classes) if number not in left]
    if lost:
        problem = f"no training image of {some(lost)} can be decoded"
        raise input_error(root, problem, "repair the files, or remove the class")
