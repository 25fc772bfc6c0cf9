"""Augmented images are what torchvision's own transforms make of each image, seeded."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest
import torch
from torchvision.transforms import v2

from tune_mnist.training.resnet.config import Augment
from tune_mnist.training.resnet.image_input import augmentation, augmented

KINDS: list[Augment] = ["none", "shift", "flip", "both"]


def some_images(count: int, channels: int = 1, side: int = 16) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(
        0, 256, (count, channels, side, side), dtype=torch.uint8, generator=generator
    )


def possible(image: torch.Tensor, augment: Augment) -> dict[bytes, tuple[int, int, bool]]:
    """Return every image that torchvision can make of one, with how: row, column, flipped."""
    side = image.shape[-1]
    far = side // 8 if augment in ("shift", "both") else 0
    wide = v2.functional.pad(image, [far] * 4, padding_mode="edge")
    found = {}
    for row, column in itertools.product(range(2 * far + 1), repeat=2):
        moved = v2.functional.crop(wide, row, column, side, side)
        found[moved.numpy().tobytes()] = (row, column, False)
        if augment in ("flip", "both"):
            mirrored = v2.functional.horizontal_flip(moved)
            found[mirrored.contiguous().numpy().tobytes()] = (row, column, True)
    return found


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("augment", "ways"), [("none", 1), ("shift", 25), ("flip", 2)])
def test_each_image_becomes_one_of_torchvisions_each_as_often(
    augment: Augment, ways: int, channels: int
) -> None:
    images = some_images(1, channels).expand(3000, -1, -1, -1)
    known = possible(images[0], augment)
    assert len(known) == ways
    new = augmented(images, augment, augmentation(0, 1))
    found = Counter(image.numpy().tobytes() for image in new)
    assert found.keys() <= known.keys()
    counts = torch.tensor([found[one] for one in known])
    expected = len(images) / ways
    chi_squared = ((counts - expected) ** 2 / expected).sum()
    assert chi_squared < 2.5 * ways + 5


def test_both_shift_and_flip_and_each_image_by_itself() -> None:
    images = some_images(200)
    new = augmented(images, "both", augmentation(0, 1))
    how = [
        possible(before, "both")[after.numpy().tobytes()]
        for before, after in zip(images, new, strict=True)
    ]
    assert len(set(how)) > 40
    assert {flipped for _, _, flipped in how} == {True, False}


@pytest.mark.parametrize("augment", KINDS)
def test_a_seed_and_an_epoch_decide_the_changes(augment: Augment) -> None:
    images, before = some_images(20), some_images(20)
    one, same, other_epoch, other_seed = (
        augmented(images, augment, augmentation(*drawn))
        for drawn in ((0, 1), (0, 1), (0, 2), (1, 1))
    )
    assert torch.equal(images, before)
    assert torch.equal(one, same)
    changes = augment != "none"
    assert torch.equal(one, other_epoch) != changes
    assert torch.equal(one, other_seed) != changes
