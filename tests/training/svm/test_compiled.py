"""Code compiles even if nothing can be cached, and its extremes equal NumPy's."""

from __future__ import annotations

import numpy as np
import pytest
from numba.core import caching

from tune_mnist.training.svm.compiled import compiled, larger, read_only, smaller


def _extremes(values: np.ndarray) -> tuple[float, float]:
    low, high = values[0], values[0]
    for value in values:
        low, high = smaller(low, value), larger(high, value)
    return low, high


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_extremes_of_an_array(dtype: type) -> None:
    values: np.ndarray = np.random.default_rng(0).normal(size=1001).astype(dtype)
    assert compiled(_extremes)(values) == (values.min(), values.max())


def test_code_compiles_without_a_folder_for_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caching.CompileResultCacheImpl, "_locator_classes", [])
    assert compiled(_extremes)(np.array([2.0, 1.0, 3.0])) == (1.0, 3.0)


def test_read_only_view_leaves_the_array_itself_writable() -> None:
    array = np.zeros(3)
    view = read_only(array)
    array[0] = 1
    assert view[0] == 1
    assert not view.flags.writeable
