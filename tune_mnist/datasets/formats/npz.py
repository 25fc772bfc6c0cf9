"""`.npz` files of NumPy: Keras' and MedMNIST's arrays in one file, Kuzushiji's in four.

Nothing is unpickled. An array's header is read first: it must promise as many bytes as the archive
says, and no more than fit, so a small file cannot fill the memory.
"""

from __future__ import annotations

import io
import math
import re
import zipfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tune_mnist.datasets.dataset import PARTS, PartName, Unsplit
from tune_mnist.datasets.formats.arrays import Part, unsplit
from tune_mnist.datasets.formats.file_sets import FileSet, part_of, quick
from tune_mnist.datasets.memory import check_fits
from tune_mnist.errors import InputError, input_error

SCHEMES = (("x_{}", "y_{}"), ("{}_images", "{}_labels"))  # Keras, MedMNIST
ALONE = "arr_0"  # the array's name if a file has only one
KUZUSHIJI = re.compile(r"(?P<part>.+)[-_](?P<what>imgs|images|labels)", re.IGNORECASE)
EXPECTED = (
    "use x_train, y_train, x_test, y_test (Keras), or train_images, train_labels, val_images … "
    "(MedMNIST), or one array a file: NAME-train-imgs.npz, NAME-train-labels.npz … (Kuzushiji)"
)
HEADER_BYTES = 1 << 16

Place = tuple[Path, str]  # a file, and the name of an array in it


def find(files: Sequence[Path]) -> list[FileSet]:
    """Return the data sets among these files; a damaged .npz is one that cannot be read."""
    found, alone = [], defaultdict[str, dict[str, Place]](dict)
    for path in files:
        if path.suffix.lower() != ".npz":
            continue
        try:
            names = array_names(path)
        except InputError:
            names = []
        match = KUZUSHIJI.fullmatch(path.stem)
        name, part = part_of(match["part"]) if match else ("", None)
        if match and part and names == [ALONE]:
            what = "labels" if match["what"].lower() == "labels" else "images"
            alone[name].setdefault(f"{part} {what}", (path, ALONE))
        elif not names or _places(path, names):
            own = part_of(path.stem)[0]
            found.append(FileSet(own, (path,), quick(partial(_read_one, path))))
    for name, places in alone.items():
        paths = tuple(path for path, _ in places.values())
        found.append(FileSet(name, paths, quick(partial(_read, places))))
    return found


def array_names(path: Path) -> list[str]:
    """Return the names of the arrays in a file.

    Raises: InputError: it is not an .npz file.
    """
    with _archive(path) as archive:
        return [name.removesuffix(".npy") for name in archive.namelist()]


def _read_one(path: Path) -> Unsplit:
    return _read(_places(path, array_names(path)))


def _places(path: Path, names: Sequence[str]) -> dict[str, Place]:
    """Return where in a file each array is, by its role; {} if there are no training arrays."""
    places: dict[str, Place] = {}
    for images, labels in SCHEMES:
        for part in PARTS:
            for what, name in (("images", images.format(part)), ("labels", labels.format(part))):
                if name in names:
                    places.setdefault(f"{part} {what}", (path, name))
    return places if any(role.startswith("train") for role in places) else {}


def _read(places: Mapping[str, Place]) -> Unsplit:
    parts: dict[PartName, Part] = {}
    for part in PARTS:
        roles = [f"{part} images", f"{part} labels"]
        held = [role for role in roles if role in places]
        if part == "train" or held:
            for role in roles:
                if role not in places:
                    beside = next(iter(places.values()))[0]
                    raise input_error(beside, f"there are no {role}", EXPECTED)
            (images, labels) = (places[role] for role in roles)
            _check_size([place for role, place in places.items() if role in roles])
            arrays = (_array(images), _array(labels))
            parts[part] = Part(*arrays, _said(images), _said(labels))
    return unsplit(parts)


def _said(place: Place) -> str:
    path, name = place
    return str(path) if name == ALONE else f"{path}: {name}"


def _check_size(places: Sequence[Place]) -> None:
    for path, name in places:
        with _archive(path) as archive:
            size = archive.getinfo(f"{name}.npy").file_size
        check_fits(f"{path}: {name}", size)


def _archive(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except OSError:
        raise
    except Exception as error:  # a damaged directory may raise anything
        raise _damaged(path, error) from None


def _array(place: Place) -> npt.NDArray[Any]:
    """Return one array, whose checksum holds."""
    path, name = place
    with _archive(path) as archive:
        try:
            promised = archive.getinfo(f"{name}.npy").file_size
            with archive.open(f"{name}.npy") as member:
                head = io.BytesIO(member.read(HEADER_BYTES))
            shape, type_ = _header(head)
            if type_.hasobject:
                problem = f"array {name} holds Python objects, which are never unpickled"
                raise input_error(path, problem, "save it as numbers or texts")
            if head.tell() + math.prod(shape) * type_.itemsize != promised:
                problem = f"array {name} of shape {shape} is not the {promised:,} bytes stored"
                raise input_error(path, problem, "copy or download the file again")
            with archive.open(f"{name}.npy") as member:
                array = np.lib.format.read_array(member, allow_pickle=False)
                member.read(1)  # to the end, where the checksum is compared
        except (InputError, OSError):
            raise
        except Exception as error:  # a damaged archive or header may raise anything
            raise _damaged(path, error) from None
    return array


def _header(head: io.BytesIO) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = np.lib.format.read_magic(head)
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version)
    if read is None:
        raise ValueError(f"version {version} of the array format")
    shape, _, type_ = read(head)
    return shape, type_


def _damaged(path: Path, error: Exception) -> InputError:
    reason = str(error) or type(error).__name__
    return input_error(
        path, f"cannot be read as .npz ({reason})", "copy or download the file again"
    )
