"""From arrays of any usual type and shape to uint8 images and numbered classes.

The parts of a data set (train, val, test) are converted together, so that a grey level and a class
mean the same in all of them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tune_mnist.datasets.dataset import Images, PartName, Unsplit
from tune_mnist.errors import input_error

MOST_NAMED = 3
CHUNK_IMAGES = 1024  # converted at a time, so that little memory is needed beside the arrays
WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,17})")

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Part:
    """One part of a data set as its source has it.

    Args:
        images: (n, h, w), (n, h, w, 1), (n, h, w, 3), (n, 1, h, w), (n, 3, h, w), or (n, h * h).
            uint8; or another type whose values are whole numbers from 0 to 255; or floats from 0
            to 1; or 16-bit integers.
        labels: (n,) or (n, 1): whole numbers or texts.
        images_at: where the images come from, for messages.
        labels_at: where the labels come from.
    """

    images: Array
    labels: Array
    images_at: str
    labels_at: str


def unsplit(
    parts: Mapping[PartName, Part], names: Sequence[str] = (), notes: Sequence[str] = ()
) -> Unsplit:
    """Return a data set of these parts, checked.

    Args:
        parts: "train" and, if the data set has them, "val" and "test".
        names: the classes of labels 0..k-1. Without them, the training labels are the classes.
        notes: what else a person may want to know.

    Raises: InputError: images and labels differ in number; images are empty, of several sizes,
        or of values that cannot be told; a label is no class or no class of the training images.
    """
    for part in parts.values():
        check_pair(part.labels_at, len(part.labels), part.images_at, len(part.images))
    shaped = {name: _shaped(part) for name, part in parts.items()}
    first = parts["train"]
    for name, part in parts.items():
        check_same_size(part.images_at, shaped[name], first.images_at, shaped["train"])
    pixels, scaled = _as_uint8([(parts[name].images_at, shaped[name]) for name in parts])
    values = {name: _label_values(part) for name, part in parts.items()}
    known: Array = np.arange(len(names)) if names else np.unique(values["train"])
    images = {
        name: Images(array, _positions(parts[name].labels_at, values[name], known))
        for name, array in zip(parts, pixels, strict=True)
    }
    classes = tuple(names) or tuple(str(value) for value in known)
    said = (*notes, *scaled, *(() if names else _gaps(known)))
    return Unsplit(images["train"], images.get("test"), classes, said, images.get("val"))


def check_pair(labels_at: object, labels: int, images_at: object, images: int) -> None:
    """Raise InputError if the numbers of labels and of images differ."""
    if images != labels:
        raise input_error(
            labels_at,
            f"{labels:,} labels for the {images:,} images of {images_at}",
            "use labels and images of one data set",
        )


def check_same_size(at: object, images: Array, first_at: object, first: Array) -> None:
    """Raise InputError if the two arrays have images of different sizes."""
    if images.shape[1:] != first.shape[1:]:
        raise input_error(
            at,
            f"its images are {by(images.shape[1:])}, those of {first_at} are {by(first.shape[1:])}",
            "use train and test images of one size",
        )


def by(shape: Sequence[int]) -> str:
    """Return a shape in words: "28 by 28"."""
    return " by ".join(map(str, shape))


def image_shape(pixels: int) -> tuple[int, ...] | None:
    """Return the shape of a square grey or RGB image of so many numbers; None if it is none."""
    side, colour_side = math.isqrt(pixels), math.isqrt(pixels // 3)
    if side and side**2 == pixels:
        return (side, side)
    return (colour_side, colour_side, 3) if colour_side and 3 * colour_side**2 == pixels else None


def _shaped(part: Part) -> Array:
    """Return images as (n, h, w) or (n, h, w, 3)."""
    images, where = part.images, part.images_at
    if 0 in images.shape or images.ndim == 0:
        raise input_error(where, f"is empty, its shape is {images.shape}", "add images")
    shape, n = images.shape, len(images)
    if images.ndim == 3:
        return images
    if images.ndim == 2 and (square := image_shape(shape[1])):
        return images.reshape(n, *square)
    if images.ndim == 4 and shape[3] in (1, 3):
        return images[..., 0] if shape[3] == 1 else images
    if images.ndim == 4 and shape[1] in (1, 3):
        return images[:, 0] if shape[1] == 1 else np.moveaxis(images, 1, 3)
    raise input_error(
        where,
        f"has the shape {shape}, which is not one of grey or RGB images",
        "use (n, h, w) or (n, h, w, 3)",
    )


def _as_uint8(arrays: Sequence[tuple[str, Array]]) -> tuple[list[npt.NDArray[np.uint8]], list[str]]:
    """Return the arrays as uint8, by one rule for all of them, and a note if values were changed.

    Args:
        arrays: each with the place that it comes from.
    """
    kinds = {array.dtype.kind if array.dtype.kind != "u" else "i" for _, array in arrays}
    if len(kinds) > 1:
        types = ", ".join(f"{where} is {array.dtype}" for where, array in arrays)
        raise input_error(arrays[0][0], f"types differ: {types}", "use one type for all parts")
    if (kind := kinds.pop()) not in "bif":
        where, array = arrays[0]
        raise input_error(where, f"holds {array.dtype}", "use uint8, or floats from 0 to 1")
    if kind == "b":
        return [array.astype(np.uint8) * 255 for _, array in arrays], ["black and white pixels"]
    if all(array.dtype == np.uint8 for _, array in arrays):
        return [np.ascontiguousarray(array) for _, array in arrays], []
    for where, array in arrays if kind == "f" else ():
        _check_finite(where, array)
    low, high = _range(arrays)
    if kind == "f" and low >= 0 and high <= 1:
        return _stretched(arrays, 0, 1)
    if low >= 0 and high <= 255 and all(_is_whole(array) for _, array in arrays):
        return [array.astype(np.uint8) for _, array in arrays], []
    if all(array.dtype.kind in "iu" and array.dtype.itemsize == 2 for _, array in arrays):
        return _stretched(arrays, low, high)
    where, array = next(
        (one for one in arrays if one[1].min() < 0 or one[1].max() > 255), arrays[0]
    )
    raise input_error(
        where,
        f"its values ({array.dtype}) reach from {array.min():g} to {array.max():g}",
        "use uint8, or floats from 0 to 1, as they are before they are standardised",
    )


def _range(arrays: Sequence[tuple[str, Array]]) -> tuple[float, float]:
    low = min(array.min() for _, array in arrays)
    return float(low), float(max(array.max() for _, array in arrays))


def _stretched(
    arrays: Sequence[tuple[str, Array]], low: float, high: float
) -> tuple[list[npt.NDArray[np.uint8]], list[str]]:
    """Return the values from low to high as 0 to 255, rounded, and a note."""
    scale = 255 / ((high - low) or 1)
    scaled = []
    for _, array in arrays:
        levels = np.empty(array.shape, np.uint8)
        for at in range(0, len(array), CHUNK_IMAGES):
            some = slice(at, at + CHUNK_IMAGES)
            levels[some] = np.rint((array[some] - np.float64(low)) * scale)
        scaled.append(levels)
    return scaled, [f"pixels from {low:g} to {high:g} ({arrays[0][1].dtype}) scaled to 0 to 255"]


def _check_finite(where: str, array: Array) -> None:
    if not np.isfinite(array).all():
        image = int(np.argwhere(~np.isfinite(array))[0][0])
        raise input_error(where, f"image {image} holds NaN or infinity", "repair or remove it")


def _is_whole(array: Array) -> bool:
    if array.dtype.kind != "f":
        return True
    chunks = (array[at : at + CHUNK_IMAGES] for at in range(0, len(array), CHUNK_IMAGES))
    return all(bool((some == np.rint(some)).all()) for some in chunks)


def _label_values(part: Part) -> Array:
    """Return labels as (n,) int64, or as text if any of them is none."""
    labels, where = part.labels, part.labels_at
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1:
        raise input_error(
            where,
            f"has the shape {labels.shape}, several labels an image",
            "use one class number an image",
        )
    if labels.dtype.kind in "biu":
        return labels.astype(np.int64)
    if labels.dtype.kind == "f":
        wrong = np.flatnonzero(~np.isfinite(labels) | (labels != np.rint(labels)))
        if len(wrong):
            problem = f"label {labels[wrong[0]]:g} of image {wrong[0]} is not a whole number"
            raise input_error(where, problem, "number the classes from 0")
        return labels.astype(np.int64)
    given = labels.tolist()
    odd = next((i for i, label in enumerate(given) if not isinstance(label, str | int)), None)
    if odd is not None:
        problem = f"label {str(given[odd])[:40]} of image {odd} is {type(given[odd]).__name__}"
        raise input_error(where, problem, "use whole numbers or texts as labels")
    texts = [str(label) for label in given]
    if all(WHOLE.fullmatch(text) for text in texts):
        return np.array(texts, dtype=np.int64)
    if "" in texts:
        raise input_error(where, f"image {texts.index('')} has no label", "add it, or remove it")
    return np.array(texts)


def _positions(where: str, values: Array, known: Array) -> npt.NDArray[np.int64]:
    """Return the position of each label among the known ones, which are sorted."""
    if (values.dtype.kind == "i") != (known.dtype.kind == "i"):
        raise input_error(where, "numbers here, texts elsewhere", "write all labels in one way")
    at = np.searchsorted(known, values).clip(max=len(known) - 1)
    wrong = np.flatnonzero(known[at] != values)
    if len(wrong):
        named = ", ".join(str(value) for value in known[:MOST_NAMED])
        named += f" … {known[-1]}" if len(known) > MOST_NAMED else ""
        raise input_error(
            where,
            f"label {values[wrong[0]]} of image {wrong[0]} ({len(wrong):,} such)",
            f"the training labels are {named}",
        )
    return at.astype(np.int64)


def _gaps(known: Array) -> tuple[str, ...]:
    """Return a note if numbers are missing between the labels."""
    if known.dtype.kind != "i" or known[-1] - known[0] + 1 == len(known):
        return ()
    few = [str(value + 1) for value in known[:-1][np.diff(known) > 1][:MOST_NAMED]]
    more = " …" if int(known[-1]) - int(known[0]) + 1 - len(known) > len(few) else ""
    span = f"labels {known[0]} to {known[-1]} without {', '.join(few)}{more}"
    return (f"{span}: {len(known)} classes",)
