"""A training function as a trainer: what it receives, and how it is measured."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

from tune_mnist.training.own.parameters import OF_IMAGES

if TYPE_CHECKING:
    from tune_mnist.datasets import Dataset
    from tune_mnist.training.images import View
    from tune_mnist.training.measurement import Measurement, Report
    from tune_mnist.training.options import TrainOptions
    from tune_mnist.training.own.reported import Labels
    from tune_mnist.training.own.reporter import Abilities, TrainingData

OF_US = (*OF_IMAGES, "device")
"""Hyperparameters that are not the function's own."""


@dataclass(frozen=True)
class Function:
    """A training function, called as every model is called (`training.model.Trainer`).

    Args:
        train: the function.
        config: the dataclass of its parameters.
        abilities: what it can do.
        name: of the model.
    """

    train: Callable[..., Any]
    config: type
    abilities: Abilities
    name: str

    def __call__(
        self, config: Mapping[str, Any], data: Dataset, report: Report, options: TrainOptions
    ) -> Measurement:
        """Train one configuration; `random`, NumPy, torch and the threads are set, then reset."""
        from tune_mnist.training.fitted import Fitted
        from tune_mnist.training.own.reported import Reported
        from tune_mnist.training.own.reporter import Reporter, Task
        from tune_mnist.training.own.states import Restored, drawing, load_state

        began = perf_counter()
        images, fraction, own, view = _seen(config, data)

        def keep(measurement: Measurement, given: Any, predicted: Labels) -> None:
            if options.keep is not None:
                parts = Reported(given, own)
                options.keep(measurement, Fitted(parts, data, view, predicted))

        restored = load_state(options.restore, self.name) if options.restore else Restored()
        task = Task(self.name, images, fraction, own.get("epochs"), self.abilities, report, keep)
        with limited(options), drawing(options.seed):
            settings = self.config(**own)
            reporter = Reporter(task, options, restored, perf_counter() - began)
            self.train(settings, visible(images), reporter)
            return reporter.finished()


def _seen(config: Mapping[str, Any], data: Dataset) -> tuple[Dataset, float, dict[str, Any], View]:
    """Return the images as the function sees them, their fraction, its own parameters, the view."""
    from tune_mnist.datasets import first_of_each_class
    from tune_mnist.training.images import View, seen

    own = {name: value for name, value in config.items() if name not in OF_US}
    view = View(config.get("image_size"), config.get("colour", "keep"))
    fraction = config.get("train_fraction", 1.0)
    part = dataclasses.replace(data, train=first_of_each_class(data.train, fraction))
    return seen(part, view), fraction, own, view


def visible(data: Dataset) -> TrainingData:
    """Return the images that the function may see; a write to them raises ValueError."""
    from tune_mnist.datasets import Images
    from tune_mnist.training.own.reporter import TrainingData

    def read_only(part: Images) -> Images:
        images, labels = part.images.view(), part.labels.view()
        images.flags.writeable = labels.flags.writeable = False
        return Images(images, labels)

    return TrainingData(read_only(data.train), read_only(data.val), data.classes)


@contextmanager
def limited(options: TrainOptions) -> Iterator[None]:
    """Limit the threads of torch and of the BLAS inside the block; then free the GPU's memory."""
    import torch
    from threadpoolctl import threadpool_limits

    before = torch.get_num_threads()
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    try:
        with threadpool_limits(options.threads):
            yield
    finally:
        torch.set_num_threads(before)
        if options.device == "cuda":
            torch.cuda.empty_cache()
