"""The named data sets: where they are on disk, how they are downloaded, what their files hold."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import socket
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tune_mnist.datasets.dataset import Images, Unsplit
from tune_mnist.datasets.idx import FILES, holds_idx
from tune_mnist.errors import input_error
from tune_mnist.user_cache import cache_folder

VARIABLE = "TUNE_MNIST_DATA"
TIMEOUT_S = 30.0  # for a server that does not answer


@dataclass(frozen=True)
class Named:
    """A data set that people know by its name."""

    torchvision: str  # the name of torchvision's class, and of the folder that it downloads into
    classes: tuple[str, ...]
    sha256: tuple[str, ...]  # of what each of the four files of `FILES` holds, unpacked
    usual: tuple[Path, ...] = ()  # folders where a system package installs it


NAMED = {
    "mnist": Named(
        "MNIST",
        tuple("0123456789"),
        (
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ),
    ),
    "fashion-mnist": Named(
        "FashionMNIST",
        (
            *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
            *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
        ),
        (
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        ),
        (Path("/usr/share/datasets/fashion-mnist"),),  # Debian's package dataset-fashion-mnist
    ),
}


def find_named(
    name: str, data_dir: Path | None = None, download: bool = True
) -> tuple[Path, tuple[str, ...]]:
    """Return the folder with a named data set's IDX files; download them if necessary.

    The first of these places that has them is used: `data_dir`, then $TUNE_MNIST_DATA (in each: a
    folder of the data set's name, the folder itself, torchvision's layout), ./data in torchvision's
    layout, Debian's package, an earlier download.

    Returns: the folder, and a note if `data_dir` was given but the data is from elsewhere.
    Raises: InputError: `data_dir` or $TUNE_MNIST_DATA is not a folder, or the data set is in none
        of these places and cannot be downloaded.
    """
    roots = _roots(data_dir)
    places = _places(name, roots)
    folder = next((place for place in places if holds_idx(place)), None)
    if folder is None:
        failure = _download(name) if download else "downloading is off"
        folder = _downloaded(name)
        if folder is None or not holds_idx(folder):
            looked = ", ".join(map(str, places))
            raise input_error(
                f"dataset {name}",
                f"not in {looked}, and {failure}",
                f"put {', '.join(f'{file}.gz' for file in FILES)} into {places[0]}, "
                "or use `dataset=digits`, which needs no files",
            )
    given = None if data_dir is None else expanded(data_dir)
    elsewhere = given is not None and given not in (folder, *folder.parents)
    return folder, (f"{name} is not in {data_dir}: read from {folder}",) if elsewhere else ()


def _roots(data_dir: Path | None) -> list[Path]:
    """Return the folders that a person named; they must exist, so a typo causes no download."""
    given = {"`data_dir`": data_dir, VARIABLE: os.environ.get(VARIABLE)}
    roots = []
    for source, value in given.items():
        if value and not expanded(value).is_dir():
            raise input_error(source, f"{value} is not a folder", "name one that holds the data")
        if value:
            roots.append(expanded(value))
    return roots


def expanded(path: str | Path) -> Path:
    """Return the path with ~ and ~user as home folders; a user that does not exist stays as is."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def differing_files(name: str, data: Unsplit) -> list[str]:
    """Return which of the four files of a data set are not the published ones.

    Args:
        name: one of `NAMED`.
        data: as `read_idx_folder` reads them.
    """
    return [
        file
        for file, array, known in zip(FILES, _arrays(data), NAMED[name].sha256, strict=True)
        if _sha256(array) != known
    ]


def name_of(data: Unsplit) -> str | None:
    """Return the name of the data set whose four published files these are, or None."""
    labels = _sha256(_arrays(data)[1])  # the quick test first
    close = [name for name, known in NAMED.items() if known.sha256[1] == labels]
    return next((name for name in close if not differing_files(name, data)), None)


def _arrays(data: Unsplit) -> list[npt.NDArray[np.uint8]]:
    """Return what the four files hold; empty arrays where there are no test images."""
    none = Images(data.train.images[:0], data.train.labels[:0])
    parts = (data.train, none if data.test is None else data.test)
    return [array for part in parts for array in (part.images, part.labels.astype(np.uint8))]


def _sha256(array: npt.NDArray[np.uint8]) -> str:
    """Return the SHA-256 of the IDX file that holds this array."""
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    digest = hashlib.sha256(header)
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _places(name: str, roots: list[Path]) -> list[Path]:
    layout = Path(NAMED[name].torchvision, "raw")
    places = [place for root in roots for place in (root / name, root, root / layout)]
    places += [Path("data") / layout, *NAMED[name].usual]
    downloaded = _downloaded(name)
    return [*places, downloaded] if downloaded else places


def _downloaded(name: str) -> Path | None:
    root = cache_folder()
    return root / "downloads" / NAMED[name].torchvision / "raw" if root else None


def _download(name: str) -> str:
    """Download into the cache, whole or not at all; return why it failed, or ""."""
    target = _downloaded(name)
    if target is None:
        return "there is no home folder to download into"
    import torchvision.datasets

    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as aside, _patience():
            getattr(torchvision.datasets, NAMED[name].torchvision)(aside, download=True)
            if not holds_idx(target):  # unless another process was faster
                Path(aside, NAMED[name].torchvision, "raw").rename(target)
    except (OSError, RuntimeError, http.client.HTTPException) as error:
        return f"the download failed ({str(error).strip()})"
    return ""


@contextlib.contextmanager
def _patience() -> Iterator[None]:
    """Keep what older torchvision prints off stdout, and do not wait forever for a server."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT_S)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        socket.setdefaulttimeout(before)
