"""What one forward pass of torchvision's networks costs: counted here, not copied from a paper.

The count is of torchvision's network, with whole kernels. Our engine computes the
same function with fewer multiplications (live_taps.py). Three conventions are in use; the numbers
are those of ResNet-18 and ResNet-50 with 10 classes at 32×32 pixels:

    flops            74.0M, 166.9M   torch's FlopCounterMode: a multiply-add is two operations; only
                                     convolutions and the last layer count
    multiply_adds    37.0M,  83.4M   the same, but a multiply-add counts once, as in most papers
    with_norms       37.2M,  84.3M   multiply_adds, and four operations for each number that a
                                     BatchNorm outputs: the technical report's figures
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import torch
import torchvision
from torch.utils.flop_counter import FlopCounterMode

from tune_mnist.training.resnet.config import INPUT_SIZE


class ForwardCost(NamedTuple):
    """The cost of one forward pass on one image; the module explains the three conventions.

    Args:
        flops: multiplications and additions, as FlopCounterMode counts them.
        multiply_adds: half of `flops`.
        with_norms: `multiply_adds`, and four operations for each number that a BatchNorm outputs.
        parameters: number of weights in the network.
    """

    flops: int
    multiply_adds: int
    with_norms: int
    parameters: int


@cache
def forward_cost(architecture: str, classes: int, side: int = INPUT_SIZE) -> ForwardCost:
    """Count the forward pass of one side×side image through torchvision's network.

    It runs on the meta device, which has shapes but no numbers, and draws no random numbers.
    """
    with torch.device("meta"):
        network = torchvision.models.get_model(architecture, weights=None, num_classes=classes)
        image = torch.empty(1, 3, side, side)
    normalised: list[int] = []
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.register_forward_hook(lambda _, __, output: normalised.append(output.numel()))
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.eval()(image)
    flops = int(counter.get_total_flops())
    parameters = sum(weights.numel() for weights in network.parameters())
    return ForwardCost(flops, flops // 2, flops // 2 + 4 * sum(normalised), parameters)
