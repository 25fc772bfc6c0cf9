"""Products computed in tiles equal NumPy's, also where a tile is cut short."""

from __future__ import annotations

import numpy as np
import pytest

from tune_mnist.training.svm import products
from tune_mnist.training.svm.products import fill_cross_products, fill_products, squared_norms

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(150, 9)).astype(np.float32)
OTHERS = RNG.normal(size=(70, 9)).astype(np.float32)


@pytest.fixture(autouse=True)
def _small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "TILE", 64)


@pytest.mark.parametrize("threads", [1, 3])
def test_products_of_all_rows(threads: int) -> None:
    out = np.full((150, 150), np.nan, np.float32)
    fill_products(ROWS, out, threads)
    assert np.allclose(out, ROWS @ ROWS.T, atol=1e-5)


def test_products_are_symmetric_to_the_last_bit() -> None:
    out = np.empty((150, 150), np.float32)
    fill_products(ROWS, out, 2)
    assert np.array_equal(out, out.T)


def test_cross_products() -> None:
    out = np.full((70, 150), np.nan, np.float32)
    fill_cross_products(OTHERS, ROWS, out, 2)
    assert np.allclose(out, OTHERS @ ROWS.T, atol=1e-5)


def test_error_in_a_thread_is_raised() -> None:
    with pytest.raises(ValueError, match="mismatch"):
        fill_cross_products(OTHERS[:, :5], ROWS, np.empty((70, 150), np.float32), 2)


def test_squared_norms() -> None:
    assert np.allclose(squared_norms(ROWS), np.linalg.norm(ROWS, axis=1) ** 2)
