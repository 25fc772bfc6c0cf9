"""The solver's answers are checked against the definition of the problem, and against LIBSVM."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.svm import SVC

from tune_mnist.datasets import Dataset
from tune_mnist.training.pixels import standardised
from tune_mnist.training.svm import one_vs_one, smo
from tune_mnist.training.svm.decisions import decision_values, winners
from tune_mnist.training.svm.kernel_rows import KERNEL_CODES, Float32, Kernel, fill_kernel_row
from tune_mnist.training.svm.one_vs_one import CSvc, Fitted, Int64, fit_one_vs_one

EPS = 1e-3


class Task(NamedTuple):
    """Rows sorted by class, and how to separate them."""

    rows: Float32
    labels: Int64
    kernel: Kernel
    C: float


@st.composite
def tasks(draw: st.DrawFn, low: float = 1e-3, high: float = 1e3) -> Task:
    """Small unbalanced tasks: duplicate rows within and across classes, classes of a single row."""
    sizes = draw(st.lists(st.integers(1, 14), min_size=2, max_size=4))
    features = draw(st.integers(1, 4))
    cells = st.lists(st.integers(-3, 3), min_size=features, max_size=features)
    rows = draw(st.lists(cells, min_size=sum(sizes), max_size=sum(sizes)))
    kernel = Kernel(
        draw(st.sampled_from(sorted(KERNEL_CODES.values()))),
        draw(st.sampled_from([0.01, 0.1, 1.0])),
        draw(st.integers(1, 3)),
    )
    C = 10 ** draw(st.floats(np.log10(low), np.log10(high)))
    halves: Float32 = np.array(rows, np.float32) * np.float32(0.5)
    return Task(halves, np.repeat(np.arange(len(sizes)), sizes), kernel, C)


def fit(task: Task, threads: int = 2) -> Fitted:
    products = task.rows @ task.rows.T
    return fit_one_vs_one(
        products,
        products.diagonal().copy(),
        task.labels,
        CSvc(task.kernel, task.C, EPS),
        threads=threads,
    )


def kernel_matrix(task: Task) -> np.ndarray:
    """The kernel values that the solver uses, in float64."""
    products = task.rows @ task.rows.T
    norms = products.diagonal().copy()
    out = np.empty_like(products)
    for row in range(len(products)):
        fill_kernel_row(products[row], norms, norms[row], task.kernel, out[row])
    exact: np.ndarray = out.astype(np.float64)
    return exact


def problems(task: Task, fitted: Fitted) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Each pair's y, u = y alpha and kernel matrix."""
    matrix = kernel_matrix(task)
    pairwise = fitted.pairwise
    full = np.zeros((len(pairwise.coefficients), len(task.labels)))
    full[:, fitted.support] = pairwise.coefficients
    k = len(pairwise.starts) - 1
    found = []
    for a in range(k):
        for b in range(a + 1, k):
            at = np.flatnonzero((task.labels == a) | (task.labels == b))
            in_a = task.labels[at] == a
            u = np.where(in_a, full[b - 1, at], full[a, at])
            found.append((np.where(in_a, 1.0, -1.0), u, matrix[np.ix_(at, at)]))
    return found


def sides(y: np.ndarray, u: np.ndarray, K: np.ndarray, C: float) -> tuple[float, float]:
    """LIBSVM's m(alpha) and M(alpha)."""
    f = y - K @ u
    up = np.where(y > 0, u < C, u < 0)
    low = np.where(y > 0, u > 0, u > -C)
    return float(f[up].max()), float(f[low].min())


def violation(y: np.ndarray, u: np.ndarray, K: np.ndarray, C: float) -> float:
    highest, lowest = sides(y, u, K, C)
    return highest - lowest


@settings(max_examples=150, deadline=None)
@given(task=tasks())
def test_every_problem_meets_the_kkt_conditions(task: Task) -> None:
    for y, u, K in problems(task, fit(task)):
        rounding = 1e-12 * np.abs(K).max() * max(1.0, np.abs(u).sum())
        assert violation(y, u, K, task.C) <= EPS + rounding


@settings(max_examples=150, deadline=None)
@given(task=tasks())
def test_every_solution_is_feasible(task: Task) -> None:
    for y, u, _ in problems(task, fit(task)):
        assert np.all((y * u >= 0) & (y * u <= task.C))
        assert abs(u.sum()) <= 1e-12 * task.C * len(u)


@settings(max_examples=100, deadline=None)
@given(task=tasks())
def test_dual_objective_is_within_the_tolerance_of_libsvms(task: Task) -> None:
    for y, u, K in problems(task, fit(task)):
        peer = SVC(kernel="precomputed", C=task.C, tol=1e-6).fit(K, y)
        best = np.zeros(len(y))
        best[peer.support_] = peer.dual_coef_[0]  # scikit-learn's sign is y alpha for y = +1
        objective = (y * u).sum() - u @ K @ u / 2
        optimum = (y * best).sum() - best @ K @ best / 2
        gap = EPS * (np.abs(u).sum() + np.abs(best).sum())  # what KKT within eps can cost
        assert abs(objective - optimum) <= gap + 1e-6 * abs(optimum)


@settings(max_examples=150, deadline=None)
@given(task=tasks())
def test_every_bias_lies_between_the_two_sides(task: Task) -> None:
    fitted = fit(task)
    for bias, (y, u, K) in zip(fitted.pairwise.biases, problems(task, fitted), strict=True):
        highest, lowest = sides(y, u, K, task.C)
        rounding = 1e-12 * np.abs(K).max() * max(1.0, np.abs(u).sum())
        assert (
            min(highest, lowest) - EPS - rounding <= bias <= max(highest, lowest) + EPS + rounding
        )


@settings(max_examples=100, deadline=None)
@given(task=tasks(low=0.01, high=10.0))
def test_decision_values_are_scikit_learns_up_to_a_constant(task: Task) -> None:
    """The constant is the bias, which is not unique if every support vector is at C."""
    fitted = fit(task)
    support = task.rows[fitted.support]
    norms = (task.rows**2).sum(axis=1)
    columns = np.arange(len(support))
    got = decision_values(fitted.pairwise, task.rows @ support.T, norms, columns, threads=2)
    name = {kind: name for name, kind in KERNEL_CODES.items()}[task.kernel.kind]
    model = SVC(
        C=task.C, kernel=name, gamma=task.kernel.gamma, degree=task.kernel.degree,
        decision_function_shape="ovo",
    ).fit(task.rows, task.labels)  # fmt: skip
    expected = model.decision_function(task.rows)
    if expected.ndim == 1:
        expected = -expected[:, None]
    assert np.ptp(got - expected, axis=0).max() <= 10 * EPS * (1 + np.abs(expected).max())


@pytest.fixture(scope="module")
def digits_task(digits: Dataset) -> Task:
    order = np.argsort(digits.train.labels, kind="stable")
    rows = standardised(digits)[0][order]
    return Task(rows, digits.train.labels[order], Kernel(KERNEL_CODES["rbf"], 0.01, 1), C=0.1)


@pytest.mark.parametrize("kind", KERNEL_CODES.values())
def test_shrinking_forgets_no_row(digits: Dataset, kind: int) -> None:
    parity = digits.train.labels % 2
    order = np.argsort(parity, kind="stable")
    rows = standardised(digits)[0][order]
    task = Task(rows, parity[order], Kernel(kind, 0.01, 2), C=10.0)
    fitted = fit(task)
    assert fitted.iterations.max() > 5 * smo.SHRINK_EVERY
    for y, u, K in problems(task, fitted):
        assert violation(y, u, K, task.C) <= EPS + 1e-12 * np.abs(K).max() * np.abs(u).sum()


def test_a_cache_of_two_rows_changes_nothing(
    digits_task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    roomy = fit(digits_task)
    monkeypatch.setattr(one_vs_one, "CACHE_BYTES", 1)
    tight = fit(digits_task)
    assert np.array_equal(tight.pairwise.coefficients, roomy.pairwise.coefficients)


def test_number_of_threads_changes_nothing(digits_task: Task) -> None:
    alone, many = fit(digits_task, threads=1), fit(digits_task, threads=3)
    assert np.array_equal(alone.pairwise.coefficients, many.pairwise.coefficients)


def test_rows_that_are_surely_right_are_predicted_correctly(digits_task: Task) -> None:
    fitted = fit(digits_task)
    products = digits_task.rows @ digits_task.rows[fitted.support].T
    norms = (digits_task.rows**2).sum(axis=1)
    decisions = decision_values(
        fitted.pairwise, products, norms, np.arange(len(fitted.support)), threads=2
    )
    sure = fitted.surely_right
    assert 0.5 < sure.mean() < 1
    assert np.array_equal(winners(decisions, 10)[sure], digits_task.labels[sure])


def test_one_class_is_refused() -> None:
    task = Task(np.ones((3, 2), np.float32), np.zeros(3, np.int64), Kernel(0, 1.0, 1), 1.0)
    with pytest.raises(ValueError, match="number of classes"):
        fit(task)


def test_kernel_beyond_float32_is_refused() -> None:
    rows = np.array([[1e12], [-1e12]], np.float32)
    with pytest.raises(ValueError, match="overflow"):
        fit(Task(rows, np.arange(2), Kernel(KERNEL_CODES["poly"], 1.0, 3), 1.0))


def test_a_fit_that_is_given_up_says_by_how_much(
    digits_task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert fit(digits_task).violation < EPS
    monkeypatch.setattr(one_vs_one, "LIMIT", 10)
    assert fit(digits_task).violation >= EPS
