"""Look at a data set before a search: what would be trained on, with some of its images."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tune_mnist.actions.reading_data import asked_options, read_data
from tune_mnist.actions.requests import DataRequest
from tune_mnist.datasets import Dataset, Images
from tune_mnist.datasets.cache import clear, decoded_folder
from tune_mnist.errors import input_error
from tune_mnist.searching.observer import Observer

PARTS = ("training", "validation", "test")
SHOWN_EACH = 5
MOST_CLASSES = 200


@dataclass(frozen=True)
class ClassLine:
    """A class of a data set.

    Args:
        name: of the class.
        counts: its images in training, validation and test.
    """

    name: str
    counts: tuple[int, int, int]


def look(request: DataRequest, observer: Observer | None = None) -> Dataset:
    """Read a data set as a search would.

    Args:
        request: what is asked for.
        observer: sees how many image files are decoded.

    Raises: InputError: no data set is named, or what `load_dataset` raises.
    """
    if request.dataset is None:
        fix = "name mnist, fashion-mnist, digits, or a folder or file of images"
        raise input_error("`dataset`", "is missing", fix)
    return read_data(request.dataset, asked_options(request), observer)


def class_lines(data: Dataset) -> list[ClassLine]:
    """Return each class with the number of its images in each part."""
    k = len(data.classes)
    counts = [np.bincount(part.labels, minlength=k) for part in _parts(data)]
    return [
        ClassLine(name, (int(train), int(val), int(test)))
        for name, train, val, test in zip(data.classes, *counts, strict=True)
    ]


def sample_images(data: Dataset) -> list[tuple[tuple[bytes, ...], ...]]:
    """Return some images of each of the first 200 classes as PNG: class by class, part by part.

    They are spread evenly over the images of the class in the part, five at most.
    """
    return [
        tuple(_some_of(part, label) for part in _parts(data))
        for label in range(min(len(data.classes), MOST_CLASSES))
    ]


def clear_cache() -> tuple[str, int, int]:
    """Remove the cache of decoded images; return its folder, the entries and their bytes.

    Raises: InputError: it cannot be removed.
    """
    folder = str(decoded_folder())
    try:
        return (folder, *clear())
    except OSError as error:
        raise input_error(folder, f"cannot be removed ({error.strerror})", "remove it") from None


def _parts(data: Dataset) -> tuple[Images, Images, Images]:
    return data.train, data.val, data.test


def _some_of(part: Images, label: int) -> tuple[bytes, ...]:
    rows = np.flatnonzero(part.labels == label)
    spread = np.linspace(0, len(rows) - 1, min(SHOWN_EACH, len(rows))).round().astype(int)
    return tuple(_png(part.images[row]) for row in rows[spread])


def _png(pixels: npt.NDArray[np.uint8]) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()
