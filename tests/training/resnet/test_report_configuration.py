"""The technical report's configuration trains as it always did: the same weights, bit for bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy, interpolate

from tune_mnist.datasets import Dataset
from tune_mnist.training.measurement import Measurement, Save
from tune_mnist.training.options import TrainOptions
from tune_mnist.training.resnet.config import Optimizer
from tune_mnist.training.resnet.live_taps import keep_live_taps
from tune_mnist.training.resnet.step import draw_network
from tune_mnist.training.resnet.train import ResnetConfig, train

IMAGES, BATCH = 80, 16


def the_loop_of_before(data: Dataset, optimizer: str) -> dict[str, torch.Tensor]:
    """Return the weights after one epoch of what this project trained before issue 21."""
    pixels = torch.from_numpy(data.train.images[:IMAGES].copy())[:, None]
    images = interpolate(pixels, size=(32, 32), mode="bilinear", antialias=True)
    labels = torch.from_numpy(data.train.labels[:IMAGES].copy())
    network = draw_network("resnet18", 10, seed=0)
    keep_live_taps(network, 32, 32)
    aliases = []
    for weight in network.parameters():
        if weight.dim() != 4:
            aliases.append(weight)
            continue
        alias = torch.nn.Parameter(weight.detach().permute(0, 2, 3, 1))
        weight.register_post_accumulate_grad_hook(  # type: ignore[no-untyped-call]
            lambda source, alias=alias: setattr(alias, "grad", source.grad.permute(0, 2, 3, 1))
        )
        aliases.append(alias)
    moves: torch.optim.Optimizer = (
        torch.optim.SGD(aliases, lr=0.001, momentum=0.9, fused=True)
        if optimizer == "sgd"
        else torch.optim.Adam(aliases, lr=0.001, fused=True)
    )
    order = torch.randperm(IMAGES, generator=torch.Generator().manual_seed(0))
    for start in range(0, IMAGES, BATCH):
        chosen = order[start : start + BATCH]
        batch = images[chosen].to(torch.float32).div_(255).sub_(0.5).div_(0.5)
        loss = cross_entropy(network(batch.expand(-1, 3, -1, -1)), labels[chosen])
        network.zero_grad()
        moves.zero_grad()
        torch.autograd.backward(loss)
        moves.step()
    return {name: weight.detach() for name, weight in network.named_parameters()}


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_the_default_configuration_leaves_the_same_weights_as_before(
    digits: Dataset, optimizer: Optimizer, tmp_path: Path
) -> None:
    first = type(digits.train)(digits.train.images[:IMAGES], digits.train.labels[:IMAGES])
    few = Dataset("digits", first, first, first, digits.classes, "", "by hand")

    def report(_: Measurement, save: Save | None) -> None:
        if save:
            save(tmp_path)

    config = ResnetConfig("resnet18", BATCH, optimizer, learning_rate=0.001, epochs=2)
    train(config, few, report, TrainOptions())
    ours = torch.load(tmp_path / "state.pt", weights_only=True)["network"]
    expected = the_loop_of_before(few, optimizer)
    assert all(np.array_equal(ours[name], weight) for name, weight in expected.items())
