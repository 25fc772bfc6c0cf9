"""`load_dataset`: from a name or a folder to the arrays that training reads."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tune_mnist.datasets.dataset import Dataset, Images, Unsplit
from tune_mnist.datasets.idx import holds_idx, read_idx_folder
from tune_mnist.datasets.image_folder import read_image_folder
from tune_mnist.datasets.lookup import NAMED, differing_files, expanded, find_named, name_of
from tune_mnist.datasets.pictures import Progress
from tune_mnist.datasets.split import TestSet, split
from tune_mnist.errors import input_error, nearest
from tune_mnist.wording import displayed, undisplayed

DATASET_NAMES = (*NAMED, "digits")
IDX_LAYOUTS = (Path(), Path("raw"), *(Path(named.torchvision, "raw") for named in NAMED.values()))


@dataclass(frozen=True)
class LoadOptions:
    """How a data set is read.

    Args:
        data_dir: the first place to look for `mnist` and `fashion-mnist`.
        test_set: "standard" (the data set's own test images, if it has any) or "holdout" (20 % of
            the training pool).
        download: whether to download a named data set that is not on disk.
        side: pixels per side of a folder's images, if they differ in size or are larger than 64.
        skip_bad_images: whether files of a folder that cannot be decoded are left out, and named in
            the notes; otherwise they are an error.
    """

    data_dir: Path | None = None
    test_set: TestSet = "standard"
    download: bool = True
    side: int = 64
    skip_bad_images: bool = False


AS_USUAL = LoadOptions()


def load_dataset(
    name_or_folder: str, options: LoadOptions = AS_USUAL, progress: Progress | None = None
) -> Dataset:
    """Load a data set and split it: a named one as the technical report did.

    Args:
        name_or_folder: one of `DATASET_NAMES`, or a folder: of IDX files (flat or in torchvision's
            layout), or of images (`image_folder/layout.py` has the layouts). A known name never
            means a folder; write ./mnist for a folder of that name.
        options: how it is read.
        progress: called with (images decoded, images in all) while image files are decoded.

    Returns: the data set; its arrays are contiguous and read-only.
    Raises: InputError: the data set is unknown or missing, or its files are damaged, empty,
        inconsistent, too few, or larger than half of the memory.
    """
    try:
        name, data = _read(name_or_folder, options, progress)
    except OSError as error:
        where = error.filename or name_or_folder
        raise input_error(
            where, f"cannot be read ({error.strerror})", "check the path and its permissions"
        ) from error
    return split(name, data, options.test_set)


def _read(
    name_or_folder: str, options: LoadOptions, progress: Progress | None
) -> tuple[str, Unsplit]:
    if name_or_folder == "digits":
        return name_or_folder, _with_notes(_digits(), _hidden(name_or_folder))
    if name_or_folder in NAMED:
        return name_or_folder, _named(name_or_folder, options)
    folder = expanded(name_or_folder)
    if name_or_folder and not folder.is_dir():  # as the store has a name that is not UTF-8
        folder = expanded(undisplayed(name_or_folder))
    if name_or_folder and folder.is_dir():
        return displayed(folder.resolve().name), _folder(folder, options, progress)
    raise input_error(
        f"dataset {name_or_folder}",
        "is neither a known name nor a folder",
        nearest(name_or_folder, DATASET_NAMES),
    )


def _hidden(name: str, read_from: Path | None = None) -> tuple[str, ...]:
    """Return a note if a folder of this name lies here and is not what is read."""
    here = Path(name)
    if not here.is_dir() or (read_from is not None and read_from.resolve() == here.resolve()):
        return ()
    return (f"{name} is the known data set; the folder {name}/ here is read as ./{name}",)


def _with_notes(data: Unsplit, notes: tuple[str, ...]) -> Unsplit:
    return replace(data, notes=(*data.notes, *notes))


def _digits() -> Unsplit:
    """Return scikit-learn's 8x8 digits as uint8: their values, 0..16, times 15."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = (digits.images * 15).astype(np.uint8)
    classes = tuple(str(name) for name in digits.target_names)
    pool = Images(images, digits.target.astype(np.int64))
    return Unsplit(pool, None, classes, split="report")


def _named(name: str, options: LoadOptions) -> Unsplit:
    """Return MNIST or FashionMNIST; a stranger under its name is refused."""
    folder, notes = find_named(name, options.data_dir, options.download)
    data = read_idx_folder(folder, NAMED[name].classes)
    if differing := differing_files(name, data):
        other = name_of(data)
        if other is not None:
            raise input_error(folder, f"holds {other}, not {name}", f"use `dataset={other}`")
        problem = f"is not {name}: {', '.join(differing)} differ from the published files"
        fix = f"get {name} again, or use `dataset={folder}` if the files are your own"
        raise input_error(folder, problem, fix)
    return replace(_with_notes(data, (*notes, *_hidden(name, folder))), split="report")


def _folder(folder: Path, options: LoadOptions, progress: Progress | None) -> Unsplit:
    idx = [folder / layout for layout in IDX_LAYOUTS if holds_idx(folder / layout)]
    if len(idx) == 1:
        data = read_idx_folder(idx[0])
        return replace(data, split="stratified" if name_of(data) is None else "report")
    several = idx or [folder / name for name in NAMED if holds_idx(folder / name)]
    if several:
        held = " and ".join(map(str, several))
        raise input_error(folder, f"holds several data sets: {held}", "choose one of them")
    return read_image_folder(folder, options.side, options.skip_bad_images, progress)
