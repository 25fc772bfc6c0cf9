"""Decision values of all one-vs-one problems, from precomputed inner products, in one pass.

What: for one row at a time, its inner products with the support vectors are gathered and turned
into kernel values. These are multiplied by the k-1 coefficients of each support vector and summed
class by class, in LIBSVM's layout. The k(k-1)/2 decision values combine these sums.

Why exact: these are LIBSVM's sums, with kernel values in float32 and sums in float64.

What it buys: only the k(k-1)/2 results of a row are written. So the products are read once, and
the kernel matrix, which would take gigabytes, never exists.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from tune_mnist.training.svm.compiled import compiled, read_only
from tune_mnist.training.svm.kernel_rows import Float32, Kernel, fill_kernel_row
from tune_mnist.training.svm.one_vs_one import PairwiseSvm

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

CHUNK = 128  # rows that a thread takes at a time


def decision_values(
    pairwise: PairwiseSvm,
    products: Float32,
    norms: Float32,
    columns: Int64,
    threads: int,
    rows: Int64 | None = None,
) -> Float64:
    """Return every problem's decision value of every row, > 0 for the lower class of its pair.

    Args:
        pairwise: the k(k-1)/2 solved problems.
        products: (m, N) float32 inner products of m rows with N others.
        norms: (m,) float32, squared norms of the m rows.
        columns: (s,) which of the N others are the support vectors, in the order of `pairwise`.
        threads: how many to use.
        rows: which of the m rows to decide; None: all.
    Returns: (m or len(rows), k(k-1)/2) float64, pairs in the order (0, 1), (0, 2), ..., (k-2, k-1).
    """
    rows = np.arange(len(products)) if rows is None else rows
    out = np.empty((len(rows), len(pairwise.biases)))
    coefficients = pairwise.coefficients.astype(np.float32)
    products, norms = read_only(products), read_only(norms)
    columns, column_norms = read_only(columns), read_only(pairwise.support_norms)

    def fill(start: int) -> None:
        part = slice(start, start + CHUNK)
        _fill_decisions(
            products, norms, rows[part], columns, column_norms, pairwise.kernel,
            coefficients, pairwise.starts, pairwise.biases, out[part],
        )  # fmt: skip

    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(fill, range(0, len(rows), CHUNK)):
            pass  # an error in a thread is raised here
    return out


def winners(decisions: Float64, k: int) -> Int64:
    """Return the class with the most votes, counted as in LIBSVM; the lowest class wins a tie.

    Args:
        decisions: (m, k(k-1)/2), from `decision_values`.
        k: the number of classes.
    Returns: (m,) class numbers, 0..k-1.
    """
    votes = np.zeros((len(decisions), k), np.int64)
    for problem, (a, b) in enumerate(zip(*np.triu_indices(k, 1), strict=True)):
        for_a = decisions[:, problem] > 0
        votes[:, a] += for_a
        votes[:, b] += ~for_a
    best: Int64 = votes.argmax(axis=1)
    return best


@compiled
def _fill_decisions(
    products: Float32, norms: Float32, rows: Int64, columns: Int64, column_norms: Float32,
    kernel: Kernel, coefficients: Float32, starts: Int64, biases: Float64, out: Float64,
) -> None:  # fmt: skip
    k = starts.size - 1
    gathered, values = np.empty(columns.size, np.float32), np.empty(columns.size, np.float32)
    sums = np.empty((k, k - 1))
    for position in range(rows.size):
        row = products[rows[position]]
        for s in range(columns.size):
            gathered[s] = row[columns[s]]
        fill_kernel_row(gathered, column_norms, norms[rows[position]], kernel, values)
        for c in range(k):
            own = values[starts[c] : starts[c + 1]]
            for other in range(k - 1):
                sums[c, other] = _dot(own, coefficients[other, starts[c] : starts[c + 1]])
        problem = 0
        for a in range(k):
            for b in range(a + 1, k):
                out[position, problem] = sums[a, b - 1] + sums[b, a] + biases[problem]
                problem += 1


@compiled
def _dot(a: Float32, b: Float32) -> float:
    total = 0.0
    for t in range(a.size):
        total += float(a[t]) * float(b[t])
    return total
