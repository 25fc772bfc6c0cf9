"""Which folders are splits and which are classes.

    pets/cat/…  pets/dog/…                        class folders; their own folders are walked
    pets/train/cat/…  pets/val/cat/…  pets/test/cat/…    splits, by the names people use
    pets/pets/cat/…                               wrapped once more, as some archives are
    pets/train/metadata.csv                       a table of labels (metadata.py)

The name of a split is never a class. What is not used is counted in a note.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field

from tune_mnist.datasets.dataset import PARTS, PartName
from tune_mnist.datasets.image_folder.metadata import Labelled, labelled_images, metadata_of
from tune_mnist.datasets.image_folder.scan import (
    Contents,
    LeftOut,
    contents,
    count_images,
    walk,
)
from tune_mnist.errors import Fault, InputError, first_faults, input_error
from tune_mnist.wording import displayed, some

NAMES: dict[str, PartName] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing", "eval", "evaluation"), "test"),
}
OF_PART = {"train": "training", "val": "validation", "test": "test"}
MOST_FAULTS = 20
SORT_THEM = (
    "put the images of each class into a folder of their own, or add a metadata.csv with the"
    " columns file_name and label"
)


@dataclass(frozen=True)
class Listing:
    """The image files of a data set.

    Args:
        classes: names of the classes; labels are positions in it.
        paths: n files: the training images, then those for validation, then those for the test.
        labels: n class numbers.
        parts: how many of the files are in each part.
        notes: what was left out.
    """

    classes: tuple[str, ...]
    paths: list[str] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    parts: dict[PartName, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def part_of(name: str) -> PartName | None:
    """Return which split a folder is by its name, or None: "Training_Set" is "train"."""
    plain = re.sub(r"[\W_]+", "_", name.casefold()).strip("_")
    return NAMES.get(re.sub(r"_?(set|data|images|split)$", "", plain))


def list_images(folder: str) -> Listing:
    """Find the images of a folder, their classes and their splits.

    Args:
        folder: absolute path.

    Raises: InputError: the folder is in no layout that this module knows, it has fewer than 2
        classes, or a class without images. Faults of several folders are raised together.
    """
    root = _unwrapped(folder)
    left_out = LeftOut(root)
    notes = (f"read from {left_out_name(root, folder)}",) if root != folder else ()
    found = contents(root)
    if (table := metadata_of(found)) is not None:
        parts = _by_first_folder(labelled_images(root, table, left_out), root)
    else:
        left_out.add_ignored(found)
        splits = _splits(root, found, left_out)
        if splits:
            parts = {part: _part(path, left_out) for part, path in splits.items()}
            left_out.add("no class folder", len(found.images))
        else:
            parts = {"train": _classes(root, found, left_out)}
    listing = _listing(root, parts)
    return Listing(
        listing.classes,
        listing.paths,
        listing.labels,
        listing.parts,
        (*notes, *left_out.notes()),
    )


def left_out_name(path: str, folder: str) -> str:
    """Return a folder as it is named from the one above the data set's."""
    return displayed(os.path.relpath(path, os.path.dirname(folder)))


def _unwrapped(folder: str) -> str:
    """Return the folder itself, or the one below it that holds everything."""
    found = contents(folder)
    alone = len(found.folders) == 1 and not found.images and metadata_of(found) is None
    if not alone or part_of(os.path.basename(found.folders[0])):
        return folder
    inner = contents(found.folders[0])
    holds_all = inner.folders or metadata_of(inner) is not None
    return _unwrapped(found.folders[0]) if holds_all and not inner.images else folder


def _splits(root: str, found: Contents, left_out: LeftOut) -> dict[PartName, str]:
    """Return the folder of each split; {} if there are none.

    Raises: InputError: two folders for one split, no training images, or class folders beside.
    """
    named: dict[PartName, list[str]] = {}
    others = []
    for path in found.folders:
        part = part_of(os.path.basename(path))
        if part is None:
            others.append(path)
        elif holds_images(path, left_out):
            named.setdefault(part, []).append(path)
    for part, paths in named.items():
        if len(paths) > 1:
            both = " and ".join(map(left_out.shown, paths))
            problem = f"{both} are both {OF_PART[part]} images by their names"
            raise input_error(root, problem, "keep one of them, or put both into one folder")
    beside = [path for path in others if holds_images(path, left_out)]
    if named and beside and ("train" not in named or len(named) == 1):
        raise _beside(root, [paths[0] for paths in named.values()], beside, left_out)
    if named and "train" not in named:
        shown = some(left_out.shown(paths[0]) for paths in named.values())
        raise input_error(root, f"holds {shown} but no training images", "add the folder train/")
    for path in beside if named else ():
        left_out.add(left_out.shown(path), count_images(path))
    return {part: _split_folder(named[part][0]) for part in PARTS if part in named}


def _beside(
    root: str, splits: Sequence[str], beside: Sequence[str], left_out: LeftOut
) -> InputError:
    """Return the refusal of a split's folder beside class folders, with the two ways out."""
    split, classes = some(map(left_out.shown, splits)), some(map(left_out.shown, beside))
    return input_error(
        root,
        f"{split} has the name of a split and stands beside {classes}",
        f"put {classes} into train/ if {split} is a split, or rename {split} if it is a class",
    )


def holds_images(folder: str, left_out: LeftOut) -> bool:
    """Return whether there is an image or a table of labels below; what is left out is not kept."""
    return any(
        found.images or metadata_of(found) is not None
        for _, found in walk(folder, LeftOut(left_out.root))
    )


def _split_folder(folder: str) -> str:
    """Return the folder, or the one of the same name in it, as in training_set/training_set."""
    found = contents(folder)
    if len(found.folders) != 1 or found.images:
        return folder
    inner, own = os.path.basename(found.folders[0]), os.path.basename(folder)
    same = inner == own or part_of(inner) == part_of(own)
    return found.folders[0] if same else folder


def _part(folder: str, left_out: LeftOut) -> Labelled:
    """Return the images of a split's folder, by class."""
    found = contents(folder)
    if (table := metadata_of(found)) is not None:
        return labelled_images(folder, table, left_out)
    left_out.add_ignored(found)
    return _classes(folder, found, left_out)


def _classes(folder: str, found: Contents, left_out: LeftOut) -> Labelled:
    """Return the images of the class folders in `folder`, by class.

    Folders whose names differ only in Unicode's form (NFC, NFD) are one class. A folder like
    `__cache__` is a class unless it holds no images.
    """
    by_class: Labelled = {}
    faults: list[Fault] = []
    for path in found.folders:
        name = os.path.basename(path)
        try:
            images = _images_of_class(path, left_out)
        except InputError as error:
            faults += error.faults
            continue
        if part_of(name) and images:
            faults.append(_split_as_class(path, folder))
        elif not images and not name.startswith("__"):
            faults.append(Fault(path, "", "holds no images", "add images, or remove it"))
        elif images:
            by_class.setdefault(unicodedata.normalize("NFC", displayed(name)), []).extend(images)
    if faults:
        raise InputError(faults)
    if not by_class and found.images:
        problem = f"holds {len(found.images):,} images and no class folders"
        raise input_error(folder, problem, SORT_THEM)
    place = left_out.shown(folder) if folder != left_out.root else ""
    left_out.add(f"{place} beside the class folders".strip(), len(found.images))
    return by_class


def _images_of_class(folder: str, left_out: LeftOut) -> list[str]:
    """Return the images of a class folder, those in its own folders included."""
    images = []
    for path, found in walk(folder, left_out):
        images += found.images
        if path != folder and part_of(os.path.basename(path)) and found.images:
            raise InputError([_split_as_class(path, folder)])
    return images


def _split_as_class(path: str, folder: str) -> Fault:
    problem = f"has the name of a split and stands in {displayed(os.path.basename(folder))}/"
    fix = "put train/ and test/ outermost, each with the class folders; or rename it if it is none"
    return Fault(path, "", problem, fix)


def _by_first_folder(images: Labelled, root: str) -> dict[PartName, Labelled]:
    """Return the images of a table in the root, by the split that their first folder names."""
    parts: dict[PartName, Labelled] = {}
    for name, paths in images.items():
        for path in paths:
            first = os.path.relpath(path, root).split(os.sep)[0]
            part = part_of(first) or "train"
            parts.setdefault(part, {}).setdefault(name, []).append(path)
    if "train" not in parts:
        raise input_error(root, "its table names no training images", "add their rows")
    return {part: parts[part] for part in PARTS if part in parts}


def _listing(root: str, parts: dict[PartName, Labelled]) -> Listing:
    """Return the listing of these parts; check their classes."""
    classes = tuple(sorted(parts["train"]))
    if len(classes) < 2:
        problem = f"holds {len(classes)} class folders and no IDX files"
        raise input_error(root, problem, "add one folder of images per class, at least 2")
    listing = Listing(classes)
    faults = []
    for part, images in parts.items():
        for name in sorted(images):
            if name not in classes:
                fix = f"the training classes are {some(classes, 20)}"
                where = os.path.dirname(images[name][0])
                faults.append(Fault(where, "", f"{name} is not a training class", fix))
            else:
                listing.paths.extend(images[name])
                listing.labels.extend([classes.index(name)] * len(images[name]))
        if not images:
            faults.append(Fault(root, "", f"its {OF_PART[part]} folder has no class", SORT_THEM))
        listing.parts[part] = sum(map(len, images.values()))
    if faults:
        others = Fault(root, "", "more folders cannot be used", "see the lines above")
        raise first_faults(faults, MOST_FAULTS, others)
    return listing
