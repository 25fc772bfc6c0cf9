"""All one-vs-one problems of a C-SVC, solved in parallel threads, in LIBSVM's layout.

What: k(k-1)/2 problems over rows sorted by class, the largest first. One thread solves each
problem, without holding the GIL. As many blocks of memory as there are threads are reused for the
caches of kernel rows.

Why exact: the problems share only the products, which they read.

What it buys: a fit uses all cores of its trial. The solver's residuals also show which training
rows win all k-1 problems of their own class. Such a row has k-1 votes for its class, and every
other class has at most k-2, so its prediction is known; only the other rows need decisions.py.
"""

from __future__ import annotations

import queue
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tune_mnist.training.svm.compiled import read_only
from tune_mnist.training.svm.kernel_rows import KERNEL_CODES, Float32, Kernel
from tune_mnist.training.svm.smo import Pair, solve_pair

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

CACHE_BYTES = 2 << 30  # kernel rows of all threads; about what the technical report gives its SVC

# Iterations after which a problem is given up. LIBSVM itself gives up after 10 million, but
# scikit-learn's copy goes on, and hard problems of its users converge after up to 90 million.
LIMIT = 1_000_000_000


@dataclass(frozen=True)
class CSvc:
    """The C-SVC to fit.

    Args:
        kernel: the kernel.
        C: > 0, the penalty for a training error.
        eps: > 0; a solver stops when the KKT conditions are violated by less.
        weights: (k,) > 0, the factor of C for each class; None: 1 for all.
    """

    kernel: Kernel
    C: float
    eps: float
    weights: Float64 | None = None

    def cost(self, label: int) -> float:
        """Return the penalty for a training error of this class."""
        return float(self.C if self.weights is None else self.C * self.weights[label])


@dataclass(frozen=True, eq=False)
class PairwiseSvm:
    """A fitted C-SVC: k(k-1)/2 solved problems with s support vectors, sorted by class.

    Args:
        kernel: the kernel.
        support_norms: (s,) float32, squared norms of the support vectors.
        starts: (k+1,); starts[c]:starts[c+1] are the support vectors of class c.
        coefficients: (k-1, s), y alpha. For a support vector of class c, row r belongs to the
            problem with class r if r < c, and with class r+1 if r >= c.
        biases: (k(k-1)/2,), LIBSVM's -rho, pairs in the order (0, 1), (0, 2), ..., (k-2, k-1).
    """

    kernel: Kernel
    support_norms: Float32
    starts: Int64
    coefficients: Float64
    biases: Float64


@dataclass(frozen=True, eq=False)
class Fitted:
    """A fitted C-SVC, and what the fit learned of its training rows.

    Args:
        pairwise: the solved problems.
        support: (s,) positions of the support vectors among the sorted training rows, ascending.
        surely_right: (n,) whether a row was fitted to and wins all problems of its own class.
        iterations: (k(k-1)/2,) iterations that each problem took.
        violation: the largest violation of the KKT conditions that is left; below `eps`, unless a
            problem was given up.
    """

    pairwise: PairwiseSvm
    support: Int64
    surely_right: npt.NDArray[np.bool_]
    iterations: Int64
    violation: float


@dataclass(frozen=True, eq=False)
class _Solved:
    """The solution of one problem: rows of its lower class first, then rows of the other."""

    dual: Float64
    wins: npt.NDArray[np.bool_]
    bias: float
    violation: float
    iterations: int


def fit_one_vs_one(
    products: Float32,
    norms: Float32,
    labels: Int64,
    svc: CSvc,
    *,
    threads: int,
    used: Int64 | None = None,
) -> Fitted:
    """Fit one C-SVC to all rows, or to the first rows of each class; no product is copied.

    Args:
        products: (n, n) float32, inner products of the training rows.
        norms: (n,) float32, the diagonal of `products`.
        labels: (n,) class numbers 0..k-1, ascending, each present, k >= 2.
        svc: what to fit.
        threads: how many problems to solve at a time.
        used: (k,) >= 1, the number of rows of each class to fit to, its first ones; None: all.

    Raises: ValueError: there are fewer than two classes, or kernel values overflow float32.
    """
    _check_range(norms, svc.kernel)
    products, norms = read_only(products), read_only(norms)
    k = int(labels[-1]) + 1
    if k < 2:
        raise ValueError("The number of classes has to be greater than one; got 1 class")
    starts = np.searchsorted(labels, np.arange(k + 1))
    sizes = np.diff(starts) if used is None else used
    stops = starts[:-1] + sizes
    pairs = [(a, b) for a in range(k) for b in range(a + 1, k)]
    scratch: queue.SimpleQueue[tuple[Float32, Float32]] = queue.SimpleQueue()
    for _ in range(threads):
        scratch.put(_scratch(int(np.sort(sizes)[-2:].sum()), threads))

    def solve(pair: tuple[int, int]) -> _Solved:
        a, b = pair
        buffers = scratch.get()
        problem = Pair(products, norms, starts[a], stops[a], starts[b], stops[b])
        solved = _solve(problem, svc, (svc.cost(a), svc.cost(b)), buffers)
        scratch.put(buffers)
        return solved

    by_size = sorted(pairs, key=lambda pair: -sizes[list(pair)].sum())
    with ThreadPoolExecutor(threads) as pool:
        solved = dict(zip(by_size, pool.map(solve, by_size), strict=True))
    return _assemble(svc.kernel, norms, starts, stops, {pair: solved[pair] for pair in pairs})


def _check_range(norms: Float32, kernel: Kernel) -> None:
    if kernel.kind != KERNEL_CODES["poly"]:
        return
    with np.errstate(over="ignore"):
        largest = np.float32(kernel.gamma * float(norms.max())) ** kernel.degree
    if not np.isfinite(largest):
        raise ValueError(
            f"kernel values overflow float32 at gamma={kernel.gamma}, degree={kernel.degree}"
        )


def _scratch(rows: int, threads: int) -> tuple[Float32, Float32]:
    """Return memory for one thread's cache of kernel rows; it takes none until it is written."""
    capacity = min(rows, max(2, CACHE_BYTES // (8 * rows * threads)))
    return np.empty((capacity, rows), np.float32), np.empty((capacity, rows), np.float32)


def _solve(
    problem: Pair, svc: CSvc, costs: tuple[float, float], buffers: tuple[Float32, Float32]
) -> _Solved:
    first = problem.stop - problem.start
    n = first + problem.other_stop - problem.other_start
    dual, residual = np.empty(n), np.empty(n)
    bias, violation, iterations = solve_pair(
        problem, svc.kernel, costs, float(svc.eps), LIMIT, *buffers, dual, residual
    )
    y = np.where(np.arange(n) < first, 1.0, -1.0)
    for_first = y - residual + bias > 0
    return _Solved(dual, for_first == (y > 0), bias, violation, iterations)


def _assemble(
    kernel: Kernel,
    norms: Float32,
    starts: Int64,
    stops: Int64,
    solved: dict[tuple[int, int], _Solved],
) -> Fitted:
    k, n = len(starts) - 1, int(starts[-1])
    coefficients = np.zeros((k - 1, n))
    wins = np.zeros(n, np.int64)
    for (a, b), one in solved.items():
        rows_a, rows_b = slice(starts[a], stops[a]), slice(starts[b], stops[b])
        split = rows_a.stop - rows_a.start
        coefficients[b - 1, rows_a], coefficients[a, rows_b] = one.dual[:split], one.dual[split:]
        wins[rows_a] += one.wins[:split]
        wins[rows_b] += one.wins[split:]
    support = np.flatnonzero(coefficients.any(axis=0))
    pairwise = PairwiseSvm(
        kernel=kernel,
        support_norms=norms[support],
        starts=np.searchsorted(support, starts),
        coefficients=np.ascontiguousarray(coefficients[:, support]),
        biases=np.array([one.bias for one in solved.values()]),
    )
    return Fitted(
        pairwise=pairwise,
        support=support,
        surely_right=wins == k - 1,
        iterations=np.array([one.iterations for one in solved.values()]),
        violation=max(one.violation for one in solved.values()),
    )
