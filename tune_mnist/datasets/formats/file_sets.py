"""Which files of a folder make one data set: what their names say, in every format.

People keep files flat, in folders of the file's own name (Kaggle), in `data/` (Hugging Face), in
`raw/` (torchvision), or wrapped in one more folder (an unpacked archive).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tune_mnist.datasets.dataset import PartName, Unsplit
from tune_mnist.datasets.formats.image_column import Decoding

PART = re.compile(
    r"(?:^|(?<=[-_. ]))(?:(?P<train>train(?:ing)?)|(?P<val>val(?:id(?:ation)?)?|dev)"
    r"|(?P<test>test(?:ing)?|t10k|eval))(?:[-_ ]?set)?(?=$|[-_. ])",
    re.IGNORECASE,
)
SEPARATORS = "-_. "
SUFFIXES = (".gz", ".csv", ".npz", ".parquet")


@dataclass(frozen=True)
class FileSet:
    """The files of one data set.

    Args:
        name: what the names of its files share: "emnist-balanced"; "" if they share nothing.
        files: all of them; the first one names the set.
        read: reads it; it may raise InputError.
    """

    name: str
    files: tuple[Path, ...]
    read: Callable[[Decoding], Unsplit]


def quick(read: Callable[[], Unsplit]) -> Callable[[Decoding], Unsplit]:
    """Return a set's `read` of a reader that decodes no image files."""
    return lambda _: read()


Finder = Callable[[Sequence[Path]], list[FileSet]]


def part_of(stem: str) -> tuple[str, PartName | None]:
    """Return what a file's name says beside its part, and the part: "sign_mnist", "train"."""
    match = next(iter(reversed(list(PART.finditer(stem)))), None)
    if match is None:
        return stem, None
    name = stem[: match.start()].rstrip(SEPARATORS) + stem[match.end() :]
    part: PartName = "train" if match["train"] else "val" if match["val"] else "test"
    return name.strip(SEPARATORS), part


def files_of(folder: Path, *, stop_at: tuple[str, ...] = ()) -> list[Path]:
    """Return the files in a folder, sorted; also those alone in a folder of their own name.

    Args:
        folder: hidden files in it are left out.
        stop_at: endings, in small letters. A folder with such a file has none: it holds images.
    """
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                found += own_name(Path(entry.path))
            elif stop_at and entry.name.lower().endswith(stop_at):
                return []
            else:
                found.append(Path(entry.path))
    return sorted(found, key=lambda path: (len(path.parts), path.name))


def own_name(folder: Path) -> list[Path]:
    """Return the file in a folder that has the folder's name, perhaps with an ending."""
    dotted = re.sub(r"[-.](?=idx\d)", ".", folder.name)
    dashed = re.sub(r"[-.](?=idx\d)", "-", folder.name)
    names = {folder.name: None, dashed: None, dotted: None}
    paths = [folder / f"{name}{suffix}" for name in names for suffix in ("", *SUFFIXES)]
    return [path for path in paths if path.is_file()]
