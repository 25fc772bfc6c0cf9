"""The fused update is the textbook one, whatever the memory order of a weight."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import nn

from tune_mnist.training.resnet.config import Optimizer, ResnetConfig
from tune_mnist.training.resnet.fused_update import fused_optimizer, set_learning_rate


@pytest.mark.parametrize(("momentum", "decay"), [(0.9, 0.0), (0.5, 0.01), (0.0, 0.1)])
@pytest.mark.parametrize("name", ["sgd", "adam"])
@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
def test_weights_move_as_with_torchs_own_optimizer(
    name: Optimizer, order: torch.memory_format, momentum: float, decay: float
) -> None:
    # In float64, because the two orders of memory sum differently, and three steps of this size
    # would show float32's rounding. Without a bias before BatchNorm, because its gradient is only
    # rounding, and Adam would turn that into whole steps.
    torch.manual_seed(0)
    conv = nn.Conv2d(3, 8, 3, bias=False)
    plain = nn.Sequential(conv, nn.BatchNorm2d(8), nn.Flatten(), nn.Linear(72, 5)).double()
    fused = copy.deepcopy(plain).to(memory_format=order)
    reference = (
        torch.optim.SGD(plain.parameters(), lr=0.1, momentum=momentum, weight_decay=decay)
        if name == "sgd"
        else torch.optim.Adam(plain.parameters(), lr=0.1, weight_decay=decay)
    )
    config = ResnetConfig("resnet18", 4, name, 0.1, 1, momentum=momentum, weight_decay=decay)
    optimizers = (reference, fused_optimizer(fused, config))
    for _ in range(3):
        images = torch.randn(4, 3, 5, 5, dtype=torch.float64)
        for network, optimizer in zip((plain, fused), optimizers, strict=True):
            optimizer.zero_grad()
            torch.autograd.backward(network(images).square().sum())
            optimizer.step()
    for expected, got in zip(plain.parameters(), fused.parameters(), strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.Adam])
def test_a_rate_in_a_tensor_is_changed_in_place_where_a_graph_reads_it(kind: Any) -> None:
    """A recorded step reads the rate from this memory at each replay."""
    moved = []
    for rate in (0.1, torch.tensor(0.1)):
        weight = nn.Parameter(torch.ones(3))
        optimizer = kind([weight], lr=rate, fused=True)
        for new in (0.2, 0.3):
            set_learning_rate(optimizer, new)
            weight.grad = torch.tensor([1.0, 2.0, 3.0])
            optimizer.step()
        held = optimizer.param_groups[0]["lr"]
        assert held is rate or held == 0.3
        moved.append(weight.detach())
    torch.testing.assert_close(moved[1], moved[0])
