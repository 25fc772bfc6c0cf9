"""The shared matrix is correct, built once, and there as a whole or not at all."""

from __future__ import annotations

import errno
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tune_mnist.datasets import Dataset
from tune_mnist.errors import InputError
from tune_mnist.training.pixels import standardised
from tune_mnist.training.svm import gram
from tune_mnist.training.svm.config import gram_bytes
from tune_mnist.training.svm.gram import open_gram
from tune_mnist.training.svm.threads import Over


def test_products_are_of_standardised_rows_sorted_by_class(digits: Dataset, tmp_path: Path) -> None:
    built = open_gram(digits, tmp_path, threads=2)
    rows = standardised(digits)[0][np.argsort(digits.train.labels, kind="stable")]
    assert np.allclose(built.products, rows @ rows.T, atol=1e-3)
    assert np.array_equal(built.labels, np.sort(digits.train.labels))


def test_cross_products_are_of_validation_then_test_rows(digits: Dataset, tmp_path: Path) -> None:
    built = open_gram(digits, tmp_path, threads=2)
    train, val, test = standardised(digits)
    train = train[np.argsort(digits.train.labels, kind="stable")]
    assert np.allclose(built.cross, np.concatenate([val, test]) @ train.T, atol=1e-3)


def test_norms_count_pixels_that_never_change_in_training(digits: Dataset, tmp_path: Path) -> None:
    built = open_gram(digits, tmp_path, threads=2)
    rows = np.concatenate(standardised(digits)[1:])
    assert np.allclose(built.cross_norms, (rows.astype(float) ** 2).sum(axis=1), rtol=1e-6)


def test_files_have_the_size_that_the_plan_expects(digits: Dataset, tmp_path: Path) -> None:
    built = open_gram(digits, tmp_path, threads=2)
    expected = gram_bytes(len(digits.train), len(digits.val) + len(digits.test))
    assert built.products.nbytes + built.cross.nbytes == expected


def test_trials_that_start_together_build_once(
    digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    builds = []
    build = gram._build

    def counted(data: Dataset, part: Path, threads: int, over: Over) -> None:
        builds.append(part)
        build(data, part, threads, over)

    monkeypatch.setattr(gram, "_build", counted)
    with ThreadPoolExecutor(4) as pool:
        opened = list(pool.map(lambda _: open_gram(digits, tmp_path, 1), range(4)))
    assert len(builds) == 1
    assert all(np.array_equal(one.products, opened[0].products) for one in opened)


def test_leftovers_of_a_killed_builder_are_replaced(digits: Dataset, tmp_path: Path) -> None:
    part = tmp_path / f"gram-{digits.content_hash}.part"
    part.mkdir()
    (part / "products.npy").write_bytes(b"half")
    assert open_gram(digits, tmp_path, 2).features == 64
    assert not part.exists()


def test_no_room_is_one_clear_error_and_leaves_nothing_behind(
    digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    with pytest.raises(InputError, match="no room for the Gram matrix"):
        open_gram(digits, tmp_path, 2)
    assert [path for path in tmp_path.iterdir() if path.is_dir()] == []


def test_a_trial_cannot_write_into_what_others_read(digits: Dataset, tmp_path: Path) -> None:
    built = open_gram(digits, tmp_path, 2)
    with pytest.raises(ValueError, match="read-only"):
        built.products[0, 0] = 1
