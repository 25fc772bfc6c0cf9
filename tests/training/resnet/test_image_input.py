"""The network's input equals what PIL and torchvision's transforms make of each image."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import transforms

from tune_mnist.training.images import resize
from tune_mnist.training.resnet.config import input_size
from tune_mnist.training.resnet.image_input import batches, normalise, shuffled


def random_images(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def pil_resized(images: np.ndarray) -> np.ndarray:
    size = (32, 32)
    resized = [
        np.asarray(Image.fromarray(i).resize(size, Image.Resampling.BILINEAR)) for i in images
    ]
    channels_last = np.stack(resized).reshape(len(images), 32, 32, -1)
    return np.moveaxis(channels_last, 3, 1)


@pytest.mark.parametrize("shape", [(40, 28, 28), (40, 8, 8), (40, 28, 28, 3), (40, 32, 32)])
def test_enlarged_images_equal_pil(shape: tuple[int, ...]) -> None:
    images = random_images(*shape)
    np.testing.assert_array_equal(resize(images, 32).numpy(), pil_resized(images))


@pytest.mark.parametrize("shape", [(20, 101, 70), (20, 64, 64, 3), (20, 20, 90)])
def test_reduced_images_are_within_one_grey_level_of_pil(shape: tuple[int, ...]) -> None:
    images = random_images(*shape)
    difference = resize(images, 32).numpy().astype(int) - pil_resized(images)
    assert np.abs(difference).max() <= 1


def test_more_images_than_a_chunk_keep_their_order() -> None:
    images = random_images(1025, 8, 8)
    np.testing.assert_array_equal(
        resize(images, 32)[1024:].numpy(), resize(images[1024:], 32).numpy()
    )


@pytest.mark.filterwarnings("error")
def test_read_only_images_are_read_without_a_warning_and_left_alone() -> None:
    images = random_images(3, 32, 32)
    images.flags.writeable = False
    resize(images, 32).zero_()
    assert images.any()


def test_normalised_pixels_equal_torchvisions_transforms() -> None:
    image = random_images(32, 32)
    report = transforms.Compose(
        [transforms.Grayscale(3), transforms.ToTensor(), transforms.Normalize([0.5] * 3, [0.5] * 3)]
    )
    assert torch.equal(normalise(resize(image[None], 32))[0], report(Image.fromarray(image)))


def test_shuffled_keeps_every_image_with_its_label() -> None:
    labels = torch.arange(50)
    images, permuted = shuffled(labels, labels, torch.Generator().manual_seed(3), pinned=False)
    assert torch.equal(images, permuted)
    assert torch.equal(images.sort().values, labels)
    assert not torch.equal(images, labels)


@pytest.mark.parametrize(
    ("count", "sizes"), [(8, [4, 4]), (7, [4, 3]), (9, [4, 5]), (4, [4]), (5, [5]), (2, [2])]
)
def test_no_batch_is_a_single_image(count: int, sizes: list[int]) -> None:
    numbers = torch.arange(count)
    cut = [images for images, _ in batches(numbers, numbers, 4)]
    assert [len(images) for images in cut] == sizes
    assert torch.equal(torch.cat(cut), numbers)


@pytest.mark.parametrize(
    ("shape", "side"),
    [((28, 28), 32), ((8, 8, 3), 32), ((40, 24), 40), ((64, 64, 3), 64), ((100, 70), 64)],
)
def test_without_a_size_the_input_is_as_stored_from_32_to_64(
    shape: tuple[int, ...], side: int
) -> None:
    assert input_size(np.zeros((2, *shape), np.uint8)) == side
