"""What is not read, named together with what is."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tune_mnist.datasets.formats import npz
from tune_mnist.errors import InputError, input_error

READ = (
    "what is read: a folder of images per class, IDX files, .npz, .csv of pixels, .parquet with an "
    "image column"
)
UNREAD = {
    **dict.fromkeys((".7z", ".bz2", ".gz", ".rar", ".tar", ".tgz", ".xz", ".zip"), "an archive"),
    **dict.fromkeys((".pkl", ".pickle", ".p", ".joblib", ".pt", ".pth"), "a pickle"),
    **dict.fromkeys((".h5", ".hdf5", ".hdf"), "HDF5"),
    ".tfrecord": "TFRecord",
    ".tfrecords": "TFRecord",
    **dict.fromkeys((".arff", ".arrow", ".bin", ".feather", ".json", ".jsonl", ".mat"), ""),
    **dict.fromkeys((".mdb", ".lmdb", ".npy", ".sqlite", ".tsv", ".xls", ".xlsx"), ""),
    **dict.fromkeys((".npz", ".csv", ".parquet"), ""),
}
ABOUT = (".md", ".txt", ".html", ".meta", ".yaml", ".yml", "")  # say what the data is
MOST_FILES = 1000  # looked at in a folder


def refuse_file(path: Path) -> InputError:
    """Return the refusal of a file that is no data set."""
    what = _kind(path)
    if what == "a pickle":
        return input_error(path, "is a pickle, which can run code: it is never read", READ)
    if what == "an archive":
        return input_error(path, "is an archive", "unpack it, and name its folder")
    if path.suffix.lower() == ".npz":
        held = ", ".join(npz.array_names(path)[:10])
        return input_error(path, f"holds the arrays {held}", npz.EXPECTED)
    if path.suffix.lower() == ".csv":
        problem = "has no column for each pixel"
        return input_error(path, problem, "use one row an image: label, pixel0, pixel1 …")
    return input_error(path, f"is {what or 'a file that is not read alone'}", READ)


def check_read(folder: Path) -> None:
    """Raise InputError if a folder holds files that are not read, and nothing else."""
    found = Counter[str]()
    first: dict[str, Path] = {}
    for number, path in enumerate(folder.rglob("*")):
        if path.is_dir() or path.name.startswith("."):
            continue
        kind = _kind(path)
        if (kind is None and path.suffix.lower() not in ABOUT) or number > MOST_FILES:
            return  # an image, perhaps
        if kind is not None:
            name = "pickle" if kind == "a pickle" else path.suffix.lower()
            found[name] += 1
            first.setdefault(name, path)
    if len(found) == 1 and found.total() == 1:
        raise refuse_file(next(iter(first.values())))
    if found:
        held = ", ".join(f"{count} {name}" for name, count in found.most_common())
        never = " (a pickle can run code)" if "pickle" in found else ""
        raise input_error(folder, f"holds files that are not read: {held}{never}", READ)


def _kind(path: Path) -> str | None:
    """Return what kind of file that is not read this is, None if it may be an image."""
    suffix = path.suffix.lower()
    if suffix in UNREAD:
        return UNREAD[suffix] or f"a {suffix} file"
    try:
        with path.open("rb") as file:
            head = file.read(2)
    except OSError:
        return None
    return "a pickle" if head[:1] == b"\x80" and head[1:] in (b"\2", b"\3", b"\4", b"\5") else None
