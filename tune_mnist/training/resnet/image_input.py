"""From stored images to the network's input, as in the technical report, but vectorised.

The technical report resized each image with PIL every time it was used: bilinearly to 32×32, with
the grey channel replicated to three and pixels scaled to [-1, 1]. Here all images are resized once,
as uint8 (training/images.py), and stay at one byte per pixel; only the current batch is converted
to floats.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.v2.functional import horizontal_flip, pad

from tune_mnist.training.resnet.config import Augment

_SHIFT = 8  # an image is shifted by at most this part of its side


def normalise(batch: Tensor) -> Tensor:
    """Return pixels in [-1, 1], in three channels, as ToTensor and Normalize(0.5, 0.5) would.

    Args:
        batch: (n, 1 or 3, h, w) uint8, on any device.

    Returns:
        (n, 3, h, w) float32.
    """
    pixels = batch.to(torch.float32).div_(255).sub_(0.5).div_(0.5)
    return pixels.expand(-1, 3, -1, -1)


def shuffled(
    images: Tensor, labels: Tensor, generator: torch.Generator, *, pinned: bool
) -> tuple[Tensor, Tensor]:
    """Return a copy of both in the generator's next order, on their device.

    With `pinned` the copies are in page-locked memory, from which a GPU can copy faster.
    """
    order = torch.randperm(len(images), generator=generator).to(images.device)
    if pinned:
        return images[order].pin_memory(), labels[order].pin_memory()
    return images[order], labels[order]


def augmented(images: Tensor, augment: Augment, generator: torch.Generator) -> Tensor:
    """Return a copy of the images, each changed at random; or the images themselves for "none".

    A shift moves an image by up to an eighth of its side in either direction; the pixels of its
    edges are repeated where it leaves a gap. Then a flip mirrors it, left to right, once in two
    times.

    Args:
        images: (n, c, h, w) uint8, on any device.
        augment: what to do.
        generator: on the CPU; each image takes the same numbers from it on every device.

    Returns: (n, c, h, w) uint8, on the same device, in page-locked memory if `images` is.
    """
    new = images
    if augment in ("shift", "both"):
        new = _shifted(new, generator)
    if augment in ("flip", "both"):
        mirror = torch.rand(len(images), generator=generator).to(images.device) < 0.5
        new = torch.where(mirror[:, None, None, None], horizontal_flip(new), new)
    return new.pin_memory() if images.is_pinned() and new is not images else new


def _shifted(images: Tensor, generator: torch.Generator) -> Tensor:
    n, channels, height, width = images.shape
    most = max(1, height // _SHIFT), max(1, width // _SHIFT)
    wide = pad(images, [most[1], most[0]], padding_mode="edge")
    starts = [torch.randint(0, 2 * far + 1, (n, 1), generator=generator) for far in most]
    rows, columns = (
        (start + torch.arange(side)).to(images.device)
        for start, side in zip(starts, (height, width), strict=True)
    )
    image = torch.arange(n, device=images.device)[:, None, None, None]
    channel = torch.arange(channels, device=images.device)[None, :, None, None]
    shifted: Tensor = wide[image, channel, rows[:, None, :, None], columns[:, None, None, :]]
    return shifted


def augmentation(seed: int, epoch: int) -> torch.Generator:
    """Return the generator that draws the changes of one epoch.

    It depends on nothing else, so a resumed training continues with the numbers that it would have
    drawn, and the order of the images stays the same whatever is drawn here.
    """
    drawn = np.random.SeedSequence((seed, epoch)).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(drawn[0]))


def batch_count(images: int, size: int) -> int:
    """Return how many batches `batches` makes of at least two images."""
    return -(-(images - 1) // size)


def batches(images: Tensor, labels: Tensor, size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield all images in batches of `size`; the last batch may be smaller, or larger by one.

    A single image that is left over joins the batch before it. layer4's maps are 1×1, and BatchNorm
    needs two values.
    """
    start = 0
    while start < len(images):
        stop = start + size
        if len(images) - stop == 1:
            stop += 1
        yield images[start:stop], labels[start:stop]
        start = stop
