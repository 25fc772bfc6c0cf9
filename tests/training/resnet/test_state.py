"""A training that resumes from its saved state equals one that never stopped."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch

from tune_mnist.datasets import Dataset, Images
from tune_mnist.errors import InputError
from tune_mnist.training.measurement import Measurement, Save
from tune_mnist.training.options import TrainOptions
from tune_mnist.training.resnet.config import Optimizer
from tune_mnist.training.resnet.cuda_graph import undone
from tune_mnist.training.resnet.fused_update import fused_optimizer
from tune_mnist.training.resnet.step import draw_network, loss_scaler, training_step
from tune_mnist.training.resnet.train import ResnetConfig, train

CONFIG = ResnetConfig("resnet18", batch_size=16, optimizer="adam", learning_rate=0.001, epochs=3)


@pytest.fixture(scope="module")
def few(digits: Dataset) -> Dataset:
    first = Images(digits.train.images[:66], digits.train.labels[:66])
    return dataclasses.replace(digits, train=first, val=first, test=first)


def run(
    config: ResnetConfig, data: Dataset, save_to: Path | None = None, restore: Path | None = None
) -> list[Measurement]:
    """Train, saving the state after the first epoch or resuming from a saved one, if given."""
    reports: list[Measurement] = []

    def report(measurement: Measurement, save: Save | None) -> None:
        reports.append(measurement)
        if save and save_to and measurement["step"] == 1:
            save(save_to)

    train(config, data, report, TrainOptions(restore=restore))
    return reports


@pytest.fixture(scope="module")
def saved(few: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("state")
    run(dataclasses.replace(CONFIG, epochs=2), few, save_to=folder)
    return folder


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_resuming_gives_the_same_numbers_bit_for_bit(
    optimizer: Optimizer, few: Dataset, tmp_path: Path
) -> None:
    config = dataclasses.replace(CONFIG, optimizer=optimizer)
    whole = run(config, few, save_to=tmp_path)
    rest = run(config, few, restore=tmp_path)
    _check_equal(whole, rest)


@pytest.mark.parametrize(
    "change",
    [
        {"schedule": "cosine"},
        {"schedule": "one-cycle", "optimizer": "sgd", "momentum": 0.5, "weight_decay": 0.01},
        {"augment": "both", "label_smoothing": 0.1},
    ],
)
def test_a_schedule_and_the_augmentation_continue_where_they_were(
    change: dict[str, Any], few: Dataset, tmp_path: Path
) -> None:
    config = dataclasses.replace(CONFIG, **change)
    whole = run(config, few, save_to=tmp_path)
    rest = run(config, few, restore=tmp_path)
    _check_equal(whole, rest)


def _check_equal(whole: list[Measurement], rest: list[Measurement]) -> None:
    plain = [{k: v for k, v in r.items() if not k.endswith("_s")} for r in [*whole[1:], *rest]]
    assert plain[2:] == plain[:2]
    assert rest[0]["fit_s"] > whole[0]["fit_s"]
    assert rest[0]["setup_s"] > whole[0]["setup_s"]


def test_the_last_measurement_comes_without_a_state(few: Dataset) -> None:
    given = []
    config = dataclasses.replace(CONFIG, epochs=2)
    train(config, few, lambda _, save: given.append(save is None), TrainOptions())
    assert given == [False, True]


def test_a_state_is_one_file_that_runs_no_code(saved: Path) -> None:
    assert [file.name for file in saved.iterdir()] == ["state.pt"]
    assert torch.load(saved / "state.pt", weights_only=True)["epoch"] == 1


def test_a_resumed_training_uses_its_own_learning_rate(few: Dataset, saved: Path) -> None:
    same, other = (
        run(dataclasses.replace(CONFIG, learning_rate=rate), few, restore=saved)[0]["train_loss"]
        for rate in (0.001, 0.1)
    )
    assert same != other


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"optimizer": "sgd"}, "is of resnet18, adam, 10 classes, not of resnet18, sgd"),
        ({"architecture": "resnet50"}, "not of resnet50"),
        ({"epochs": 1}, "is after epoch 1, and the training ends at epoch 1"),
    ],
)
def test_a_state_of_another_training_is_refused(
    change: dict[str, object], said: str, few: Dataset, saved: Path
) -> None:
    with pytest.raises(InputError, match=said):
        run(dataclasses.replace(CONFIG, **change), few, restore=saved)  # type: ignore[arg-type]


def test_a_damaged_or_missing_state_is_named(few: Dataset, saved: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has no state\.pt"):
        run(CONFIG, few, restore=tmp_path)
    whole = (saved / "state.pt").read_bytes()
    (tmp_path / "state.pt").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"state\.pt cannot be read"):
        run(CONFIG, few, restore=tmp_path)


@pytest.mark.parametrize("optimizer_name", ["sgd", "adam"])
def test_recording_leaves_a_restored_optimizer_as_it_was(optimizer_name: Optimizer) -> None:
    network = draw_network("resnet18", 10, seed=0)
    optimizer = fused_optimizer(network, dataclasses.replace(CONFIG, optimizer=optimizer_name))
    cpu = torch.device("cpu")
    step = training_step(network, optimizer, cpu, torch.float32, loss_scaler(cpu, torch.float32))
    images, labels = torch.zeros((4, 1, 32, 32), dtype=torch.uint8), torch.arange(4)
    step(images, labels)
    before = [t.clone() for state in optimizer.state.values() for t in state.values()]
    with undone(network, optimizer):
        step(images, labels)
    after = [t for state in optimizer.state.values() for t in state.values()]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
