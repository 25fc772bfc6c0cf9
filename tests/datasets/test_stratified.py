"""Data of your own: what it has not of its own is held out, the same share of each class."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tune_mnist.datasets import Dataset, Images, TestSet
from tune_mnist.datasets.dataset import Unsplit
from tune_mnist.datasets.split import split
from tune_mnist.errors import InputError

FIRST = 1 << 24  # no image has one level only


def pool(*counts: int, start: int = 0) -> Images:
    """So many images of each class; an image's bytes are its own number."""
    n = sum(counts)
    numbers = np.arange(start, start + n, dtype="<u4") + FIRST
    labels = np.repeat(np.arange(len(counts)), counts)
    return Images(numbers.view(np.uint8).reshape(n, 2, 2), labels)


def unsplit(*counts: int) -> Unsplit:
    return Unsplit(pool(*counts), None, tuple(f"c{i}" for i in range(len(counts))))


def numbers(part: Images) -> list[int]:
    return [int(number) - FIRST for number in part.images.reshape(-1).view("<u4")]


def per_class(data: Dataset) -> list[list[int]]:
    """Images of each class in each part."""
    parts = (data.train, data.val, data.test)
    return [np.bincount(p.labels, minlength=len(data.classes)).tolist() for p in parts]


@given(st.lists(st.integers(3, 60), min_size=2, max_size=6))
def test_every_class_stands_in_every_part_with_its_share(counts: list[int]) -> None:
    data = split("own", unsplit(*counts), "standard")
    parts = (data.train, data.val, data.test)
    assert sorted(number for part in parts for number in numbers(part)) == list(range(sum(counts)))
    for share, of_part in zip((0.7, 0.1, 0.2), per_class(data), strict=True):
        for n, kept in zip(counts, of_part, strict=True):
            assert kept >= 1
            assert abs(kept - share * n) <= 1.5
    assert data.split == "stratified 70/10/20 seed 42"


def test_labels_stay_with_their_images_and_the_order_is_mixed() -> None:
    data = split("own", unsplit(50, 50), "standard")
    for part in (data.train, data.val, data.test):
        assert part.labels.tolist() == [int(number >= 50) for number in numbers(part)]
    assert 10 < np.count_nonzero(np.diff(data.train.labels)) < 60


def test_20_classes_of_3_images_load() -> None:
    assert per_class(split("own", unsplit(*[3] * 20), "standard")) == [[1] * 20] * 3


def test_a_rare_class_validates_too() -> None:
    """Drawn from all images, 3 of 1,003 would stand in the validation in one case of four."""
    assert per_class(split("own", unsplit(1000, 3), "standard"))[1] == [100, 1]


def test_classes_with_too_few_images_are_named_with_what_was_done() -> None:
    data = split("own", unsplit(20, 2, 1), "standard")
    assert per_class(data) == [[14, 1, 1], [2, 1, 0], [4, 0, 0]]
    assert data.notes[1:] == (
        "classes without validation images: c2 (1 for training)",
        "classes without test images: c1 (1 for training), c2 (1 for training)",
    )


@pytest.mark.parametrize(("counts", "use"), [((1, 1), "validate"), ((2, 2), "test")])
def test_too_few_images_to_hold_one_out_are_refused(counts: tuple[int, ...], use: str) -> None:
    with pytest.raises(InputError, match=f"dataset own: no class has enough .* one out to {use}"):
        split("own", unsplit(*counts), "standard")


def test_with_test_images_only_the_validation_is_held_out() -> None:
    own = pool(7, 3, start=1000)
    data = split("own", replace(unsplit(100, 40), test=own), "standard")
    assert per_class(data) == [[90, 36], [10, 4], [7, 3]]
    assert numbers(data.test) == numbers(own)
    assert data.split == "stratified 90/10 seed 42, test its own"


def test_with_validation_images_only_the_test_is_held_out() -> None:
    own = pool(7, 3, start=1000)
    data = split("own", replace(unsplit(100, 40), val=own), "standard")
    assert per_class(data) == [[80, 32], [7, 3], [20, 8]]
    assert numbers(data.val) == numbers(own)
    assert data.split == "stratified 80/20 seed 42, validation its own"


def test_with_both_nothing_is_held_out() -> None:
    own = pool(7, 3, start=1000)
    data = split("own", replace(unsplit(100, 40), val=own, test=own), "standard")
    assert per_class(data) == [[100, 40], [7, 3], [7, 3]]
    assert data.split == "validation and test its own"


def test_test_images_that_are_not_used_are_counted() -> None:
    data = split("own", replace(unsplit(100, 40), test=pool(7, 3)), "holdout")
    assert per_class(data) == [[70, 28], [10, 4], [20, 8]]
    assert data.notes == ("its own 10 test images are not used (`test_set=holdout`)",)


@pytest.mark.parametrize("test_set", ["standard", "holdout"])
def test_how_it_is_split_is_part_of_the_hash(test_set: TestSet) -> None:
    data = replace(unsplit(100, 40), test=pool(7, 3), files_hash="of files")
    other = replace(data, val=pool(3, 3))
    assert split("own", data, test_set).content_hash != split("own", other, test_set).content_hash
