"""A saved ResNet is torchvision's, with all of its tensors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from safetensors.torch import load_file

from tests.training.resnet.conftest import _one_thread as _one_thread
from tests.training.saved.fitted_models import CONFIGS, first_images, trained
from tune_mnist.datasets import Dataset
from tune_mnist.training.fitted import Fitted
from tune_mnist.training.images import resize
from tune_mnist.training.resnet.image_input import normalise
from tune_mnist.training.saved.network import load, save


@pytest.fixture(scope="module")
def network(
    digits: Dataset, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Fitted, torch.Tensor, Path]:
    """A network after an epoch, its logits for the validation images, and its folder."""
    [(_, fitted)] = trained("resnet", CONFIGS["resnet"], first_images(digits, 64))
    folder = tmp_path_factory.mktemp("network")
    save(fitted, folder)
    live = fitted.parts[0].eval()
    with torch.inference_mode():
        logits = live(normalise(resize(digits.val.images, 32)))
    return fitted, logits, folder


def test_plain_torchvision_loads_it_and_gives_equal_logits(
    network: tuple[Fitted, torch.Tensor, Path], digits: Dataset
) -> None:
    _, expected, folder = network
    plain = torchvision.models.resnet18(num_classes=10)
    plain.load_state_dict(load_file(folder / "model.safetensors"), strict=True)
    with torch.inference_mode():
        logits = plain.eval()(normalise(resize(digits.val.images, 32)))
    torch.testing.assert_close(logits, expected, atol=1e-4, rtol=1e-4)


def test_dead_taps_are_there_with_the_values_they_were_drawn_with(
    network: tuple[Fitted, torch.Tensor, Path],
) -> None:
    tensors = load_file(network[2] / "model.safetensors")
    dead = tensors["layer4.1.conv2.weight"].clone()
    dead[..., 1, 1] = 1.0  # the only tap that meets a pixel at 32x32
    assert (dead != 0).all()
    assert dead.shape == (512, 512, 3, 3)


def test_it_predicts_what_the_training_did(
    network: tuple[Fitted, torch.Tensor, Path], digits: Dataset
) -> None:
    fitted, _, folder = network
    loaded = load(folder)
    with torch.inference_mode():
        logits = loaded.network(normalise(resize(digits.val.images, 32)))
    assert (logits.argmax(1).numpy() == fitted.predicted).all()


def test_a_training_hands_over_the_shorter_ones_it_contains(digits: Dataset) -> None:
    config = {**CONFIGS["resnet"], "epochs": 2}
    handed = trained("resnet", config, first_images(digits, 64), lengths=(1, 2))
    assert [measurement["step"] for measurement, _ in handed] == [1, 2]
    assert all("test_accuracy" in measurement for measurement, _ in handed)


def test_rounding_may_decide_between_two_logits_that_are_all_but_equal(
    network: tuple[Fitted, torch.Tensor, Path],
) -> None:
    loaded = load(network[2])
    close = np.array([5.0, 4.999, *8 * [0.0]])
    assert loaded.agrees(0, close, 1)
    assert not loaded.agrees(0, close, 2)
    assert not loaded.agrees(0, np.array([5.0, 4.9, *8 * [0.0]]), 1)
