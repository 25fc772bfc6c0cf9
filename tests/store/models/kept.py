"""A search that keeps the models of its best trials, without the search."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.store.example_trials import report
from tune_mnist.metrics import Goal
from tune_mnist.searching.history.keeping import KeptModels
from tune_mnist.store.files.models import check_model
from tune_mnist.store.files.sealing import seal
from tune_mnist.store.layout import models_folder
from tune_mnist.store.reader import read_trials
from tune_mnist.store.writer import Writer

GOAL = Goal()


def written(candidates: Path, name: str) -> Path:
    """Write and seal a model of two files, as a trial does."""
    folder = candidates / f"of-{name}"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(name.encode() * 1000)
    (folder / "model.json").write_text(name)
    seal(folder)
    return folder


def kept_models(writer: Writer, most: int = 1, goal: Goal = GOAL) -> KeptModels:
    """Return what keeps the models of a search, with what the store has of it."""
    models = KeptModels(writer, goal, most)
    rows = read_trials(writer.root, search=writer.search).to_pylist()
    models.remember({**row, "config": {"C": 1.0}} for row in rows)
    return models


def finish(writer: Writer, models: KeptModels, row: dict[str, Any]) -> None:
    """Write a trial's model, then store its row, as a search does when the trial has ended."""
    with models.storing(row, lambda: written(writer.candidates, row["trial"])):
        writer.append_trial(row, [report(1), report(2)])


def whole_models(root: Path, search: str = "svm") -> set[str]:
    """Return the trials whose models are in a local store, each of them checked."""
    folder = models_folder(root, search)
    found = sorted(folder.iterdir()) if folder.is_dir() else []
    for model in found:
        assert (check_model(model) / "model.json").read_text() == model.name
    return {model.name for model in found}
