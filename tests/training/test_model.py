"""Every model is trained through one call, with a configuration, data, a report and options."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from tune_mnist.datasets import Dataset, Images
from tune_mnist.models.registry import model_names
from tune_mnist.training.measurement import Measurement
from tune_mnist.training.model import find_model
from tune_mnist.training.options import TrainOptions
from tune_mnist.training.svm.threads import available_threads

CONFIGS: dict[str, dict[str, Any]] = {
    "logistic": {"C": 1.0, "max_iter": 50},
    "resnet": {
        "architecture": "resnet18",
        "batch_size": 16,
        "optimizer": "sgd",
        "learning_rate": 0.01,
        "epochs": 2,
    },
    "svm": {"kernel": "linear", "C": 1.0},
}


@pytest.fixture(autouse=True)
def _torchs_threads() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def few(digits: Dataset) -> Dataset:
    first = Images(digits.train.images[:64], digits.train.labels[:64])
    return dataclasses.replace(digits, train=first, val=first, test=first)


@pytest.mark.parametrize("model", model_names())
def test_a_trainer_reports_each_measurement_and_returns_the_last(model: str, few: Dataset) -> None:
    reports: list[Measurement] = []
    train = find_model(model).train
    last = train(CONFIGS[model], few, lambda m, _: reports.append(m), TrainOptions())
    assert [r["step"] for r in reports] == list(range(1, CONFIGS[model].get("epochs", 1) + 1))
    assert reports[-1] == last
    assert ["test_accuracy" in r for r in reports] == [r is reports[-1] for r in reports]


@pytest.mark.parametrize("model", model_names())
def test_a_training_uses_the_threads_that_it_is_given(model: str, few: Dataset) -> None:
    used = torch.get_num_threads if model == "resnet" else available_threads
    seen: list[int] = []
    train, options = find_model(model).train, TrainOptions(threads=1)
    train(CONFIGS[model], few, lambda *_: seen.append(used()), options)
    assert set(seen) == {1}


def test_importing_the_registry_loads_no_heavy_library() -> None:
    code = (
        "import sys; from tune_mnist.models.registry import *; "
        "assert all(find_model(one).hyperparameters for one in model_names()); "
        "print([m for m in ('torch', 'sklearn', 'numba', 'ray') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
