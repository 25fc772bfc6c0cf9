"""The model that a training function reports: measured as it is saved, read back, or refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from torch import nn

from tune_mnist.actions.exporting.checking import check_exported
from tune_mnist.datasets import Dataset
from tune_mnist.errors import InputError
from tune_mnist.testing.subject import made_images
from tune_mnist.training.fitted import Fitted
from tune_mnist.training.images import seen
from tune_mnist.training.models.logistic import MODEL
from tune_mnist.training.options import TrainOptions
from tune_mnist.training.own.model import OwnModel, model_of
from tune_mnist.training.own.parameters import Range
from tune_mnist.training.own.reporter import Reporter, TrainingData
from tune_mnist.training.saved.exported import form_of, write_exported

NAME = "mine:train"


@dataclass(frozen=True)
class Config:
    width: Annotated[int, Range(1, 64)] = 3
    epochs: Annotated[int, Range(1, 9)] = 2


@dataclass(frozen=True)
class Once:
    C: Annotated[float, Range(0, 10)] = 1.0


class Net(nn.Module):
    """A small network whose first part is frozen."""

    def __init__(self, width: int, data: TrainingData) -> None:
        super().__init__()
        self.frozen = nn.BatchNorm1d(width)
        self.frozen.eval()
        pixels = data.train.images[0].size
        self.first, self.last = nn.Linear(pixels, width), nn.Linear(width, len(data.classes))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = self.last(self.frozen(self.first(images.flatten(1) / 255)))
        return scores


def network(config: Config, data: TrainingData, report: Reporter) -> None:
    net = Net(config.width, data)
    optimizer = torch.optim.Adam(net.parameters(), 0.01)
    images, labels = torch.tensor(data.train.images), torch.tensor(data.train.labels)
    for _ in range(config.epochs):
        torch.autograd.backward(nn.functional.cross_entropy(net(images), labels))
        optimizer.step()
        report(net)
        assert (net.training, net.frozen.training) == (True, False), "as they were before"


def estimator(config: Once, data: TrainingData, report: Reporter) -> None:
    fitted = make_pipeline(StandardScaler(), LogisticRegression(C=config.C))
    report(fitted.fit(data.train.images.reshape(len(data.train), -1), data.train.labels))


def opaque(config: Once, data: TrainingData, report: Reporter) -> None:
    halved = FunctionTransformer(_halved)
    fitted = make_pipeline(halved, LogisticRegression())
    report(fitted.fit(data.train.images.reshape(len(data.train), -1), data.train.labels))


def _halved(rows: Any) -> Any:
    return rows / 2


def function(config: Once, data: TrainingData, report: Reporter) -> None:
    report(lambda images: np.zeros(len(images), int))


def boolean(config: Config, data: TrainingData, report: Reporter) -> None:
    net = Net(config.width, data)
    net.register_buffer("mask", torch.ones(3, dtype=torch.bool))
    for _ in range(config.epochs):
        report(net)


def one_score(config: Config, data: TrainingData, report: Reporter) -> None:
    report(nn.Flatten(0))


def a_number(config: Config, data: TrainingData, report: Reporter) -> None:
    report(3)  # type: ignore[arg-type]


def model(train: Callable[..., None]) -> OwnModel:
    return model_of(train, NAME, (__name__, train.__name__), __file__)


@pytest.fixture
def data() -> Dataset:
    return made_images(classes=4, colour=True)


def trained(train: Callable[..., None], data: Dataset, **config: Any) -> Fitted:
    """Train with defaults; return what it handed over to be kept."""
    handed: list[Fitted] = []
    options = TrainOptions(threads=1, keep=lambda _, fitted: handed.append(fitted))
    found = model(train)
    known = {n: one.default for n, one in found.hyperparameters.items() if one.default is not None}
    found.train(known | config, data, lambda *_: None, options)
    [fitted] = handed
    return fitted


@pytest.mark.parametrize(("train", "form"), [(network, "pt2"), (estimator, "skops")])
def test_what_it_reports_is_exported_and_predicts_the_same_in_a_fresh_process(
    train: Callable[..., None],
    form: str,
    data: Dataset,
    tmp_path: Path,
) -> None:
    """Which can import neither us nor the function's module."""
    found, fitted = model(train), trained(train, data, colour="grey", image_size=12)
    assert found.predictor is not None
    assert (found.predictor(fitted).build()(data.val.images) == fitted.predicted).all()
    assert found.save is not None
    assert found.load is not None
    saved, out = tmp_path / "saved", tmp_path / "out"
    saved.mkdir()
    out.mkdir()
    found.save(fitted, saved)
    loaded = found.load(saved)
    assert (loaded.facts.model, loaded.facts.channels, loaded.facts.width) == (NAME, 1, 12)
    write_exported(loaded, form_of(loaded, None), out)
    assert (out / f"model.{form}").exists()
    # Its script has Pillow take the colour away, which may round another way: grey images.
    assert check_exported(out, loaded, seen(data, fitted.view)).images == len(data.val)


@pytest.mark.parametrize(
    ("train", "said"),
    [
        (function, "reports a function, which only a pickle could save; report the torch network"),
        (opaque, "the estimator holds .*_halved, which could run any code when loaded"),
        (boolean, "the network's mask is torch.bool; keep it as torch.float32"),
    ],
)
def test_what_cannot_be_saved_safely_says_why(
    train: Callable[..., None], said: str, data: Dataset, tmp_path: Path
) -> None:
    found, fitted = model(train), trained(train, data)
    assert found.save is not None
    with pytest.raises(ValueError, match=said):
        found.save(fitted, tmp_path)


@pytest.mark.parametrize(
    ("train", "said"),
    [
        (one_score, r"the network returned the shape \(9216,\), not \(12, k\), a score for each"),
        (a_number, "report received a int, which cannot predict; report a torch network"),
    ],
)
def test_what_cannot_predict_is_said(train: Any, said: str, data: Dataset) -> None:
    with pytest.raises(ValueError, match=said):
        trained(train, data)


@pytest.fixture
def saved(data: Dataset, tmp_path: Path) -> Path:
    folder = tmp_path / "network"
    folder.mkdir()
    save = model(network).save
    assert save is not None
    save(trained(network, data), folder)
    return folder


def change(folder: Path, **settings: Any) -> None:
    file = folder / "model.json"
    facts = json.loads(file.read_text())
    file.write_text(json.dumps({**facts, "settings": {**facts["settings"], **settings}}))


@pytest.mark.parametrize(
    "config", ['{"width": 10000000000}', '{"widht": 3}', "[]", "{", '{"width": {}}']
)
def test_a_strangers_configuration_is_checked_before_anything_runs(
    config: str, saved: Path
) -> None:
    change(saved, config=config)
    load = model(network).load
    assert load is not None
    with pytest.raises(InputError, match="its configuration is not one of mine:train"):
        load(saved)


def test_images_that_would_fill_the_memory_are_not_made(saved: Path) -> None:
    file = saved / "model.json"
    facts = json.loads(file.read_text())
    file.write_text(json.dumps({**facts, "height": 4096, "width": 4096}))
    load = model(network).load
    assert load is not None
    with pytest.raises(InputError, match="was saved for 4 classes of 4096x4096 pixels"):
        load(saved)


def failing(config: Config, data: TrainingData, report: Reporter) -> None:
    raise RuntimeError("too few images")


@pytest.mark.parametrize(
    ("train", "said"),
    [
        (boolean, "its code builds another network than was saved: the array 'mask' is missing"),
        (estimator, "its configuration is not one of mine:train"),
        (failing, "it fails on 64 images of noise: RuntimeError: too few images"),
    ],
)
def test_code_that_has_changed_since_is_said(
    train: Callable[..., None], said: str, saved: Path
) -> None:
    load = model(train).load
    assert load is not None
    with pytest.raises(InputError, match=said):
        load(saved)


def test_a_model_object_without_a_predictor_has_no_latency_to_choose_by() -> None:
    assert model_of(MODEL, "a:b", ("a", "b"), "a.py").has_latency
    without = replace(MODEL, predictor=None)
    assert not model_of(without, "a:b", ("a", "b"), "a.py").has_latency
