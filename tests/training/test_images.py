"""Images as a model sees them: Pillow is the oracle for size and colour."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tune_mnist.datasets import Dataset, Images
from tune_mnist.training.images import View, grey, seen
from tune_mnist.training.options import TrainOptions
from tune_mnist.training.svm.gram import open_gram
from tune_mnist.training.svm.train import SvmConfig
from tune_mnist.training.svm.train import train as train_svm


def random_images(*shape: int) -> Any:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def coloured(data: Dataset, *shape: int) -> Dataset:
    """The data set with images of noise, and few of them."""
    train, val, test = (
        Images(random_images(100, *shape), part.labels[:100])
        for part in (data.train, data.val, data.test)
    )
    return replace(data, train=train, val=val, test=test)


def test_grey_is_pillows_luma() -> None:
    images = random_images(1030, 9, 7, 3)
    expected = [np.asarray(Image.fromarray(one).convert("L")) for one in images]
    np.testing.assert_array_equal(grey(images), np.stack(expected))


@pytest.mark.parametrize("shape", [(20, 30), (20, 30, 3), (80, 80, 3)])
@pytest.mark.parametrize("side", [8, 28, 100])
def test_another_size_is_pillows_bilinear_resize(
    shape: tuple[int, ...], side: int, digits: Dataset
) -> None:
    data = coloured(digits, *shape)
    size, method = (side, side), Image.Resampling.BILINEAR
    expected = [np.asarray(Image.fromarray(one).resize(size, method)) for one in data.test.images]
    got = seen(data, View(side)).test.images
    assert got.shape == (100, side, side, *shape[2:])
    assert np.abs(got.astype(int) - np.stack(expected)).max() <= 1


def test_left_out_small_images_are_the_same_and_large_ones_become_64(digits: Dataset) -> None:
    assert seen(digits, View()) is digits
    assert seen(digits, View(8, "grey")) is digits
    small, large = coloured(digits, 64, 30, 3), coloured(digits, 65, 30, 3)
    assert seen(small, View()) is small
    assert seen(large, View()).train.images.shape == (100, 64, 64, 3)
    assert seen(large, View()).content_hash == large.content_hash


@pytest.mark.parametrize("change", [{"image_size": 12}, {"colour": "grey"}])
def test_an_svm_trains_on_the_images_as_it_sees_them_on_each_engine(
    change: dict[str, Any], digits: Dataset, tmp_path: Path
) -> None:
    data = coloured(digits, 8, 8, 3)
    config = SvmConfig("rbf", 1.0, **change)
    beforehand = replace(seen(data, config.view), content_hash="resized")
    for engine in (None, tmp_path):
        options = TrainOptions(gram_dir=engine)
        ours = train_svm(config, data, lambda *_: None, options)
        expected = train_svm(SvmConfig("rbf", 1.0), beforehand, lambda *_: None, options)
        assert (ours["confusion"], ours["parameters"]) == (
            expected["confusion"],
            expected["parameters"],
        )


def test_each_view_has_a_matrix_of_its_own(digits: Dataset, tmp_path: Path) -> None:
    data = coloured(digits, 8, 8, 3)
    views = [View(), View(10), View(10, "grey")]
    assert [open_gram(data, tmp_path, 1, view).features for view in views] == [192, 300, 100]


def test_an_svm_that_resizes_nothing_loads_no_torch() -> None:
    code = (
        "import sys; from tune_mnist.datasets import LoadOptions, load_dataset;"
        "from tune_mnist.training.svm.train import SvmConfig, train;"
        "from tune_mnist.training.options import TrainOptions;"
        "data = load_dataset('digits', LoadOptions(download=False));"
        "train(SvmConfig('linear', 1.0, colour='grey'), data, print, TrainOptions());"
        "print('torch' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split()[-1] == "False"
