"""The hyperparameters of a ResNet. This module loads no torch."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from tune_mnist.errors import Fault, InputError, nearest
from tune_mnist.training.class_weights import ClassWeight
from tune_mnist.training.images import LARGEST, LARGEST_KEPT, SMALLEST, Colour
from tune_mnist.training.learning_rate import Schedule

Architecture = Literal["resnet18", "resnet50"]
Optimizer = Literal["sgd", "adam"]
Precision = Literal["float32", "bfloat16"]
Augment = Literal["none", "shift", "flip", "both"]

INPUT_SIZE = 32  # pixels per side in the technical report

_WORDS = {
    "architecture": get_args(Architecture),
    "optimizer": get_args(Optimizer),
    "precision": (None, *get_args(Precision)),
    "class_weight": get_args(ClassWeight),
    "colour": get_args(Colour),
    "schedule": get_args(Schedule),
    "augment": get_args(Augment),
}


def input_size(images: npt.NDArray[np.uint8]) -> int:
    """Return the pixels per side of the network's input, unless the configuration says them.

    Args:
        images: (n, h, w) or (n, h, w, 3), as stored.
    Returns: the longer side, but at least 32, the technical report's, and at most 64.
    """
    longer = int(max(images.shape[1:3]))
    return min(max(INPUT_SIZE, longer), LARGEST_KEPT)


@dataclass(frozen=True)
class ResnetConfig:
    """One point of the ResNet search space.

    Args:
        architecture: the name of a network of torchvision.
        batch_size: images per step, at least 2: BatchNorm needs more than a single image.
        optimizer: "sgd" or "adam" (with torch's betas).
        learning_rate: > 0; with a schedule that changes it, the highest.
        epochs: passes over the training images, at least 1.
        pin_memory: matters only on a GPU. True: batches are copied there from page-locked memory;
            False: from pageable memory; None: all images are kept on the GPU.
        train_fraction: in (0, 1], the fraction of the training images to train on: the first images
            of each class.
        precision: number format of matrix products, "float32" or "bfloat16"; None: the one that the
            device does best.
        momentum: in [0, 1), of sgd; adam does not use it.
        weight_decay: >= 0, the factor of the weights that is added to their gradients, as torch's
            SGD and Adam do.
        label_smoothing: in [0, 1], as in torch's cross-entropy; for training only.
        class_weight: "none", or "balanced": an image of a smaller class weighs more in the training
            loss, as with scikit-learn's "balanced".
        schedule: of the learning rate, over the steps of the whole training.
        augment: what changes the training images at random: "none", "shift" (up to an eighth of a
            side), "flip" (left to right, half of the images) or "both".
        image_size: from 8 to 224, pixels per side of the network's input; None: the longer side of
            the stored images, but at least 32, the technical report's, and at most 64.
        colour: "keep", or "grey" to take the images' colour away.

    Raises:
        InputError: values outside these ranges; it names all of them.
    """

    architecture: Architecture
    batch_size: int
    optimizer: Optimizer
    learning_rate: float
    epochs: int
    pin_memory: bool | None = None
    train_fraction: float = 1.0
    precision: Precision | None = None
    momentum: float = 0.9
    weight_decay: float = 0.0
    label_smoothing: float = 0.0
    class_weight: ClassWeight = "none"
    schedule: Schedule = "constant"
    augment: Augment = "none"
    image_size: int | None = None
    colour: Colour = "keep"

    def __post_init__(self) -> None:
        faults = [*self._unknown_words(), *self._wrong_numbers()]
        if faults:
            raise InputError(faults)

    def _unknown_words(self) -> Iterator[Fault]:
        for key, known in _WORDS.items():
            value = getattr(self, key)
            if value not in known:
                fix = nearest(value, [word for word in known if word])
                yield Fault("resnet", key, f"{value!r} is unknown", fix)

    def _wrong_numbers(self) -> Iterator[Fault]:
        if self.batch_size < 2:
            yield Fault("resnet", "batch_size", f"{self.batch_size} is < 2", "use 16")
        if self.epochs < 1:
            yield Fault("resnet", "epochs", f"{self.epochs} is < 1", "use 5")
        if not 0 < self.learning_rate < math.inf:
            problem = f"{self.learning_rate} is not a finite number > 0"
            yield Fault("resnet", "learning_rate", problem, "use 0.001")
        if not 0 < self.train_fraction <= 1:
            problem = f"{self.train_fraction} is not in (0, 1]"
            yield Fault("resnet", "train_fraction", problem, "use 1.0")
        if not 0 <= self.momentum < 1:
            yield Fault("resnet", "momentum", f"{self.momentum} is not in [0, 1)", "use 0.9")
        if not 0 <= self.weight_decay < math.inf:
            problem = f"{self.weight_decay} is not a finite number >= 0"
            yield Fault("resnet", "weight_decay", problem, "use 0.0001")
        if not 0 <= self.label_smoothing <= 1:
            problem = f"{self.label_smoothing} is not in [0, 1]"
            yield Fault("resnet", "label_smoothing", problem, "use 0.1")
        if self.image_size is not None and not SMALLEST <= self.image_size <= LARGEST:
            problem = f"{self.image_size} is not from {SMALLEST} to {LARGEST}"
            yield Fault("resnet", "image_size", problem, "use 32")
