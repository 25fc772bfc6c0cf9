"""What is odd about a data set is said before an hour is spent on it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from tests.datasets.written import small_images, write_classes
from tune_mnist.datasets import Images, load_dataset
from tune_mnist.datasets.checks import warnings_of


def part(*labels: int, seed: int = 0) -> Images:
    return Images(small_images(len(labels), seed), np.array(labels))


def test_nothing_odd_is_nothing_said() -> None:
    assert warnings_of(part(0, 1), part(0, 1, seed=1), part(0, 1, seed=2), "ab") == ()


def test_a_class_that_is_missing_from_a_part_is_named() -> None:
    classes = [f"c{i}" for i in range(8)]
    said = warnings_of(part(*range(8)), part(0, 1, seed=1), part(*range(8), seed=2), classes)
    assert said == (
        "classes without validation images: c2 (1 for training), c3 (1 for training),"
        " c4 (1 for training), c5 (1 for training), c6 (1 for training) and 1 more",
    )


def test_images_of_one_level_are_counted() -> None:
    train, test = part(0, 1, 1), part(0, 1, seed=2)
    train.images[:2] = [[[7]], [[9]]]
    test.images[1] = 0
    (said,) = warnings_of(train, part(0, 1, seed=1), test, "ab")
    assert said == "images of one level only, which show nothing: 2 training, 1 test"


def test_images_that_are_equal_across_parts_are_counted() -> None:
    train, val, test = part(0, 1, 1), part(0, 1, seed=1), part(0, 1, 0, seed=2)
    val.images[0] = train.images[2]
    test.images[:2] = [train.images[0], val.images[1]]
    assert warnings_of(train, val, test, "ab") == (
        "1 validation images are byte for byte also training images",
        "2 test images are byte for byte also training or validation images",
    )


def test_the_summary_says_what_will_be_trained_on(tmp_path: Path) -> None:
    images = [Image.fromarray(array) for array in small_images(40, size=(6, 5, 3))]
    write_classes(tmp_path / "pets", {"cat": images[:10], "dog": images[10:]})
    assert load_dataset(str(tmp_path / "pets")).summary() == (
        "pets: 2 classes; 28 / 4 / 8 images to train / validate / test; 5x6 pixels, colour;"
        " smallest class cat, 7 to train"
    )
