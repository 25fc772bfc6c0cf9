"""Data from Python: arrays and torch data sets, of the same content as files of the same images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch.utils.data import Dataset as TorchDataset
from torch.utils.data import IterableDataset, Subset, TensorDataset
from torchvision import transforms

from tests.datasets.formats.test_npz import write_keras
from tests.datasets.written import cyclic_labels, pairs, small_images, write_classes
from tune_mnist.datasets import LoadOptions, PythonData, load_dataset, load_given
from tune_mnist.errors import InputError

IMAGES, LABELS = small_images(60), cyclic_labels(60, 3)
TEST = (small_images(20, 1), cyclic_labels(20, 3))


class Pictures(TorchDataset[tuple[Any, Any]]):
    """A map-style data set as people write them, of what `change` makes of a PIL image."""

    def __init__(self, change: Callable[[Image.Image], Any] = lambda image: image) -> None:
        self.classes = ["cat", "dog", "fox"]
        self.change = change

    def __len__(self) -> int:
        return len(IMAGES)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return self.change(Image.fromarray(IMAGES[index])), int(LABELS[index])


FORMS: dict[str, Callable[[], PythonData]] = {
    "arrays": lambda: (IMAGES, LABELS),
    "whole numbers": lambda: (IMAGES.astype(np.float64), LABELS.astype(np.float32)),
    "big integers": lambda: (IMAGES.astype(np.int64), LABELS.astype(np.int32)),
    "from 0 to 1": lambda: (IMAGES / 255, LABELS),
    "one channel last": lambda: (IMAGES[..., None], LABELS),
    "one channel first": lambda: (IMAGES[:, None], LABELS),
    "column of labels": lambda: (IMAGES, LABELS[:, None]),
    "lists": lambda: (IMAGES.tolist(), LABELS.tolist()),
    "tensors": lambda: (torch.from_numpy(IMAGES), torch.from_numpy(LABELS)),
    "pandas": lambda: (IMAGES, pd.Series(LABELS).astype(str).astype("category")),
    "torch, tensors": lambda: TensorDataset(torch.from_numpy(IMAGES), torch.from_numpy(LABELS)),
    "torch, PIL": lambda: Pictures(),
    "torch, ToTensor": lambda: Pictures(transforms.ToTensor()),
    "torch, arrays": lambda: Pictures(np.asarray),
    "torch, a subset": lambda: Subset(Pictures(), range(60)),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_the_same_images_is_the_same_data(form: str) -> None:
    data = load_given(FORMS[form](), "mine")
    assert data.name == "mine"
    assert data.content_hash == load_given((IMAGES, LABELS), "x").content_hash


def test_arrays_are_the_same_data_as_a_file_of_them(tmp_path: Path) -> None:
    file = write_keras(tmp_path / "own.npz")
    given = load_given({"train": (IMAGES, LABELS), "test": TEST}, "own")
    assert given.content_hash == load_dataset(str(file)).content_hash


def test_validation_and_test_images_of_your_own_are_used_as_such() -> None:
    parts = {"test": TEST, "val": (small_images(15, 2), cyclic_labels(15, 3))}
    data = load_given({"train": (IMAGES, LABELS), **parts}, "own")
    assert pairs(data.train.images, data.train.labels) == pairs(IMAGES, LABELS)
    np.testing.assert_array_equal(data.val.images, small_images(15, 2))
    np.testing.assert_array_equal(data.test.images, TEST[0])


def test_a_torch_data_sets_classes_are_the_names_of_its_labels() -> None:
    assert load_given(Pictures(), "own").classes == ("cat", "dog", "fox")
    assert load_given(Subset(Pictures(), range(60)), "own").classes == ("0", "1", "2")


def test_texts_are_classes_and_numbers_are_in_their_order() -> None:
    names = np.array(["ten", "two", "one"])[LABELS]
    assert load_given((IMAGES, names), "own").classes == ("one", "ten", "two")
    numbers = np.array(["10", "9", "2"])[LABELS]
    assert load_given((IMAGES, numbers), "own").classes == ("2", "9", "10")


def test_pil_images_follow_the_rules_of_image_files(tmp_path: Path) -> None:
    sizes = [(6, 5), (9, 9)] * 20
    pictures = [
        Image.fromarray(small_images(1, seed, (*size, 3))[0]) for seed, size in enumerate(sizes)
    ]
    write_classes(tmp_path / "own", {"a": pictures[:20], "b": pictures[20:]})
    items: Any = [(picture, int(at >= 20)) for at, picture in enumerate(pictures)]
    data, files = load_given(items, "own"), load_dataset(str(tmp_path / "own"))
    np.testing.assert_array_equal(data.test.images, files.test.images)
    assert data.notes[0] == files.notes[0] == "images resized to 64x64 pixels, bilinear"


def test_rows_and_columns_can_be_exchanged() -> None:
    data = load_given((IMAGES, LABELS), "own", LoadOptions(transposed=True))
    assert data.content_hash == load_given((IMAGES.swapaxes(1, 2), LABELS), "own").content_hash


def test_progress_reaches_the_number_of_items() -> None:
    seen: list[tuple[int, int]] = []
    load_given(Pictures(), "own", progress=lambda done, total: seen.append((done, total)))
    assert (60, 60) in seen


class Stream(IterableDataset[Any]):
    def __iter__(self) -> Any:
        return iter(())


NORMALISED = transforms.Compose([transforms.ToTensor(), transforms.Normalize(0.5, 0.5)])
REFUSED: dict[str, tuple[Any, str]] = {
    "a stream": (Stream(), "`data`, train: is Stream, which cannot be read; give .images, labels"),
    "a path": ("./images", "`data`, train: is str, which cannot be read"),
    "a number": (7, "`data`, train: is int, which cannot be read"),
    "items of one": ([(1, 2, 3)] * 20, "item 0 is tuple, not .image, label."),
    "no items": ([], "`data`, train: has no items"),
    "normalised": (Pictures(NORMALISED), "float32. reach from -1 to 1; use uint8, or floats from"),
    "unknown part": ({"train": TEST, "tset": TEST}, "'tset' is no part; did you mean test"),
    "no train": ({"test": TEST}, "`data`: has no part train"),
    "ragged": (([[1, 2], [3]], [0, 1]), "`data`, train images: is no array"),
    "another number": ((IMAGES, LABELS[1:]), "59 labels for the 60 images of `data`, train images"),
    "sizes": ([(IMAGES[0], 0), (IMAGES[0].T, 1)], "item 1 has the shape .4, 5., item 0 .5, 4."),
    "mixed": ([(Image.fromarray(IMAGES[0]), 0), (IMAGES[1], 1)], "item 1 is ndarray, others are"),
    "objects": ((IMAGES, [{}] * 60), "label {} of image 0 is dict; use whole numbers or texts"),
    "RGBA": ((small_images(60, 0, (5, 4, 4)), LABELS), "which is not one of grey or RGB images"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_data_set_is_refused_in_one_line(name: str) -> None:
    data, said = REFUSED[name]
    with pytest.raises(InputError, match=said) as caught:
        load_given(data, "own")
    assert "\n" not in str(caught.value)


def test_a_data_set_of_python_is_not_looked_for_on_disk() -> None:
    with pytest.raises(InputError, match="dataset own: was given from Python, and the store keeps"):
        load_dataset("python:own")
