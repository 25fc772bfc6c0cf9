"""Kernel values from inner products equal those that scikit-learn computes from the rows."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics.pairwise import pairwise_kernels

from tune_mnist.training.svm.kernel_rows import (
    KERNEL_CODES,
    Float32,
    Kernel,
    fill_kernel_row,
    kernel_with_itself,
)

ROWS: Float32 = np.random.default_rng(0).normal(size=(203, 17)).astype(np.float32)
PRODUCTS: Float32 = ROWS @ ROWS.T
NORMS = PRODUCTS.diagonal().copy()
GAMMA = {"rbf": {"gamma": 0.03}, "poly": {"gamma": 0.03, "degree": 4, "coef0": 0}, "linear": {}}


@pytest.mark.parametrize("name", KERNEL_CODES)
def test_row_equals_scikit_learns_kernel(name: str) -> None:
    got = np.empty(len(ROWS), np.float32)
    fill_kernel_row(PRODUCTS[5], NORMS, NORMS[5], Kernel(KERNEL_CODES[name], 0.03, 4), got)
    expected = pairwise_kernels(ROWS[5:6].astype(float), ROWS.astype(float), name, **GAMMA[name])
    assert np.allclose(got, expected[0], rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("name", KERNEL_CODES)
def test_value_with_itself_is_the_rows_own_entry(name: str) -> None:
    kernel = Kernel(KERNEL_CODES[name], 0.03, 4)
    row = np.empty(len(ROWS), np.float32)
    fill_kernel_row(PRODUCTS[5], NORMS, NORMS[5], kernel, row)
    assert kernel_with_itself(NORMS[5], kernel) == pytest.approx(row[5], rel=1e-6)


def test_rbf_is_the_exponential_to_2_units_in_the_last_place() -> None:
    squared: Float32 = np.linspace(0, 85, 100_001, dtype=np.float32)
    got = np.empty_like(squared)
    minus_half: Float32 = squared * np.float32(-0.5)
    fill_kernel_row(minus_half, np.zeros_like(squared), np.float32(0), Kernel(0, 1.0, 1), got)
    assert np.allclose(got, np.exp(-squared.astype(float)), rtol=2 * np.finfo(np.float32).eps)


def test_rbf_of_rows_far_apart_is_nearly_zero_and_finite() -> None:
    apart, norm = np.zeros(1, np.float32), np.full(1, 1e6, np.float32)
    got = np.empty(1, np.float32)
    fill_kernel_row(apart, norm, norm[0], Kernel(0, 1.0, 1), got)
    assert 0 <= got[0] < 1e-37
