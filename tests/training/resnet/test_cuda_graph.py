"""A recorded step equals the eager step, and recording one leaves no trace."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from sklearn.datasets import load_digits
from torch import nn

from tune_mnist.datasets import Dataset, Images
from tune_mnist.training.learning_rate import Schedule, learning_rate
from tune_mnist.training.options import TrainOptions
from tune_mnist.training.resnet import train as resnet
from tune_mnist.training.resnet.config import Optimizer
from tune_mnist.training.resnet.cuda_graph import graphed_step, undone
from tune_mnist.training.resnet.fused_update import fused_optimizer, set_learning_rate
from tune_mnist.training.resnet.precision import product_dtype
from tune_mnist.training.resnet.state import State
from tune_mnist.training.resnet.step import draw_network, loss_scaler, training_step

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
CPU = torch.device("cpu")


def batch(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(count)
    images = torch.randint(0, 256, (count, 1, 32, 32), dtype=torch.uint8, generator=generator)
    return images, torch.arange(count) % 10


def config(optimizer: Optimizer, rate: float, schedule: Schedule = "constant") -> Any:
    return resnet.ResnetConfig("resnet18", 32, optimizer, rate, 1, schedule=schedule)


@pytest.mark.parametrize("optimizer_name", ["sgd", "adam"])
def test_undone_steps_leave_no_trace_in_the_training(optimizer_name: Optimizer) -> None:
    results = []
    for warm_up in (False, True):
        network = draw_network("resnet18", 10, seed=0)
        optimizer = fused_optimizer(network, config(optimizer_name, 0.01))
        step = training_step(
            network, optimizer, CPU, torch.float32, loss_scaler(CPU, torch.float32)
        )
        if warm_up:
            with undone(network, optimizer):
                step(*batch(4))
        results.append([step(*batch(6)), step(*batch(6)), *network.state_dict().values()])
    for plain, undone_first in zip(*results, strict=True):
        torch.testing.assert_close(undone_first, plain, rtol=0, atol=0)


def test_a_step_that_cannot_be_recorded_runs_eagerly_and_the_engine_says_why(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("operation not permitted when stream is capturing\nmore")

    monkeypatch.setattr(resnet, "graphed_step", fail)
    network = draw_network("resnet18", 10, seed=0)
    optimizer = fused_optimizer(network, config("sgd", 0.01))
    scaler = loss_scaler(CPU, torch.float32)
    step = training_step(network, optimizer, CPU, torch.float32, scaler)
    state = State("resnet18", network, optimizer, torch.Generator(), scaler)
    device, dtype = torch.device("cuda"), torch.bfloat16
    _, engine = resnet._fastest_step(step, state, [batch(4)], device, dtype)
    assert "eager (no CUDA graph: operation not permitted when stream is capturing)" in engine


@needs_gpu
@pytest.mark.parametrize("schedule", ["constant", "cosine"])
@pytest.mark.parametrize("optimizer_name", ["sgd", "adam"])
@pytest.mark.parametrize("architecture", ["resnet18", "resnet50"])
def test_graphed_losses_and_weights_equal_eager_ones_step_by_step(
    architecture: str, optimizer_name: Optimizer, schedule: Schedule
) -> None:
    device = torch.device("cuda")
    first = torchvision.models.get_model(architecture, num_classes=10).to(
        device, memory_format=torch.channels_last
    )
    eager, graphed = first, copy.deepcopy(first)
    sizes = [32, 32, 7, 32, 7]
    dtype = product_dtype(None, device)
    scaler = loss_scaler(device, dtype)
    given = config(optimizer_name, 0.001, schedule)
    eager_optimizer = fused_optimizer(eager, given)
    eager_step = training_step(eager, eager_optimizer, device, dtype, scaler)
    optimizer = fused_optimizer(graphed, given)
    step = training_step(graphed, optimizer, device, dtype, scaler)
    step = graphed_step(step, graphed, optimizer, [batch(32), batch(7)])
    for number, size in enumerate(sizes):
        for one in (eager_optimizer, optimizer):
            rate = learning_rate(schedule, given.learning_rate, number, len(sizes))
            set_learning_rate(one, rate)
        loss, graphed_loss = eager_step(*batch(size)).clone(), step(*batch(size)).clone()
        torch.testing.assert_close(graphed_loss, loss, rtol=1e-2, atol=0.1, msg=f"step {number}")
    assert _same_size(eager, graphed)


def _same_size(first: nn.Module, second: nn.Module) -> bool:
    """Whether weights moved by about the same: bfloat16 kernels may differ in the last bit."""
    pairs = zip(first.parameters(), second.parameters(), strict=True)
    return all(bool(((a - b).norm() <= 0.05 * a.norm() + 1e-3).item()) for a, b in pairs)


@needs_gpu
@pytest.mark.parametrize("searched", [False, True])
@pytest.mark.parametrize("pin_memory", [None, True, False])
def test_a_training_on_the_gpu_is_graphed_and_learns(
    pin_memory: bool | None, searched: bool
) -> None:
    pixels, labels = load_digits(return_X_y=True)
    images = (pixels * 15).astype(np.uint8).reshape(-1, 8, 8)
    parts = (slice(0, 1001), slice(1200, 1400), slice(1400, 1600))
    train_set, val_set, test_set = (Images(images[part], labels[part]) for part in parts)
    data = Dataset("digits", train_set, val_set, test_set, tuple("0123456789"), "", "by hand")
    wide: Any = (
        {"schedule": "one-cycle", "augment": "shift", "weight_decay": 1e-4} if searched else {}
    )
    given = resnet.ResnetConfig("resnet18", 16, "adam", 0.001, 3, pin_memory, **wide)
    last = resnet.train(given, data, lambda *_: None, TrainOptions(device="cuda", seed=0))
    assert last["engine"].endswith("CUDA graph")
    assert last["val_accuracy"] > 0.8
