"""Use an exported model, whoever made it: the classes of images, and how good it is on a data set.

Nothing in its folder is run (`training/saved/reading.py`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tune_mnist.actions.reading_data import asked_options, read_data
from tune_mnist.actions.requests import DataRequest
from tune_mnist.datasets import Dataset
from tune_mnist.datasets.image_folder.scan import SUFFIXES
from tune_mnist.datasets.pictures import read_pictures
from tune_mnist.errors import input_error, warn_skipped
from tune_mnist.metrics import LATENCIES, accuracy_interval
from tune_mnist.searching.observer import Observer
from tune_mnist.training.images import LARGEST_KEPT
from tune_mnist.training.latency import latency_s
from tune_mnist.training.measurement import balanced_accuracy, confusion, recalls
from tune_mnist.training.saved.reading import ExportedModel, Int64, Pixels, read_exported
from tune_mnist.wording import displayed, some


@dataclass(frozen=True)
class Prediction:
    """What a model says of an image file.

    Args:
        file: its path.
        classes: the names of the most likely classes, best first; one if it knows no probabilities.
        probabilities: theirs; None if the model knows none.
    """

    file: str
    classes: tuple[str, ...]
    probabilities: tuple[float, ...] | None


def predict(folder: Path, images: Sequence[Path], top: int = 1) -> list[Prediction]:
    """Return what an exported model says of images.

    Args:
        folder: of the model.
        images: files, and folders whose images of all depths are meant.
        top: how many classes to name for each.

    Warns: SkippedWarning: a file cannot be decoded.
    Raises: InputError: there is no such model, or no image that can be decoded.
    """
    model = read_exported(folder)
    files = [file for given in images for file in _files(given)]
    if not files:
        fix = f"name files that end in {some(SUFFIXES)}"
        raise input_error("`images`", "there is no image file", fix)
    decoded = read_pictures(files, max(model.config.size))
    for number, reason in decoded.bad.items():
        where = displayed(files[number])
        warn_skipped(where, f"left out: it cannot be decoded ({reason})", "repair or remove it")
    if not len(decoded.good):
        raise input_error("`images`", "none of them can be decoded", "name other files")
    names = [displayed(files[number]) for number in decoded.good]
    labels, chances = model.of_images(decoded.pixels)
    known = model.config.classes
    if chances is None:
        of_each = zip(names, labels, strict=True)
        return [Prediction(name, (known[label],), None) for name, label in of_each]
    best = np.argsort(-chances, axis=1, kind="stable")[:, :top]
    return [
        Prediction(name, tuple(known[i] for i in order), tuple(of_one[order].tolist()))
        for name, order, of_one in zip(names, best, chances, strict=True)
    ]


def _files(given: Path) -> list[str]:
    """Return a file, or the image files below a folder, sorted."""
    if not given.is_dir():
        if not given.exists():
            raise input_error("`images`", f"{given} is not there", "name files or folders")
        return [str(given)]
    return sorted(
        os.path.join(inside, name)  # noqa: PTH118 - a Path for each of many files is slow
        for inside, _, names in os.walk(given)
        for name in names
        if name.lower().endswith(SUFFIXES)
    )


@dataclass(frozen=True)
class Evaluation:
    """How good a model is on the test images of a data set.

    Args:
        data: the data set.
        images: how many test images it has.
        accuracy, balanced_accuracy: fractions.
        interval: Wilson's 95 % of the accuracy.
        recalls: each class's; None for one without images.
        confusion: k * k counts, row by row: one row per true class.
        latencies: seconds to predict an image here, by the names in `LATENCIES`.
    """

    data: Dataset
    images: int
    accuracy: float
    balanced_accuracy: float
    interval: tuple[float, float]
    recalls: tuple[float | None, ...]
    confusion: tuple[int, ...]
    latencies: Mapping[str, float]


def evaluate(folder: Path, request: DataRequest, observer: Observer | None = None) -> Evaluation:
    """Measure an exported model on the test images of a data set.

    Args:
        folder: of the model.
        request: the data set.
        observer: sees how many image files are decoded.

    Raises: InputError: no such model or data set, or the data set has other classes.
    """
    model = read_exported(folder)
    if request.dataset is None:
        fix = "name mnist, fashion-mnist, digits, or a folder or file of images"
        raise input_error("`dataset`", "is missing", fix)
    side = max(LARGEST_KEPT, *model.config.size)
    data = read_data(request.dataset, replace(asked_options(request), side=side), observer)
    _check_classes(model, data)
    k, labels = len(data.classes), data.test.labels
    predicted, _ = model.of_images(data.test.images)
    counts = confusion(labels, predicted, k)
    accuracy = float(np.mean(predicted == labels))

    def classes_of(images: Pixels) -> Int64:
        return model.of_images(images)[0]

    latencies = {n: latency_s(classes_of, data.test.images, many) for n, many in LATENCIES.items()}
    return Evaluation(
        data=data,
        images=len(labels),
        accuracy=accuracy,
        balanced_accuracy=balanced_accuracy(counts),
        interval=accuracy_interval(accuracy, len(labels)),
        recalls=tuple(recalls(counts)),
        confusion=tuple(counts),
        latencies=latencies,
    )


def _check_classes(model: ExportedModel, data: Dataset) -> None:
    if model.config.classes != data.classes:
        ours, theirs = some(model.config.classes), some(data.classes)
        problem = f"the model knows {ours}, and {data.name} has {theirs}"
        raise input_error("`dataset`", problem, "name a data set of the same classes")
