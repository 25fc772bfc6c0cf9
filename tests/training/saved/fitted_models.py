"""Fitted models of every family, saved as a search saves them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tune_mnist.datasets import Dataset, Images
from tune_mnist.training.fitted import Fitted
from tune_mnist.training.measurement import Measurement
from tune_mnist.training.model import find_model
from tune_mnist.training.options import TrainOptions

CONFIGS: dict[str, dict[str, Any]] = {
    "logistic": {"C": 1.0, "max_iter": 50},
    "svm": {"kernel": "rbf", "C": 1.0, "gamma": "scale"},
    "resnet": {
        "architecture": "resnet18",
        "batch_size": 32,
        "optimizer": "sgd",
        "learning_rate": 0.01,
        "epochs": 1,
    },
}


def first_images(data: Dataset, train: int) -> Dataset:
    """Return the data set with its first training images alone."""
    few = Images(data.train.images[:train], data.train.labels[:train])
    return dataclasses.replace(data, train=few)


def trained(
    model: str, config: Mapping[str, Any], data: Dataset, **options: Any
) -> list[tuple[Measurement, Fitted]]:
    """Train a configuration; return what it handed over to be kept."""
    handed: list[tuple[Measurement, Fitted]] = []
    own = TrainOptions(threads=1, keep=lambda *both: handed.append(both), **options)
    find_model(model).train(config, data, lambda *_: None, own)
    return handed


def saved(model: str, config: Mapping[str, Any], data: Dataset, folder: Path) -> Fitted:
    """Train a configuration and save its model into an empty folder."""
    [(_, fitted)] = trained(model, config, data)
    save = find_model(model).save
    assert save is not None
    save(fitted, folder)
    return fitted
