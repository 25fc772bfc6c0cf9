"""The ResNet engine: the network, one optimisation step, and the evaluation of a data set."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torchvision
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from tune_mnist.training.resnet.image_input import batches, normalise
from tune_mnist.training.resnet.precision import autocast

EVALUATION_BATCH = 256

Step = Callable[[Tensor, Tensor], Tensor]
Loss = Callable[[Tensor, Tensor], Tensor]
"""Takes (n, k) logits and (n,) int64 labels; returns the batch's loss, a scalar."""


def draw_network(architecture: str, classes: int, seed: int) -> nn.Module:
    """Return torchvision's network with weights drawn from `seed`.

    torch's global generator is left as it was.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        network: nn.Module = torchvision.models.get_model(
            architecture, weights=None, num_classes=classes
        )
    return network


def loss_scaler(device: torch.device, dtype: torch.dtype) -> torch.amp.GradScaler:
    """Return a scaler that keeps float16 gradients from vanishing; it ignores other types."""
    return torch.amp.GradScaler(device.type, enabled=dtype == torch.float16)


def training_step(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    device: torch.device,
    dtype: torch.dtype,
    scaler: torch.amp.GradScaler,
    loss_of: Loss = cross_entropy,
) -> Step:
    """Return a function that makes one optimisation step on a batch, with products in `dtype`.

    It takes (n, c, h, w) uint8 images and (n,) int64 labels. It returns two float64 numbers on the
    device, both from before the update: n times the batch's loss, and how many of its images were
    classified correctly.
    """

    def step(images: Tensor, labels: Tensor) -> Tensor:
        images = images.to(device, non_blocking=True)
        labels = labels.to(device, non_blocking=True)
        with autocast(device, dtype):
            logits = network(normalise(images))
            loss = loss_of(logits, labels)
        optimizer.zero_grad()
        torch.autograd.backward(scaler.scale(loss))
        scaler.step(optimizer)
        scaler.update()
        correct = (logits.detach().argmax(1) == labels).sum()
        return torch.stack([loss.detach().double() * len(labels), correct.double()])

    return step


@torch.inference_mode()
def evaluate(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    device: torch.device,
    dtype: torch.dtype,
) -> tuple[float, float, Tensor]:
    """Evaluate the network on (n, c, h, w) uint8 images, and leave it in training mode.

    Returns: the mean cross-entropy and the accuracy, both nan if there are no images, and the
        predicted classes, (n,) int64 on the CPU.
    """
    network.eval()
    totals = torch.zeros(2, dtype=torch.float64, device=device)
    predicted = [torch.zeros(0, dtype=torch.int64, device=device)]
    for some, truth in batches(images, labels, EVALUATION_BATCH):
        pixels, truth = normalise(some.to(device)), truth.to(device)
        with autocast(device, dtype):
            logits = network(pixels)
        loss = cross_entropy(logits.float(), truth, reduction="sum")
        predicted.append(logits.argmax(1))
        totals += torch.stack([loss.double(), (predicted[-1] == truth).sum().double()])
    network.train()
    mean_loss, accuracy = (totals / len(images)).tolist()
    return mean_loss, accuracy, torch.cat(predicted).cpu()
