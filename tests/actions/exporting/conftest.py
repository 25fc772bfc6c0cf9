"""Stores whose one trial has its model, made without Ray."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.searching.conftest import plan_text
from tests.store.example_trials import report, trial
from tests.training.saved.fitted_models import CONFIGS, trained
from tune_mnist.datasets import Dataset, LoadOptions, load_dataset
from tune_mnist.metrics import Goal
from tune_mnist.models.registry import parameter_types
from tune_mnist.provenance import versions
from tune_mnist.searching.history.keeping import KeptModels
from tune_mnist.searching.on_ray.recorder import _measured
from tune_mnist.store.files.sealing import seal
from tune_mnist.store.writer import Writer
from tune_mnist.training.latency import timing
from tune_mnist.training.model import find_model

StoreOf = Callable[[str], Path]


@pytest.fixture(scope="session")
def digits() -> Dataset:
    return load_dataset("digits", LoadOptions(download=False))


@pytest.fixture(scope="session")
def store_of(digits: Dataset, tmp_path_factory: pytest.TempPathFactory) -> StoreOf:
    """A function that returns the store of a search `s` of a model; its trial 00000 has won."""
    made: dict[str, Path] = {}

    def store(model: str) -> Path:
        if model not in made:
            made[model] = tmp_path_factory.mktemp(model) / "results"
            write_store(made[model], model, digits)
        return made[model]

    return store


def write_store(root: Path, model: str, digits: Dataset) -> None:
    config = {**CONFIGS[model], **({"train_fraction": 0.05} if model == "resnet" else {})}
    [(measurement, fitted)] = trained(model, config, digits)
    root.mkdir()
    plan = plan_text(root.parent, f"model: {model}\ndataset: digits\npoints:\n  - {config}\n")
    facts: dict[str, Any] = {"versions": json.dumps(versions()), "device": "a processor"}
    facts |= {"cpus": 1.0, "gpus": 0.0}
    predictor = find_model(model).predictor
    assert predictor is not None
    timing(predictor, None)(measurement, fitted)
    row = trial("00000", model=model, config=config, dataset=digits.name, seed=0, **facts)
    row |= _measured({**measurement})
    save = find_model(model).save
    assert save is not None
    with Writer(root, "s", parameter_types()) as writer:
        writer.write_search(plan.record("s", digits))
        folder = writer.candidates / "model"
        folder.mkdir(parents=True)
        save(fitted, folder)
        seal(folder)
        with KeptModels(writer, Goal(), 1).storing(row, lambda: folder):
            writer.append_trial(row, [report(1)])
