"""What one forward pass of torchvision's networks costs, counted, not copied.

Counted on the ordinary network at 3×32×32, whole kernels and all: our engine multiplies fewer
numbers (live_taps.py), but it computes this function. Three conventions are about, here for
ResNet-18 and ResNet-50 with 10 classes:

    flops            74.0M, 166.9M   torch's FlopCounterMode: a multiply-add is two operations;
                                     convolutions and the last layer alone
    multiply_adds    37.0M,  83.4M   the same, a multiply-add once, as most papers count
    with_norms       37.2M,  84.3M   besides, four operations for each number that a BatchNorm
                                     puts out: this gives the report's figures
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import torch
import torchvision
from torch.utils.flop_counter import FlopCounterMode

from tune_mnist.training.resnet.image_input import INPUT_SIZE


class ForwardCost(NamedTuple):
    """Of one image.

    Args:
        flops: multiplications and additions, as FlopCounterMode counts them.
        multiply_adds: half as many.
        with_norms: multiply-adds, and four operations a number of each BatchNorm's output.
        parameters: weights of the network.
    """

    flops: int
    multiply_adds: int
    with_norms: int
    parameters: int


@cache
def forward_cost(architecture: str, classes: int) -> ForwardCost:
    """Count the forward pass of one image through resnet18 or resnet50 with so many classes.

    On the meta device: shapes alone, no numbers, and no generator is touched.
    """
    with torch.device("meta"):
        network = torchvision.models.get_model(architecture, weights=None, num_classes=classes)
        image = torch.empty(1, 3, INPUT_SIZE, INPUT_SIZE)
    normalised: list[int] = []
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.register_forward_hook(lambda _, __, output: normalised.append(output.numel()))
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.eval()(image)
    flops = int(counter.get_total_flops())
    parameters = sum(weights.numel() for weights in network.parameters())
    return ForwardCost(flops, flops // 2, flops // 2 + 4 * sum(normalised), parameters)
