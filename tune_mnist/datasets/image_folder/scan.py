"""What is in a folder: images, other files, folders, and what is never looked into."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field

from tune_mnist.wording import displayed, some

SUFFIXES = (
    *(".avif", ".bmp", ".dib", ".gif", ".j2c", ".j2k", ".jfif", ".jp2", ".jpc", ".jpe", ".jpeg"),
    *(".jpf", ".jpg", ".jpx", ".pbm", ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp"),
)
SIGNATURES = (  # of images whose name has none of these suffixes
    *(b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*"),
    *(b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"),  # JPEG 2000, as a file and bare
)
NEVER = ("__MACOSX", "@eaDir", "#recycle", "$RECYCLE.BIN", "System Volume Information")


@dataclass(frozen=True)
class Contents:
    """What is directly in a folder; paths, each list sorted.

    Args:
        images: files that are images by their suffix, or else by their first bytes.
        others: other files.
        folders: folders that may be splits or classes.
        ignored: folders that are never looked into, and hidden files.
    """

    images: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)


@dataclass
class LeftOut:
    """What is not used of a data set's folder, for a note.

    Args:
        root: the folder; places are named from here.
        images: place to number of images.
        others: files that are not images.
    """

    root: str
    images: dict[str, int] = field(default_factory=dict)
    others: list[str] = field(default_factory=list)

    def add(self, place: str, images: int) -> None:
        """Count the images of a place that are not used."""
        if images:
            self.images[place] = self.images.get(place, 0) + images

    def add_ignored(self, found: Contents) -> None:
        """Count what is ignored or is no image in a folder."""
        self.others += [self.shown(path) for path in found.others]
        for path in found.ignored:
            self.add(self.shown(path), count_images(path))

    def shown(self, path: str) -> str:
        """Return a path as a note names it: from the root, a folder with a slash."""
        name = displayed(os.path.relpath(path, self.root))
        return f"{name}/" if os.path.isdir(path) else name

    def notes(self) -> tuple[str, ...]:
        """Return what was left out, with numbers, in at most two lines."""
        total, files = sum(self.images.values()), len(self.others)
        notes = []
        if total:
            places = [f"{count:,} in {place}" for place, count in self.images.items()]
            notes.append(f"{_counted(total, 'image')} left out: {some(places)}")
        if files:
            notes.append(f"{_counted(files, 'file')} not read as images: {some(self.others)}")
        return tuple(notes)


def contents(folder: str) -> Contents:
    """Return what is directly in a folder. Links are followed."""
    found = Contents()
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.is_dir():
                hidden = entry.name.startswith(".") or entry.name in NEVER
                (found.ignored if hidden else found.folders).append(entry.path)
            elif entry.name.startswith("."):
                found.ignored.append(entry.path)
            else:
                (found.images if is_image(entry) else found.others).append(entry.path)
    return found


def walk(folder: str, left_out: LeftOut) -> Iterator[tuple[str, Contents]]:
    """Yield each folder from `folder` to the leaves, in the order of their paths.

    A link that leads back to a folder on its own way is not followed again.
    """

    def below(path: str, above: tuple[tuple[int, int], ...]) -> Iterator[tuple[str, Contents]]:
        state = os.stat(path)
        itself = (state.st_dev, state.st_ino)
        if itself in above:
            return
        found = contents(path)
        left_out.add_ignored(found)
        yield path, found
        for child in found.folders:
            yield from below(child, (*above, itself))

    yield from below(folder, ())


def count_images(path: str) -> int:
    """Return how many files have the name of an image: below a folder, or the file itself."""
    if not os.path.isdir(path):
        return int(path.lower().endswith(SUFFIXES))
    names = (name for _, _, names in os.walk(path) for name in names)
    return sum(name.lower().endswith(SUFFIXES) for name in names)


def is_image(entry: os.DirEntry[str]) -> bool:
    """Return whether a file is to be decoded: its suffix says so, or else its first bytes.

    A link that leads nowhere counts by its suffix, so it is named; a pipe is never opened.
    """
    if not entry.is_file():
        return entry.is_symlink() and entry.name.lower().endswith(SUFFIXES)
    if entry.name.lower().endswith(SUFFIXES):
        return True
    with open(entry.path, "rb") as file:  # a Path for each of many files is slow
        head = file.read(16)
    in_a_box = head[:4] == b"RIFF" and head[8:12] == b"WEBP"
    return in_a_box or head[4:12] in (b"ftypavif", b"ftypavis") or head.startswith(SIGNATURES)


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
