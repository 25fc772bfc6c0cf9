"""A training function is called with what it may see, and measured by us."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytest
import torch

from tune_mnist.datasets import Dataset, Images
from tune_mnist.testing.subject import made_images
from tune_mnist.training.measurement import Measurement, Save
from tune_mnist.training.options import TrainOptions
from tune_mnist.training.own.model import OwnModel, model_of
from tune_mnist.training.own.parameters import Range
from tune_mnist.training.own.reporter import Reporter, TrainingData, trainer


@dataclass(frozen=True)
class Config:
    epochs: Annotated[int, Range(1, 9)] = 3


@dataclass(frozen=True)
class Once:
    width: Annotated[int, Range(1, 9)] = 3


Train = Callable[[Any, TrainingData, Reporter], None]


def zeros(images: Any) -> Any:
    return np.zeros(len(images), int)


def model(train: Train) -> OwnModel:
    return model_of(train, "mine:train", (__name__, "train"), __file__)


def run(
    train: Train, config: dict[str, Any] | None = None, **options: Any
) -> tuple[Measurement, list[Measurement], list[Save | None]]:
    """Return the last measurement, all that were reported, and what would save the states."""
    reports: list[Measurement] = []
    saves: list[Save | None] = []

    def report(measurement: Measurement, save: Save | None) -> None:
        reports.append(measurement)
        saves.append(save)

    data: Dataset = options.pop("data", made_images(classes=4, colour=False))
    found, config = model(train), {"epochs": 3} if config is None else config
    last = found.train(config, data, report, TrainOptions(threads=1, **options))
    return last, reports, saves


def test_every_epoch_is_measured_and_the_last_one_on_the_test_images() -> None:
    def train(config: Config, data: TrainingData, report: Reporter) -> None:
        for epoch in range(config.epochs):
            told_apart = partial(_first_bright_row, most=epoch + 1)
            report(told_apart)

    last, reports, _ = run(train)
    assert [one["step"] for one in reports] == [1, 2, 3]
    assert [one["fidelity"] for one in reports] == [1.0, 2.0, 3.0]
    assert [one["val_accuracy"] for one in reports] == [0.5, 0.75, 1.0]
    assert ["test_accuracy" in one for one in reports] == [False, False, True]
    assert last["test_accuracy"] == 1.0
    assert last["confusion"] == np.diag([3, 3, 3, 3]).flatten().tolist()
    assert last["wall_time_s"] == last["setup_s"] + last["fit_s"] + last["eval_s"]


def _first_bright_row(images: Any, most: int) -> Any:
    """Return the class of made images, `most` at most."""
    return np.minimum((images.mean(axis=2) > 100).argmax(axis=1), most)


def test_it_sees_no_test_images_and_cannot_change_the_others() -> None:
    seen: list[TrainingData] = []

    def train(config: Config, data: TrainingData, report: Reporter) -> None:
        seen.append(data)
        for _ in range(config.epochs):
            report(zeros)

    made = made_images(classes=4, colour=False)
    copies = [Images(one.images.copy(), one.labels.copy()) for one in (made.train, made.val)]
    run(train, data=replace(made, train=copies[0], val=copies[1]))
    assert not hasattr(seen[0], "test")
    for part in (seen[0].train, seen[0].val):
        assert not part.images.flags.writeable
        assert not part.labels.flags.writeable


def test_a_space_sets_size_colour_and_fraction_of_the_images() -> None:
    shapes = []

    def train(config: Once, data: TrainingData, report: Reporter) -> None:
        shapes.append(data.train.images.shape)
        report(zeros)

    colour = made_images(classes=4, colour=True)
    config = {"width": 2, "image_size": 8, "colour": "grey", "train_fraction": 0.5}
    last, _, _ = run(train, config, data=colour)
    assert shapes == [(12, 8, 8)]
    assert last["fidelity"] == 0.5


def test_one_that_ends_before_its_last_epoch_is_measured_on_the_test_images_then() -> None:
    def train(config: Config, data: TrainingData, report: Reporter) -> None:
        report(zeros)  # it has had enough

    last, reports, _ = run(train)
    assert [(one["step"], "test_accuracy" in one) for one in reports] == [(1, False), (1, True)]
    assert last is reports[-1]


def test_predictions_may_be_tensors_or_lists() -> None:
    def train(config: Config, data: TrainingData, report: Reporter) -> None:
        report(lambda images: torch.zeros(len(images), dtype=torch.int64, requires_grad=False))
        report(lambda images: [0] * len(images))
        report(zeros)

    assert {one["val_accuracy"] for one in run(train)[1]} == {0.25}


WRONG: dict[str, tuple[Callable[[Any, TrainingData, Any], object], str]] = {
    "scores": (
        lambda c, d, report: report(lambda images: np.zeros((len(images), 4))),
        r"shape \(12, 4\), not \(12,\), the class of each image, for example scores.argmax",
    ),
    "fractions": (
        lambda c, d, report: report(lambda images: np.zeros(len(images))),
        "float64, not class numbers",
    ),
    "too many classes": (
        lambda c, d, report: report(lambda images: np.full(len(images), 4)),
        "classes from 4 to 4; there are 4, numbered from 0",
    ),
    "nothing": (lambda c, d, report: None, "returned and reported nothing"),
    "too many epochs": (
        lambda c, d, report: [report(zeros) for _ in range(4)],
        "reports epoch 4 of 3; loop over",
    ),
    "a state that it may not have": (
        lambda c, d, report: report(zeros, state={}),
        "mark it @trainer",
    ),
    "a loss that is not finite": (
        lambda c, d, report: report(zeros, train_loss=float("nan")),
        "diverged: the train_loss is nan in epoch 1",
    ),
    "a percentage": (
        lambda c, d, report: report(zeros, train_accuracy=97.0),
        "not a fraction from 0 to 1",
    ),
    "half a weight": (lambda c, d, report: report(zeros, parameters=1.5), "not a whole number"),
    "a text": (lambda c, d, report: report(zeros, val_loss="low"), "'low', not a number"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_cannot_be_measured_is_said(what: str) -> None:
    body, said = WRONG[what]

    def train(config: Config, data: TrainingData, report: Reporter) -> None:
        body(config, data, report)

    with pytest.raises((ValueError, FloatingPointError), match=said):
        run(train)


def test_two_reports_need_epochs() -> None:
    def train(config: Once, data: TrainingData, report: Reporter) -> None:
        report(zeros)
        report(zeros)

    with pytest.raises(ValueError, match="reports twice, and its config has no `epochs`"):
        run(train, {"width": 1})


def test_what_promises_losses_must_report_them() -> None:
    @trainer(has_loss=True)
    def train(config: Config, data: TrainingData, report: Reporter) -> None:
        report(zeros, train_loss=1.0)

    assert model(train).has_loss
    with pytest.raises(ValueError, match="has_loss=True, and reports no train_loss or val_loss"):
        run(train)


def test_random_numbers_and_threads_are_set_and_then_as_before() -> None:
    seen: list[Any] = []

    def train(config: Config, data: TrainingData, report: Reporter) -> None:
        seen.append((random.random(), np.random.random(), torch.rand(1).item()))
        seen.append(torch.get_num_threads())
        report(zeros)

    torch.set_num_threads(2)
    try:
        before = (random.getstate(), torch.get_rng_state().tolist())
        for seed in (5, 5, 6):
            run(train, seed=seed)
        assert (random.getstate(), torch.get_rng_state().tolist()) == before
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)
    assert seen[0] == seen[2] != seen[4]
    assert {seen[1], seen[3], seen[5]} == {1}


@trainer(resumable=True)
def _walk(config: Config, data: TrainingData, report: Reporter) -> None:
    """Draw numbers, before and in each epoch, and report how many are low."""
    torch.rand(3)
    drawn = list(report.state["drawn"]) if report.state else []
    for _ in report.epochs():
        drawn.append((random.random(), np.random.random(), torch.rand(1).item()))
        report(zeros, train_accuracy=drawn[-1][2], state={"drawn": [list(one) for one in drawn]})


def test_a_training_continues_from_its_state_as_if_it_had_never_stopped(tmp_path: Path) -> None:
    def saving(measurement: Measurement, save: Save | None) -> None:
        if save:
            save(tmp_path)
            raise KeyboardInterrupt

    data, found = made_images(classes=4, colour=False), model(_walk)
    with pytest.raises(KeyboardInterrupt):
        found.train({"epochs": 3}, data, saving, TrainOptions())
    _, all_reports, saves = run(_walk)
    rest, reports, _ = run(_walk, restore=tmp_path)
    assert [one["step"] for one in reports] == [2, 3]
    assert [one["train_accuracy"] for one in reports] == [
        one["train_accuracy"] for one in all_reports[1:]
    ]
    assert saves[-1] is None  # a whole training has nothing to continue
    assert rest["setup_s"] > 0


def test_a_state_of_another_model_is_refused(tmp_path: Path) -> None:
    def saving(measurement: Measurement, save: Save | None) -> None:
        if save:
            save(tmp_path)

    data = made_images(classes=4, colour=False)
    model(_walk).train({"epochs": 2}, data, saving, TrainOptions())
    other = replace(model_of(_walk, "other:train", (__name__, "_walk"), __file__))
    with pytest.raises(Exception, match=r"state\.pt is not a state of other:train"):
        other.train({"epochs": 2}, data, saving, TrainOptions(restore=tmp_path))


def test_a_state_that_could_not_be_read_back_is_refused(tmp_path: Path) -> None:
    @trainer(resumable=True)
    def train(config: Config, data: TrainingData, report: Reporter) -> None:
        report(zeros, state={"net": [object()]})

    _, _, saves = run(train)
    assert saves[0] is not None
    with pytest.raises(ValueError, match=r"state\['net'\]\[0\] is a object, which cannot be saved"):
        saves[0](tmp_path)
