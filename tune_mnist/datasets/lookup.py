"""Where to find the named data sets on disk, and torchvision's download as the last resort."""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tune_mnist.datasets.cache import cache_folder
from tune_mnist.datasets.idx import FILES, holds_idx
from tune_mnist.errors import input_error

VARIABLE = "TUNE_MNIST_DATA"
TIMEOUT_S = 30.0  # for a server that does not answer


@dataclass(frozen=True)
class Named:
    """A data set that people know by its name."""

    torchvision: str  # the name of torchvision's class, and of the folder that it downloads into
    classes: tuple[str, ...]
    labels_sha256: str  # of the 60,000 training labels; it tells the data sets apart
    usual: tuple[Path, ...] = ()  # folders where a system package installs it


NAMED = {
    "mnist": Named(
        "MNIST",
        tuple("0123456789"),
        "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13",
    ),
    "fashion-mnist": Named(
        "FashionMNIST",
        (
            *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
            *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
        ),
        "657fbd221bfc9f4198cc14b5619cc33ec57c58dd0e47af4d99d6650759e869a7",
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
    elsewhere = data_dir is not None and data_dir not in (folder, *folder.parents)
    return folder, (f"{name} is not in {data_dir}: read from {folder}",) if elsewhere else ()


def _roots(data_dir: Path | None) -> list[Path]:
    """Return the folders that a person named; they must exist, so a typo causes no download."""
    given = {"`data_dir`": data_dir, VARIABLE: os.environ.get(VARIABLE)}
    roots = []
    for source, value in given.items():
        if value and not Path(value).is_dir():
            raise input_error(source, f"{value} is not a folder", "name one that holds the data")
        if value:
            roots.append(Path(value))
    return roots


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
