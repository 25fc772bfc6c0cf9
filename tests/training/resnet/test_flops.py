"""The counts are those of the network, and one convention gives the technical report's figures."""

from __future__ import annotations

import pytest
import torch

from tune_mnist.training.resnet.flops import forward_cost


@pytest.mark.parametrize(
    ("architecture", "multiply_adds", "reported", "parameters"),
    [("resnet18", 37.0, 37.2, 11_181_642), ("resnet50", 83.4, 84.3, 23_528_522)],
)
def test_costs_of_ten_classes(
    architecture: str, multiply_adds: float, reported: float, parameters: int
) -> None:
    cost = forward_cost(architecture, 10)
    assert round(cost.multiply_adds / 1e6, 1) == multiply_adds
    assert round(cost.with_norms / 1e6, 1) == reported
    assert (cost.flops, cost.parameters) == (2 * cost.multiply_adds, parameters)


def test_one_more_class_costs_one_product_per_feature() -> None:
    more = forward_cost("resnet18", 11).multiply_adds - forward_cost("resnet18", 10).multiply_adds
    assert more == 512


def test_counting_draws_no_random_numbers() -> None:
    before = torch.random.get_rng_state()
    forward_cost.__wrapped__("resnet18", 3)
    assert torch.equal(torch.random.get_rng_state(), before)
