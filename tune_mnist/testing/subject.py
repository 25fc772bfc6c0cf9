"""The model under test: trained on small made images, and everything that it reports kept."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from tune_mnist.datasets import Dataset, Images
from tune_mnist.models.hyperparameters import Config
from tune_mnist.training.fitted import Fitted
from tune_mnist.training.measurement import PARTS, Measurement, Save
from tune_mnist.training.model import Model
from tune_mnist.training.options import TrainOptions

_SIDE = 16
ONE_THREAD = TrainOptions(threads=1)


@dataclass(frozen=True)
class Run:
    """A training that has ended.

    Args:
        last: what it returned.
        reports: what it reported.
        saves: for each report, what would save its state; None where it cannot continue.
        seconds: that it took.
        fitted: the model that it handed over last; None if it hands over none.
    """

    last: Measurement
    reports: list[Measurement]
    saves: list[Save | None]
    seconds: float
    fitted: Fitted | None


@dataclass
class Subject:
    """A model under test.

    Args:
        model: that is tested.
        config: with which it is trained.
        raised: what its training raised, if it failed.
    """

    model: Model
    config: Config
    raised: Exception | None = field(default=None, init=False)

    @cached_property
    def data(self) -> Dataset:
        """60 training images of ten classes, in grey."""
        return made_images(classes=10, colour=False)

    @cached_property
    def first(self) -> Run:
        """A training from its beginning to its end."""
        return self.run()

    def run(
        self,
        data: Dataset | None = None,
        options: TrainOptions = ONE_THREAD,
        on_report: Callable[[Save | None], None] | None = None,
    ) -> Run:
        """Train it and keep what it reports.

        Args:
            data: instead of the usual images.
            options: as every training receives them.
            on_report: called at each report, with what saves the state.
        """
        reports: list[Measurement] = []
        saves: list[Save | None] = []

        def report(measurement: Measurement, save: Save | None) -> None:
            reports.append(measurement.copy())
            saves.append(save)
            if on_report:
                on_report(save)

        handed: list[Fitted] = []
        options = replace(options, keep=lambda _, fitted: handed.append(fitted))
        began = time.perf_counter()
        last = self.model.train(dict(self.config), data or self.data, report, options)
        seconds = time.perf_counter() - began
        return Run(last, reports, saves, seconds, handed[-1] if handed else None)


def without_times(measurement: Measurement) -> dict[str, object]:
    """Return what must be equal in equal trainings."""
    timed = (*PARTS, "wall_time_s", "prefix")
    return {name: value for name, value in measurement.items() if name not in timed}


def made_images(*, classes: int, colour: bool) -> Dataset:
    """Return noisy images of bright bars, one place a class: 6 a class to train, 3 to evaluate."""
    draws = np.random.default_rng(0)

    def part(each: int) -> Images:
        labels = np.arange(classes * each) % classes
        images = draws.integers(0, 96, (len(labels), _SIDE, _SIDE), dtype=np.uint8)
        for image, label in zip(images, labels, strict=True):
            image[label : label + 3] += 128
        if colour:
            images = np.stack([images, images // 2, 255 - images], axis=-1)
        labels = labels.astype(np.int64)
        images.flags.writeable = labels.flags.writeable = False  # as Ray shares them
        return Images(images, labels)

    train, val, test = part(6), part(3), part(3)
    names = tuple(f"class {label}" for label in range(classes))
    split = "made for a test"
    return Dataset("made", train, val, test, names, f"{classes} {colour}", split)
