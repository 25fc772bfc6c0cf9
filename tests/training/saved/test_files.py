"""A saved model from a stranger: whatever is wrong with it is one line, and nothing is run."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from tests.training.saved.fitted_models import CONFIGS, first_images, saved
from tune_mnist.datasets import Dataset
from tune_mnist.errors import InputError
from tune_mnist.training.model import find_model
from tune_mnist.training.saved import files
from tune_mnist.training.saved.files import ARRAYS, FACTS


@pytest.fixture
def folder(digits: Dataset, tmp_path: Path) -> Path:
    saved("logistic", CONFIGS["logistic"], first_images(digits, 200), tmp_path)
    return tmp_path


def changed(**arrays: np.ndarray | None) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        kept = {**load_file(folder / ARRAYS), **arrays}
        save_file({k: v for k, v in kept.items() if v is not None}, folder / ARRAYS)

    return change


def said(**facts: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        kept = json.loads((folder / FACTS).read_text())
        (folder / FACTS).write_text(json.dumps({**kept, **facts}))

    return change


def cut(folder: Path) -> None:
    os.truncate(folder / ARRAYS, 100)


def pickled(folder: Path) -> None:
    (folder / ARRAYS).write_bytes(pickle.dumps(os.getcwd))


def linked(folder: Path) -> None:
    (folder / FACTS).rename(folder / "elsewhere")
    (folder / FACTS).symlink_to(folder / "elsewhere")


WRONG = {
    "an array is missing": (changed(biases=None), "biases' is missing"),
    "an array more": (changed(more=np.zeros(1)), "more' is not one of such a model"),
    "another shape": (changed(biases=np.zeros(9)), "shape"),
    "too many numbers": (changed(mean=np.zeros(65, np.float32)), "shape"),
    "not a number": (changed(mean=np.full(64, np.nan, np.float32)), "not a finite number"),
    "classes that are not there": (changed(labels=np.arange(1, 11)), "not those of a logistic"),
    "cut off": (cut, "cannot be read"),
    "a pickle": (pickled, "cannot be read"),
    "a link": (linked, "links are not followed"),
    "a fact of another type": (said(height="tall"), "height"),
    "an unknown fact": (said(run="rm -rf /"), "run"),
    "a later format": (said(format=2), "format"),
}


@pytest.mark.parametrize("what", WRONG)
def test_it_is_refused_in_one_line(what: str, folder: Path) -> None:
    change, expected = WRONG[what]
    change(folder)
    load = find_model("logistic").load
    assert load is not None
    with pytest.raises(InputError, match=expected) as refused:
        load(folder)
    assert "\n" not in str(refused.value)


def test_a_file_that_is_larger_than_any_model_is_not_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MOST_ARRAYS", 1000)
    load = find_model("logistic").load
    assert load is not None
    with pytest.raises(InputError, match="is larger than"):
        load(folder)


def test_a_network_of_an_unknown_name_is_not_built(digits: Dataset, tmp_path: Path) -> None:
    saved("resnet", CONFIGS["resnet"], first_images(digits, 64), tmp_path)
    said(settings={"architecture": "vit_h_14"})(tmp_path)
    load = find_model("resnet").load
    assert load is not None
    with pytest.raises(InputError, match="'vit_h_14' is not an architecture of ours"):
        load(tmp_path)
