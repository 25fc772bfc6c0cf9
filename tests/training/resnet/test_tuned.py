"""What a space can tune in a ResNet's training: torch's own loss and schedulers, step by step."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight
from torch.nn.functional import cross_entropy
from torch.optim.lr_scheduler import CosineAnnealingLR, OneCycleLR

from tune_mnist.datasets import Dataset, Images
from tune_mnist.training.images import View, resize, seen
from tune_mnist.training.measurement import Measurement, Save
from tune_mnist.training.options import TrainOptions
from tune_mnist.training.resnet.fused_update import fused_optimizer
from tune_mnist.training.resnet.image_input import batches, normalise
from tune_mnist.training.resnet.live_taps import keep_live_taps
from tune_mnist.training.resnet.step import draw_network
from tune_mnist.training.resnet.train import ResnetConfig, train

CONFIG = ResnetConfig(
    "resnet18", 16, "sgd", 0.01, epochs=3, momentum=0.8, weight_decay=0.01, label_smoothing=0.1
)
SCHEDULERS: dict[str, Callable[[torch.optim.Optimizer, int], Any]] = {
    "cosine": lambda optimizer, steps: CosineAnnealingLR(optimizer, T_max=steps),
    "one-cycle": lambda optimizer, steps: OneCycleLR(
        optimizer, max_lr=0.01, total_steps=steps, cycle_momentum=False
    ),
}


@pytest.fixture(scope="module")
def few(digits: Dataset) -> Dataset:
    """49 training images: batches of 16, 16 and 17."""
    first = Images(digits.train.images[:49], digits.train.labels[:49])
    return dataclasses.replace(digits, train=first, val=first, test=first)


def trained(config: ResnetConfig, data: Dataset, folder: Path) -> list[Measurement]:
    reports: list[Measurement] = []

    def report(measurement: Measurement, save: Save | None) -> None:
        reports.append(measurement)
        if save:
            save(folder)

    train(config, data, report, TrainOptions(lengths={1, 2}))
    return reports


@pytest.mark.parametrize("schedule", SCHEDULERS)
def test_weights_and_losses_equal_those_under_torchs_scheduler(
    schedule: Any, few: Dataset, tmp_path: Path
) -> None:
    config = dataclasses.replace(CONFIG, schedule=schedule)
    reports = trained(config, few, tmp_path)
    state = torch.load(tmp_path / "state.pt", weights_only=True)  # after two of three epochs
    network = draw_network("resnet18", 10, seed=0)
    keep_live_taps(network, 32, 32)
    optimizer = fused_optimizer(network, dataclasses.replace(config, schedule="constant"))
    scheduler = SCHEDULERS[schedule](optimizer, 9)
    order = torch.Generator().manual_seed(0)
    images, labels = resize(few.train.images, 32), torch.from_numpy(few.train.labels.copy())
    for epoch in range(2):
        chosen = torch.randperm(len(images), generator=order)
        total = 0.0
        for some, truth in batches(images[chosen], labels[chosen], 16):
            loss = cross_entropy(network(normalise(some)), truth, label_smoothing=0.1)
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            scheduler.step()
            total += loss.item() * len(truth)
        assert reports[epoch]["train_loss"] == pytest.approx(total / len(images), rel=1e-6)
    for name, weight in network.named_parameters():
        torch.testing.assert_close(state["network"][name], weight.detach(), rtol=1e-6, atol=1e-7)


def test_validation_losses_are_plain_whatever_is_minimised(few: Dataset, tmp_path: Path) -> None:
    """With one step and a rate of almost 0 the network is the same, so its losses are, too."""
    plain, smoothed = (
        trained(
            dataclasses.replace(CONFIG, learning_rate=1e-30, epochs=1, label_smoothing=smoothing),
            few,
            tmp_path,
        )[0]
        for smoothing in (0.0, 0.5)
    )
    assert smoothed["val_loss"] == plain["val_loss"]
    assert smoothed["train_loss"] != plain["train_loss"]


@pytest.mark.parametrize(("schedule", "contains"), [("constant", True), ("cosine", False)])
def test_a_training_contains_a_shorter_one_only_at_a_constant_rate(
    schedule: Any, contains: bool, few: Dataset, tmp_path: Path
) -> None:
    long = trained(dataclasses.replace(CONFIG, schedule=schedule), few, tmp_path)
    short = trained(dataclasses.replace(CONFIG, schedule=schedule, epochs=2), few, tmp_path)
    assert ("prefix" in long[1]) == contains
    assert (long[1]["train_loss"] == short[1]["train_loss"]) == contains


def test_augmented_images_are_trained_on_and_only_trained_on(few: Dataset, tmp_path: Path) -> None:
    still = dataclasses.replace(CONFIG, learning_rate=1e-30, weight_decay=0.0, epochs=2)
    plain = trained(still, few, tmp_path)
    moved = trained(dataclasses.replace(still, augment="both"), few, tmp_path)
    assert moved[0]["train_loss"] != plain[0]["train_loss"]
    assert len({one["train_loss"] for one in moved}) == 2  # other changes in each epoch


def test_balanced_classes_are_torchs_weighted_loss(few: Dataset, tmp_path: Path) -> None:
    """One step at a rate of almost 0: the loss of the untrained network on all its images."""
    config = dataclasses.replace(
        CONFIG, batch_size=64, learning_rate=1e-30, epochs=1, class_weight="balanced"
    )
    kept = np.flatnonzero((few.train.labels < 4) | (np.arange(49) % 2 == 0))
    unequal = Images(few.train.images[kept], few.train.labels[kept])
    data = dataclasses.replace(few, train=unequal)
    [measured] = trained(config, data, tmp_path)
    labels = torch.from_numpy(unequal.labels)
    weights = compute_class_weight("balanced", classes=np.arange(10), y=unequal.labels)
    network = draw_network("resnet18", 10, seed=0)
    keep_live_taps(network, 32, 32)
    loss = torch.nn.CrossEntropyLoss(
        weight=torch.from_numpy(weights).float(), label_smoothing=config.label_smoothing
    )
    with torch.no_grad():
        expected = loss(network(normalise(resize(unequal.images, 32))), labels).item()
    assert measured["train_loss"] == pytest.approx(expected, rel=1e-5)
    [plain] = trained(dataclasses.replace(config, class_weight="none"), data, tmp_path)
    assert plain["train_loss"] != pytest.approx(expected, rel=1e-3)
    assert plain["val_loss"] == measured["val_loss"]


@pytest.mark.parametrize("change", [{"image_size": 8}, {"image_size": 45, "colour": "grey"}])
def test_another_size_or_colour_is_that_of_images_resized_beforehand(
    change: dict[str, Any], few: Dataset, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (49, 20, 30, 3), dtype=np.uint8)
    images = Images(pixels, few.train.labels)
    data = dataclasses.replace(few, train=images, val=images, test=images)
    config = dataclasses.replace(CONFIG, epochs=2)
    direct = trained(dataclasses.replace(config, **change), data, tmp_path)
    before = seen(data, View(change["image_size"], change.get("colour", "keep")))
    assert before.train.images.shape[1:3] == (change["image_size"], change["image_size"])
    resized = trained(
        dataclasses.replace(config, image_size=change["image_size"]), before, tmp_path
    )
    drop = "setup_s", "fit_s", "eval_s", "wall_time_s", "prefix"  # it has times, too
    plain = [{k: v for k, v in one.items() if k not in drop} for one in (*direct, *resized)]
    assert plain[:2] == plain[2:]
    assert direct[0]["multiply_adds"] != 37_016_576
