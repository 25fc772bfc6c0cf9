"""`load_dataset`: from a name, a folder or a file to the arrays that training reads."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tune_mnist.datasets import idx
from tune_mnist.datasets.dataset import PARTS, Dataset, Images, Unsplit
from tune_mnist.datasets.formats import npz, parquet, pixel_table
from tune_mnist.datasets.formats.file_sets import FileSet, Finder, files_of, own_name
from tune_mnist.datasets.formats.image_column import Decoding
from tune_mnist.datasets.formats.python_data import PythonData, from_python
from tune_mnist.datasets.formats.unread import check_read, refuse_file
from tune_mnist.datasets.image_folder import read_image_folder
from tune_mnist.datasets.image_folder.scan import SUFFIXES
from tune_mnist.datasets.lookup import NAMED, differing_files, expanded, find_named, name_of
from tune_mnist.datasets.pictures import Progress
from tune_mnist.datasets.split import TestSet, split
from tune_mnist.errors import input_error, nearest
from tune_mnist.wording import displayed, some, undisplayed

DATASET_NAMES = (*NAMED, "digits")
TORCHVISION = (*(named.torchvision for named in NAMED.values()), "EMNIST", "KMNIST", "QMNIST")
LAYOUTS = ("", "data", "raw", *(f"{name}/raw" for name in TORCHVISION))
FINDERS: tuple[Finder, ...] = (idx.find, npz.find, parquet.find, pixel_table.find)
TABLES = (".npz", ".csv", ".parquet")
FROM_PYTHON = "python:"  # begins the name of data that was given from Python


@dataclass(frozen=True)
class LoadOptions:
    """How a data set is read.

    Args:
        data_dir: the first place to look for `mnist` and `fashion-mnist`.
        test_set: "standard" (the data set's own test images, if it has any) or "holdout" (20 % of
            the training pool).
        download: whether to download a named data set that is not on disk.
        side: pixels per side of images in files, if they differ in size or are larger than 64.
        skip_bad_images: whether images in files that cannot be decoded are left out, and named in
            the notes; otherwise they are an error.
        transposed: whether rows and columns are exchanged in the files, as in EMNIST's.
    """

    data_dir: Path | None = None
    test_set: TestSet = "standard"
    download: bool = True
    side: int = 64
    skip_bad_images: bool = False
    transposed: bool = False

    def decoding(self, progress: Progress | None) -> Decoding:
        """Return what the decoding of image files needs of these."""
        return Decoding(self.side, self.skip_bad_images, progress)


AS_USUAL = LoadOptions()


def load_dataset(
    source: str, options: LoadOptions = AS_USUAL, progress: Progress | None = None
) -> Dataset:
    """Load a data set and split it: a named one as the technical report did.

    Args:
        source: one of `DATASET_NAMES`; or a folder: of IDX, .npz, .csv or .parquet files, flat or
            in a usual layout, or of images (`image_folder/layout.py` has the layouts); or one of
            these files, which stands for all files of its data set. A known name never means a
            folder; write ./mnist for a folder of that name.
        options: how it is read.
        progress: called with (images decoded, images in all) while image files are decoded.

    Returns: the data set; its arrays are contiguous and read-only.
    Raises: InputError: the data set is unknown or missing, or its files are damaged, empty,
        inconsistent, too few, or larger than half of the memory.
    """
    try:
        name, data = _read(source, options, progress)
    except OSError as error:
        where = error.filename or source
        raise input_error(
            where, f"cannot be read ({error.strerror})", "check the path and its permissions"
        ) from error
    return split(name, _upright(data, options), options.test_set)


def load_given(
    data: PythonData, name: str, options: LoadOptions = AS_USUAL, progress: Progress | None = None
) -> Dataset:
    """Return data that is given from Python as a data set, split as `load_dataset` does.

    Args:
        data: see `from_python`.
        name: what it is called.
        options: how it is read.
        progress: called with (images read, images in all).

    Raises: InputError: what `from_python` raises, or there are too few images.
    """
    read = from_python(data, options.decoding(progress))
    return split(name, _as_known(_upright(read, options)), options.test_set)


def _upright(data: Unsplit, options: LoadOptions) -> Unsplit:
    """Return the data with rows and columns exchanged, if that is asked for."""
    if not options.transposed:
        return data
    turned: dict[str, Any] = {
        name: Images(np.ascontiguousarray(part.images.swapaxes(1, 2)), part.labels)
        for name in PARTS
        if (part := getattr(data, name)) is not None
    }
    digest = (
        data.files_hash and hashlib.sha256(f"transposed {data.files_hash}".encode()).hexdigest()
    )
    return replace(data, **turned, files_hash=digest)


def _as_known(data: Unsplit) -> Unsplit:
    """Return MNIST and FashionMNIST, wherever they are from, as the report splits them."""
    return data if data.val or name_of(data) is None else replace(data, split="report")


def _read(source: str, options: LoadOptions, progress: Progress | None) -> tuple[str, Unsplit]:
    if source == "digits":
        return source, _with_notes(_digits(), _hidden(source))
    if source in NAMED:
        return source, _named(source, options)
    if source.startswith(FROM_PYTHON):
        raise input_error(
            f"dataset {source.removeprefix(FROM_PYTHON)}",
            "was given from Python, and the store keeps no images",
            "give the same images again from Python, as `data`",
        )
    path = source_path(source)
    if source and path.is_dir():
        return displayed(path.resolve().name), _folder(path, options, progress)
    if source and path.is_file():
        return _file(path, options, progress)
    raise input_error(
        f"dataset {source}",
        "is neither a known name nor a folder nor a file",
        nearest(source, DATASET_NAMES),
    )


def source_path(source: str) -> Path:
    """Return the folder or file that a data set without a known name is read from.

    The store has a name that is not UTF-8 as `displayed` writes it; that is found too.
    """
    path = expanded(source)
    return path if path.exists() else expanded(undisplayed(source))


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
    table = _digits_table()
    images = (table[:, :-1].reshape(-1, 8, 8) * 15).astype(np.uint8)
    classes = tuple(map(str, range(10)))
    pool = Images(images, table[:, -1].astype(np.int64))
    return Unsplit(pool, None, classes, split="report")


def _digits_table() -> npt.NDArray[np.float64]:
    """Return scikit-learn's file of digits: 64 values and the class of each.

    The file is read without importing scikit-learn, which takes a second.
    """
    found = find_spec("sklearn")
    for folder in (found and found.submodule_search_locations) or ():
        file = Path(folder, "datasets", "data", "digits.csv.gz")
        if file.is_file():
            return np.loadtxt(file, delimiter=",")
    from sklearn.datasets import load_digits  # of a version that keeps it elsewhere

    digits = load_digits()
    return np.column_stack([digits.data, digits.target])


def _named(name: str, options: LoadOptions) -> Unsplit:
    """Return MNIST or FashionMNIST; a stranger under its name is refused."""
    folder, notes = find_named(name, options.data_dir, options.download)
    data = idx.read_idx_folder(folder, NAMED[name].classes)
    if differing := differing_files(name, data):
        other = name_of(data)
        if other is not None:
            raise input_error(folder, f"holds {other}, not {name}", f"use `dataset={other}`")
        problem = f"is not {name}: {', '.join(differing)} differ from the published files"
        fix = f"get {name} again, or use `dataset={folder}` if the files are your own"
        raise input_error(folder, problem, fix)
    return replace(_with_notes(data, (*notes, *_hidden(name, folder))), split="report")


def _folder(folder: Path, options: LoadOptions, progress: Progress | None) -> Unsplit:
    """Read the one data set in a folder."""
    found = _sets_below(folder)
    if len(found) > 1:
        names = ", ".join(one.name or str(one.files[0].relative_to(folder)) for one in found)
        raise input_error(
            folder,
            f"holds several data sets: {names}",
            f"name a file of the one you mean, for example `dataset={found[0].files[0]}`",
        )
    if not found:
        check_read(folder)
        return read_image_folder(folder, options.side, options.skip_bad_images, progress)
    _check_alone(folder, found[0])
    data = _read_set(found[0], options, progress)
    return _with_notes(data, _left_out(folder, found[0]))


def _check_alone(folder: Path, found: FileSet) -> None:
    """Raise InputError if a table lies beside folders of images: either may be meant."""
    file = found.files[0]
    if file.suffix.lower() not in TABLES:
        return
    for child in sorted(folder.iterdir()):
        if child.is_dir() and any(one.name.lower().endswith(SUFFIXES) for one in child.iterdir()):
            problem = f"holds images in {displayed(child.name)}, and {file.name}"
            fix = f"use `dataset={file}`, or move that file elsewhere"
            raise input_error(folder, problem, fix)


def _file(path: Path, options: LoadOptions, progress: Progress | None) -> tuple[str, Unsplit]:
    """Read the data set that a file belongs to; return what it is called too."""
    folder = path.parent
    for place in (folder.parent, folder) if path in own_name(folder) else (folder,):
        for one in _sets_in(place):
            if path in one.files:
                about = place.resolve()
                about = about.parent if about.name in ("data", "raw") else about
                return displayed(one.name or about.name), _read_set(one, options, progress)
    raise refuse_file(path)


def _read_set(one: FileSet, options: LoadOptions, progress: Progress | None) -> Unsplit:
    data = _as_known(one.read(options.decoding(progress)))
    if options.transposed or not one.name.lower().startswith("emnist"):
        return data
    note = "EMNIST's images lie on their side; `transposed=true` turns them upright"
    return _with_notes(data, (note,))


def _sets_below(folder: Path) -> list[FileSet]:
    """Return the data sets in a folder, in a usual layout; else those one folder further down."""
    places = [folder / layout for layout in LAYOUTS]
    found = [one for place in places if place.is_dir() for one in _sets_in(place)]
    if found:
        return found
    below = sorted(child for child in folder.iterdir() if child.is_dir())
    below = [child for child in below if not child.name.startswith((".", "__"))]
    return [one for child in below for one in _sets_in(child, stop_at=SUFFIXES)]


def _sets_in(folder: Path, stop_at: tuple[str, ...] = ()) -> list[FileSet]:
    files = files_of(folder, stop_at=stop_at)
    return [one for find in FINDERS for one in find(files)]


def _left_out(folder: Path, used: FileSet) -> tuple[str, ...]:
    """Return a note of what else is in the folder, if it may be data."""
    taken = {place for file in used.files for place in (file, *file.parents)}
    places = (folder, *(file.parent for file in used.files))
    names = sorted(
        displayed(str(entry.relative_to(folder)))
        for place in dict.fromkeys(places)
        for entry in place.iterdir()
        if entry not in taken and not entry.name.startswith(".")
        if entry.suffix.lower() not in (".md", ".txt", ".html")
    )
    return (f"not used: {some(names)}",) if names else ()
