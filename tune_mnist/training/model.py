"""What a model is: its hyperparameters, what it needs, and the function that trains it.

Each module of `training/models/` declares one as `MODEL`. The modules are light: a training
function imports its libraries when it is called.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, cast

from tune_mnist.models import registry
from tune_mnist.models.hyperparameters import Config, Scalar
from tune_mnist.models.registry import Definition, ModelDescription

if TYPE_CHECKING:  # spaces are read without NumPy
    import numpy as np
    import numpy.typing as npt

    from tune_mnist.datasets import Dataset
    from tune_mnist.training.fitted import Fitted, Predictor
    from tune_mnist.training.images import View
    from tune_mnist.training.measurement import Measurement, Report
    from tune_mnist.training.options import TrainOptions
    from tune_mnist.training.saved.exported import SavedModel

Trainer: TypeAlias = "Callable[[Mapping[str, Scalar], Dataset, Report, TrainOptions], Measurement]"
"""Trains one configuration, reports each measurement and returns the last one.

A process is used for many trials, so what a training leaves there (threads, GPU memory) is reset or
freed. See `TrainOptions` and `Measurement`.
"""

Engine = tuple[str, str]
"""The implementation that trains, and why it was chosen, in a line."""


@dataclass(frozen=True)
class Planned:
    """What a search will train, as far as it decides which engine is best.

    Args:
        values: what `kernel` (for example) can be in the space; None where it may be left out.
        views: the ways in which its configurations see the images.
        train: the number of training images.
        evaluated: the number of validation and test images.
        classes: the number of classes.
        memory_bytes: memory that the machine can spare.
    """

    values: Callable[[str], Collection[Scalar | None]]
    views: Collection[View]
    train: int
    evaluated: int
    classes: int
    memory_bytes: int


def _no_choice(planned: Planned) -> Engine | None:  # noqa: ARG001
    return None


def _as_stored(images: npt.NDArray[np.uint8]) -> int | None:  # noqa: ARG001
    return None


def _the_chosen(config: Config, chosen: str) -> str:  # noqa: ARG001
    return chosen


@dataclass(frozen=True, kw_only=True)
class Model(ModelDescription):
    """A family of classifiers that can be searched.

    Args:
        train: trains one configuration.
        choose_engine: which implementation a search uses, None if there is only one.
        engine_of: the implementation that trains a configuration, given the one of the search.
        side: pixels per side at which it sees these images unless the configuration says so, None
            as they are stored; (n, h, w) or (n, h, w, 3) images.
        predictor: returns what predicts as the model does that `save` writes, on the device that it
            was trained on: it is timed (`latency.py`). None: its latency is not measured.
        save: writes what its trainer hands to `TrainOptions.keep` into an empty folder, without
            pickle; None if its models cannot be saved.
        load: reads such a folder, which may come from a stranger; None if only `save` is there.
        (The others are `ModelDescription`'s.)
    """

    train: Trainer
    choose_engine: Callable[[Planned], Engine | None] = _no_choice
    engine_of: Callable[[Config, str], str] = _the_chosen
    side: Callable[[npt.NDArray[np.uint8]], int | None] = _as_stored
    predictor: Callable[[Fitted], Predictor] | None = None
    save: Callable[[Fitted, Path], None] | None = None
    load: Callable[[Path], SavedModel] | None = None

    @property
    def has_engines(self) -> bool:
        """Whether there is more than one implementation."""
        return self.choose_engine is not _no_choice

    @property
    def has_latency(self) -> bool:
        """As `ModelDescription`."""
        return self.predictor is not None

    @property
    def roots(self) -> tuple[Definition, ...]:
        """Where the code that can change its results begins, for the code hash."""
        begin = (self.train, self.choose_engine)
        return tuple((function.__module__, function.__qualname__) for function in begin)


def find_model(name: str) -> Model:
    """Return a model. Raises: InputError: there is none of this name."""
    return cast(Model, registry.find_model(name))
