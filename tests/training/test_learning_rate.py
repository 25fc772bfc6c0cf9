"""A schedule's learning rates are those of torch's own scheduler, step by step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.optim.lr_scheduler import CosineAnnealingLR, OneCycleLR

from tune_mnist.training.learning_rate import Schedule, learning_rate

TORCHS: dict[Schedule, Callable[[torch.optim.Optimizer, int], Any]] = {
    "cosine": lambda optimizer, steps: CosineAnnealingLR(optimizer, T_max=steps),
    "one-cycle": lambda optimizer, steps: OneCycleLR(optimizer, max_lr=0.3, total_steps=steps),
}


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 7, 10, 100, 937])
@pytest.mark.parametrize("schedule", TORCHS)
def test_rates_equal_torchs(schedule: Schedule, steps: int) -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.3, momentum=0.9)
    scheduler = TORCHS[schedule](optimizer, steps)
    for step in range(steps):
        expected = optimizer.param_groups[0]["lr"]
        assert learning_rate(schedule, 0.3, step, steps) == pytest.approx(expected, rel=1e-9)
        optimizer.step()
        if step < steps - 1:
            scheduler.step()


def test_a_constant_rate_is_the_given_one() -> None:
    assert {learning_rate("constant", 0.1, step, 5) for step in range(5)} == {0.1}
