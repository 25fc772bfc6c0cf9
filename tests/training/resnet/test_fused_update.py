"""The fused update is the textbook one, whatever the memory order of a weight."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from tune_mnist.training.resnet.fused_update import fused_optimizer


@pytest.mark.parametrize("name", ["sgd", "adam"])
@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
def test_weights_move_as_with_torchs_own_optimizer(name: str, order: torch.memory_format) -> None:
    # In float64, because the two orders of memory sum differently, and three steps of this size
    # would show float32's rounding. Without a bias before BatchNorm, because its gradient is only
    # rounding, and Adam would turn that into whole steps.
    torch.manual_seed(0)
    conv = nn.Conv2d(3, 8, 3, bias=False)
    plain = nn.Sequential(conv, nn.BatchNorm2d(8), nn.Flatten(), nn.Linear(72, 5)).double()
    fused = copy.deepcopy(plain).to(memory_format=order)
    reference = (
        torch.optim.SGD(plain.parameters(), lr=0.1, momentum=0.9, fused=False)
        if name == "sgd"
        else torch.optim.Adam(plain.parameters(), lr=0.1, fused=False)
    )
    optimizers = (reference, fused_optimizer(fused, name, 0.1))
    for _ in range(3):
        images = torch.randn(4, 3, 5, 5, dtype=torch.float64)
        for network, optimizer in zip((plain, fused), optimizers, strict=True):
            optimizer.zero_grad()
            torch.autograd.backward(network(images).square().sum())
            optimizer.step()
    for expected, got in zip(plain.parameters(), fused.parameters(), strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-9, atol=1e-9)
