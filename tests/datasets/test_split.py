"""The technical report's split, for a data set of any size."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import TensorDataset, random_split

from tests.datasets.written import write_idx
from tune_mnist.datasets import Images, LoadOptions, TestSet, load_dataset
from tune_mnist.datasets.dataset import Unsplit
from tune_mnist.datasets.split import split
from tune_mnist.errors import InputError


def numbered(n: int, k: int = 2) -> Unsplit:
    """Images whose bytes are their own number, so a part shows which ones it drew."""
    images = np.arange(n, dtype="<u4").view(np.uint8).reshape(n, 2, 2)
    pool = Images(images, np.arange(n) % k)
    return Unsplit(pool, None, tuple(map(str, range(k))), split="report")


def drawn(part: Images) -> list[int]:
    return [int(number) for number in part.images.reshape(-1).view("<u4")]


def test_split_of_60_000_is_torchs_random_split_with_seed_42() -> None:
    data = split("all", numbered(60_000), "holdout")
    parts = random_split(
        TensorDataset(torch.arange(60_000)),
        [42_000, 6_000, 12_000],
        generator=torch.Generator().manual_seed(42),
    )
    for part, expected in zip((data.train, data.val, data.test), parts, strict=True):
        assert drawn(part) == list(expected.indices)


def test_first_indices_of_the_technical_reports_split_are_known() -> None:
    data = split("all", numbered(60_000), "holdout")
    assert drawn(data.train)[:5] == [37542, 43087, 2992, 25810, 39634]
    assert drawn(data.val)[:5] == [39207, 25537, 33995, 25955, 16250]
    assert drawn(data.test)[:5] == [23397, 25097, 42606, 11313, 59045]


@pytest.mark.parametrize("n", [10, 11, 99, 1797])
def test_every_image_is_in_exactly_one_part(n: int) -> None:
    data = split("all", numbered(n), "holdout")
    assert sorted(drawn(data.train) + drawn(data.val) + drawn(data.test)) == list(range(n))
    assert min(len(data.train), len(data.val), len(data.test)) >= 1


def test_labels_stay_with_their_images() -> None:
    data = split("all", numbered(1000, k=7), "holdout")
    for part in (data.train, data.val, data.test):
        assert part.labels.tolist() == [number % 7 for number in drawn(part)]


@pytest.mark.parametrize(("test_set", "n"), [("standard", 50), ("holdout", 40)])
def test_test_set_is_the_requested_one(test_set: TestSet, n: int) -> None:
    data = replace(numbered(200), test=numbered(50).train)
    whole = split("all", data, test_set)
    assert (len(whole.train), len(whole.val), len(whole.test)) == (140, 20, n)
    assert whole.split == f"report-70/10/20 seed 42, test {test_set}"


def test_without_test_images_the_test_set_is_the_holdout_and_a_note_says_so() -> None:
    data = split("all", numbered(100), "standard")
    assert len(data.test) == 20
    assert data.split == "report-70/10/20 seed 42, test holdout"
    assert "held out" in data.notes[0]


def test_arrays_are_contiguous_typed_and_read_only(idx_folder: Path) -> None:
    data = load_dataset(str(idx_folder))
    for part in (data.train, data.val, data.test):
        for array, dtype in ((part.images, np.uint8), (part.labels, np.int64)):
            assert array.dtype == dtype
            assert array.flags.c_contiguous
            assert not array.flags.writeable


def test_too_few_images_are_refused() -> None:
    with pytest.raises(InputError, match="dataset few: 9 training images are too few"):
        split("few", numbered(9), "standard")


def test_one_class_is_refused() -> None:
    with pytest.raises(InputError, match="has only the class 0"):
        split("same", numbered(20, k=1), "standard")


def test_class_without_a_training_image_is_refused() -> None:
    data = numbered(20)
    data.train.labels[:] = 0
    data.train.labels[drawn(split("x", numbered(20), "holdout").val)] = 1
    with pytest.raises(InputError, match="class 1: none of its 2 images is among the 14 drawn"):
        split("lost", data, "standard")


def test_digits_are_scikit_learns_times_15() -> None:
    from sklearn.datasets import load_digits

    data = load_dataset("digits")
    assert (len(data.train), len(data.val), len(data.test)) == (1257, 179, 361)
    order = torch.randperm(1797, generator=torch.Generator().manual_seed(42)).numpy()
    expected = load_digits()
    np.testing.assert_array_equal(data.train.images / 15, expected.images[order[:1257]])
    np.testing.assert_array_equal(data.train.labels, expected.target[order[:1257]])


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_full_size_data_set_has_the_technical_reports_sizes(real_data: Path, name: str) -> None:
    data = load_dataset(name, LoadOptions(real_data, download=False))
    assert (len(data.train), len(data.val), len(data.test)) == (42_000, 6_000, 10_000)
    assert len(load_dataset(name, LoadOptions(real_data, "holdout", download=False)).test) == 12_000


def test_same_split_of_a_file_twice_has_equal_arrays(tmp_path: Path) -> None:
    folder = str(write_idx(tmp_path / "idx"))
    first, second = load_dataset(folder), load_dataset(folder)
    np.testing.assert_array_equal(first.train.images, second.train.images)
