"""The models that can be searched, by name, and what every room may know of them.

Each module of `tune_mnist.training.models` declares one model, under its own name, as `MODEL`. So a
new model is one new file there. The modules are imported here when somebody asks for a model. They
import no library until a trial begins, not even NumPy, so that `spaces` and `--help` stay fast.
`own.py` finds the models that people bring.
"""

from __future__ import annotations

import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from tune_mnist.errors import input_error, nearest
from tune_mnist.models import own
from tune_mnist.models.external import is_external
from tune_mnist.models.hyperparameters import Device, Hyperparameter, shown

_DECLARED_IN = "tune_mnist.training.models"

Definition = tuple[str, str]
"""A module, dotted, and a name that is defined at its top."""


@dataclass(frozen=True, kw_only=True)
class ModelDescription(ABC):
    """What every room may know of a model; `training/model.py` adds what trains it.

    Args:
        name: in space files and in the store.
        noun: in sentences, with its article: "an SVM".
        hyperparameters: what its configurations are made of. With `epochs`, each epoch is measured,
            so a scheduler can stop a trial there.
        libraries: the distributions that compute its results; their versions are part of the code
            hash.
        on_gpu: whether it can train on a GPU.
        seeded: whether the seed changes its results.
        exact: whether its results are the same on every processor and with any number of threads.
        has_loss: whether it measures `train_loss` and `val_loss`.
        resumable: whether its trainings save states to continue from.
        contains_shorter: whether a training of more epochs also measures the shorter ones that it
            contains.
        searched: the domain of each hyperparameter, as a space file writes it, that a space without
            parameters and points searches; empty: there is no such space.
        file: of a model of your own, where its code is; "" of a model that ships.
    """

    name: str
    noun: str
    hyperparameters: Mapping[str, Hyperparameter]
    libraries: tuple[str, ...]
    on_gpu: bool = False
    seeded: bool = True
    exact: bool = False
    has_loss: bool = True
    resumable: bool = False
    contains_shorter: bool = False
    searched: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    file: str = ""

    @property
    @abstractmethod
    def has_latency(self) -> bool:
        """Whether the latency of its fitted models is measured."""

    @property
    @abstractmethod
    def roots(self) -> tuple[Definition, ...]:
        """Where the code that can change its results begins, for the code hash."""


class _ExternalModel(ModelDescription):
    """A model that is trained elsewhere: its space declares its parameters."""

    @property
    def roots(self) -> tuple[Definition, ...]:
        """Nothing: no code of ours computes its results."""
        return ()

    @property
    def has_latency(self) -> bool:
        """Its client may measure it."""
        return True


@cache
def model_names() -> tuple[str, ...]:
    """Return the names of the models that ship, sorted."""
    found = import_module(_DECLARED_IN).__path__
    return tuple(sorted(module.name for module in pkgutil.iter_modules(found)))


def is_model(name: str) -> bool:
    """Return whether a model may have this name; one of your own is not imported."""
    return name in model_names() or is_external(name) or own.path_of(name) is not None


def no_model(name: str) -> tuple[str, str]:
    """Return what is wrong with a name that is no model's, and the way out."""
    fix = nearest(name, [*model_names(), *own.entry_points()])
    if not fix.startswith("did you mean"):
        fix += "; your own is package.module:name"
    return f"{shown(name)} is not a model", fix


def is_at_hand(name: object) -> bool:
    """Return whether this is the name of a model that ships, or of one that is imported already."""
    shipped = name in model_names() or is_external(name)
    return shipped or (isinstance(name, str) and own.is_loaded(name))


def import_model(name: str, folders: Iterable[Path] = ()) -> None:
    """Import a model of your own, again if its files have changed; nothing for one that ships.

    Args:
        name: that `is_model` accepts.
        folders: where to look for it too, before the current folder.

    Raises: InputError: it cannot be imported; the fault's key is `model`.
    """
    if name not in model_names() and not is_external(name):
        own.load(name, folders)


def find_model(name: str) -> ModelDescription:
    """Return a model. Raises: InputError: there is none of this name, or it cannot be imported."""
    if name in model_names():
        return _shipped(name)
    if is_external(name):
        return _ExternalModel(name=name, noun=name, hyperparameters={}, libraries=())
    if not own.is_loaded(name) and own.path_of(name) is None:
        raise input_error("`model`", *no_model(name))
    return cast(ModelDescription, own.loaded(name))


@cache
def _shipped(name: str) -> ModelDescription:
    return cast(ModelDescription, import_module(f"{_DECLARED_IN}.{name}").MODEL)


def hyperparameters_of(model: str) -> Mapping[str, Hyperparameter]:
    """Return what a model's configurations are made of. Raises: as `find_model`."""
    return find_model(model).hyperparameters


def usual_device(model: str, device: Device) -> Device:
    """Return where a model trains in a search on this device, unless its configuration says it."""
    return device if find_model(model).on_gpu else "cpu"


def parameter_types(*models: str) -> dict[str, type]:
    """Return the type of the store's column for every hyperparameter of every model.

    gamma is text there: "scale" or "0.001". The configuration itself keeps the float.

    Args:
        models: others, of your own, beside those that ship; a column of these keeps its type.
    """
    return {
        name: hyperparameter.types[0]
        for model in (*models, *model_names())
        for name, hyperparameter in hyperparameters_of(model).items()
    }
