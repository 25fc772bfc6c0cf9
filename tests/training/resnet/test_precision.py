"""What bfloat16 changes, and what it leaves as it is."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d

from tune_mnist.datasets import Dataset, Images
from tune_mnist.errors import InputError
from tune_mnist.training.options import TrainOptions
from tune_mnist.training.resnet import precision
from tune_mnist.training.resnet import train as resnet
from tune_mnist.training.resnet.config import Precision
from tune_mnist.training.resnet.live_taps import LiveConv2d, live_range
from tune_mnist.training.resnet.precision import autocast, has_bfloat16, product_dtype
from tune_mnist.training.resnet.step import draw_network
from tune_mnist.training.resnet.train import ResnetConfig, train

CPU = torch.device("cpu")
EPS = 2.0**-8  # of bfloat16

# A processor without it has nothing to compute: it refuses, which a test below watches.
native = pytest.mark.skipif(not has_bfloat16(CPU), reason="needs a processor with bfloat16")

CONFIG = ResnetConfig("resnet18", batch_size=16, optimizer="sgd", learning_rate=0.01, epochs=3)
LOW = dataclasses.replace(CONFIG, precision="bfloat16")


@pytest.fixture(scope="module")
def few(digits: Dataset) -> Dataset:
    first = Images(digits.train.images[:513], digits.train.labels[:513])
    return dataclasses.replace(digits, train=first)


def run(config: ResnetConfig, data: Dataset) -> dict[str, object]:
    return dict(train(config, data, lambda *_: None, TrainOptions()))


@pytest.mark.parametrize(
    ("asked", "device", "has", "runs_in"),
    [
        (None, "cpu", True, torch.float32),
        (None, "cuda", True, torch.bfloat16),
        (None, "cuda", False, torch.float16),
        ("float32", "cuda", True, torch.float32),
        ("float32", "cpu", False, torch.float32),
        ("bfloat16", "cpu", True, torch.bfloat16),
        ("bfloat16", "cuda", True, torch.bfloat16),
    ],
)
def test_the_device_chooses_if_the_configuration_does_not(
    monkeypatch: pytest.MonkeyPatch,
    asked: Precision | None,
    device: str,
    has: bool,
    runs_in: torch.dtype,
) -> None:
    monkeypatch.setattr(precision, "has_bfloat16", lambda _: has)
    assert product_dtype(asked, torch.device(device)) == runs_in


def test_bfloat16_that_a_device_would_only_emulate_is_refused(
    monkeypatch: pytest.MonkeyPatch, few: Dataset
) -> None:
    monkeypatch.setattr(precision, "has_bfloat16", lambda _: False)
    with pytest.raises(InputError, match=r"precision: bfloat16, but torch finds no .* use float32"):
        run(LOW, few)


@native
@pytest.mark.parametrize(
    ("side", "kernel", "stride", "channels"),
    [
        (8, 3, 1, 64),  # patches
        (8, 3, 2, 64),
        (2, 3, 1, 64),  # the dense layer of a small map
        (1, 3, 1, 64),  # its live tap
        (4, 1, 2, 64),  # pixels
        (8, 7, 2, 3),  # the library's own
    ],
)
def test_a_convolution_is_off_only_by_its_rounding(
    side: int, kernel: int, stride: int, channels: int
) -> None:
    torch.manual_seed(0)
    padding = kernel // 2
    conv = nn.Conv2d(channels, 32, kernel, stride, padding, bias=False)
    live = LiveConv2d(conv, *[live_range(side, kernel, stride, padding)] * 2)
    x = torch.randn(4, channels, side, side).requires_grad_()
    exact = conv2d(x, conv.weight, None, stride, padding)
    dy = torch.randn_like(exact)
    with autocast(CPU, torch.bfloat16):
        y = live(x)
    assert y.dtype == torch.bfloat16
    dx, d_weight = torch.autograd.grad(y, (x, live.weight), dy.bfloat16())
    exact_dx, exact_d_weight = torch.autograd.grad(exact, (x, conv.weight), dy)
    assert (dx.dtype, d_weight.dtype) == (torch.float32, torch.float32)
    for found, expected in ((y, exact), (dx, exact_dx), (d_weight, exact_d_weight[live.live])):
        assert _distance(found, expected) < 2 * EPS


def _distance(found: Tensor, expected: Tensor) -> float:
    return float((found.detach().float() - expected.detach()).norm() / expected.detach().norm())


@native
def test_a_training_in_bfloat16_is_a_different_one_that_learns_as_much(few: Dataset) -> None:
    # After 6 epochs seeds differ by 0.01 (after 3 by 0.04, whatever the number format).
    losses: list[object] = []
    single = run(dataclasses.replace(CONFIG, epochs=6), few)
    low = dict(
        train(
            dataclasses.replace(LOW, epochs=6),
            few,
            lambda measurement, _: losses.append(measurement["val_loss"]),
            TrainOptions(),
        )
    )
    assert run(dataclasses.replace(LOW, epochs=1), few)["val_loss"] == losses[0]
    assert low["val_loss"] != single["val_loss"]
    assert low["train_accuracy"] == pytest.approx(single["train_accuracy"], abs=0.05)
    assert "cpu bfloat16" in str(low["engine"])
    assert "cpu float32" in str(single["engine"])


@native
def test_the_weights_stay_in_float32(few: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[nn.Module] = []

    def draw(architecture: str, classes: int, seed: int) -> nn.Module:
        drawn.append(draw_network(architecture, classes, seed))
        return drawn[-1]

    monkeypatch.setattr(resnet, "draw_network", draw)
    run(dataclasses.replace(LOW, epochs=1), few)
    [network] = drawn
    kinds = {tensor.dtype for tensor in network.state_dict().values()}
    assert kinds == {torch.float32, torch.int64}  # BatchNorm counts its batches
