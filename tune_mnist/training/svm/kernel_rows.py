"""Kernel values from inner products: rbf, poly and linear, for every gamma and degree.

rbf(x, z) = exp(-gamma (|x|^2 + |z|^2 - 2 x.z)) and poly(x, z) = (gamma x.z)^degree depend on x and
z only through their inner product and norms, so one matrix X X^T serves a whole grid. Products are
float32; the error of an rbf value is at most about gamma |x| |z| 2^-22, as in any float32 SVM.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tune_mnist.training.svm.compiled import compiled, larger

Float32 = npt.NDArray[np.float32]

KERNEL_CODES = {"rbf": 0, "poly": 1, "linear": 2}


class Kernel(NamedTuple):
    """A kernel in the form that compiled code takes: `KERNEL_CODES[name]`, gamma, degree >= 1."""

    kind: int
    gamma: float
    degree: int


@compiled
def fill_kernel_row(
    products: Float32, norms: Float32, norm: float, kernel: Kernel, out: Float32
) -> None:
    """Fill `out` with one row's kernel values.

    Args:
        products: (n,) float32, inner products of one row x with n rows z.
        norms: (n,) float32, |z|^2.
        norm: float32, |x|^2.
        kernel: which kernel.
        out: (n,) float32; not `products` itself, or LLVM would not vectorise the loops.
    """
    gamma = np.float32(kernel.gamma)
    if kernel.kind == 0:
        for t in range(out.size):
            distance = larger(norm + norms[t] - np.float32(2) * products[t], np.float32(0))
            out[t] = _exp(-gamma * distance)
    elif kernel.kind == 1:
        for t in range(out.size):
            out[t] = gamma * products[t]
        for _ in range(kernel.degree - 1):  # the outer loop, so that the inner one is vectorised
            for t in range(out.size):
                out[t] *= gamma * products[t]
    else:
        for t in range(out.size):
            out[t] = products[t]


@compiled
def kernel_with_itself(norm: np.float32, kernel: Kernel) -> np.float32:
    """Return K(x, x) for a row x with this squared norm."""
    value = norm if kernel.kind == 2 else np.float32(1)
    if kernel.kind == 1:
        for _ in range(kernel.degree):
            value *= np.float32(kernel.gamma) * norm
    return value


@compiled
def _exp(x: float) -> float:
    """Return exp(x) of a float32 x <= 0, to 2 units in the last place.

    It has no branch and no call, so LLVM computes 8 values at once; the C library's exp would be
    one call per value. Below -87 it returns exp(-87) = 1.6e-38. It uses Cody and Waite's range
    reduction and the polynomial of Cephes' expf.
    """
    x = larger(x, np.float32(-87))
    power = np.floor(x * np.float32(1.44269504) + np.float32(0.5))
    r = x - power * np.float32(0.693359375) - power * np.float32(-2.12194440e-4)
    series = np.float32(1.9875691500e-4)
    series = series * r + np.float32(1.3981999507e-3)
    series = series * r + np.float32(8.3334519073e-3)
    series = series * r + np.float32(4.1665795894e-2)
    series = series * r + np.float32(1.6666665459e-1)
    series = series * r + np.float32(5.0000001201e-1)
    mantissa = series * r * r + r + np.float32(1)
    exponent = (np.int32(power) + np.int32(127)) << np.int32(23)
    return mantissa * np.int32(exponent).view(np.float32)  # type: ignore[no-any-return]
