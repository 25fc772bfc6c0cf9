"""`GramSVC`: the shared-Gram engine as a scikit-learn estimator, for your own data.

It fits the same SVM as `sklearn.svm.SVC(coef0=0)`, to the same tolerance, with the rbf, poly and
linear kernels. Inner products are float32, so features should be of moderate size, for example
standardised.
"""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import SVC
from sklearn.utils.multiclass import _ovr_decision_function, check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from tune_mnist.training.svm.decisions import decision_values, winners
from tune_mnist.training.svm.kernel_rows import KERNEL_CODES, Float32, Kernel
from tune_mnist.training.svm.one_vs_one import CSvc, PairwiseSvm, fit_one_vs_one
from tune_mnist.training.svm.plain import PlainSvm, to_svc
from tune_mnist.training.svm.products import fill_products, squared_norms
from tune_mnist.training.svm.threads import available_threads

Float64 = npt.NDArray[np.float64]

BLOCK = 4096  # rows whose products with the support vectors are in memory at a time


class GramSVC(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """C-support-vector classification on float32 inner products.

    Args:
        C: > 0, the penalty for a training error.
        kernel: "rbf", "poly" or "linear".
        degree: >= 1; only the poly kernel uses it.
        gamma: > 0, or "scale", which is 1 / (features * variance of X).
        tol: > 0; the fit stops when the KKT conditions are violated by less.
        decision_function_shape: "ovr" or "ovo", as in SVC.

    Attributes, as in SVC: `classes_`, `support_`, `support_vectors_` (float32), `n_support_`,
    `dual_coef_`, `intercept_`, `n_iter_`, `fit_status_`, `n_features_in_`.
    """

    def __init__(
        self,
        *,
        C: float = 1.0,
        kernel: str = "rbf",
        degree: int = 3,
        gamma: str | float = "scale",
        tol: float = 1e-3,
        decision_function_shape: str = "ovr",
    ) -> None:
        self.C = C
        self.kernel = kernel
        self.degree = degree
        self.gamma = gamma
        self.tol = tol
        self.decision_function_shape = decision_function_shape

    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike) -> GramSVC:
        """Fit to X (n, d) and class labels y (n,); needs n * n float32 of memory meanwhile.

        Warns: ConvergenceWarning: a problem was given up, as in SVC.
        Raises: ValueError: X or y are not what SVC accepts, the kernel is unknown, or kernel
            values overflow float32.
        """
        unsorted, targets = validate_data(self, X, y, dtype=np.float32, order="C")
        check_classification_targets(targets)
        self.classes_, labels = np.unique(targets, return_inverse=True)
        order = np.argsort(labels, kind="stable")
        rows: Float32 = unsorted[order]
        products = np.empty((len(rows), len(rows)), np.float32)
        threads = available_threads()
        fill_products(rows, products, threads)
        fitted = fit_one_vs_one(
            products,
            products.diagonal().copy(),
            labels[order],
            CSvc(self._kernel(rows), self.C, self.tol),
            threads=threads,
        )
        if fitted.violation >= self.tol:
            warnings.warn(
                f"the solver gave up at a violation of {fitted.violation:g}", ConvergenceWarning, 2
            )
        self.fit_status_ = int(fitted.violation >= self.tol)
        self.support_ = order[fitted.support]
        self.support_vectors_: Float32 = rows[fitted.support]
        self.n_iter_ = fitted.iterations
        self._pairwise = fitted.pairwise
        return self

    def _kernel(self, rows: Float32) -> Kernel:
        if self.kernel not in KERNEL_CODES:
            raise ValueError(
                f"kernel must be one of {', '.join(KERNEL_CODES)}, not {self.kernel!r}"
            )
        if self.gamma != "scale":
            return Kernel(KERNEL_CODES[self.kernel], float(self.gamma), self.degree)
        variance = float(rows.var(dtype=np.float64))
        gamma = 1.0 / (rows.shape[1] * variance) if variance else 1.0
        return Kernel(KERNEL_CODES[self.kernel], gamma, self.degree)

    @property
    def _sign(self) -> float:
        return -1.0 if len(self.classes_) == 2 else 1.0  # SVC flips the sign of binary problems

    @property
    def n_support_(self) -> npt.NDArray[np.int64]:
        """(k,), the number of support vectors of each class."""
        return np.diff(self._pairwise.starts)

    @property
    def dual_coef_(self) -> Float64:
        """(k-1, s), with SVC's layout and sign."""
        return self._sign * self._pairwise.coefficients

    @property
    def intercept_(self) -> Float64:
        """(k(k-1)/2,), with SVC's sign."""
        return self._sign * self._pairwise.biases

    def _decisions(self, X: npt.ArrayLike) -> Float64:
        check_is_fitted(self)
        rows: Float32 = validate_data(self, X, dtype=np.float32, order="C", reset=False)
        columns = np.arange(len(self.support_))
        threads = available_threads()
        blocks = [rows[start : start + BLOCK] for start in range(0, len(rows), BLOCK)]
        return np.concatenate(
            [
                decision_values(
                    self._pairwise, block @ self.support_vectors_.T, squared_norms(block),
                    columns, threads,
                )
                for block in blocks
            ]
        )  # fmt: skip

    def predict(self, X: npt.ArrayLike) -> npt.NDArray[Any]:
        """Return the predicted class of each row of X (m, d): (m,), with the type of `classes_`."""
        decisions = self._decisions(X)
        predicted: npt.NDArray[Any] = self.classes_[winners(decisions, len(self.classes_))]
        return predicted

    def decision_function(self, X: npt.ArrayLike) -> Float64:
        """Return SVC's decision values for X (m, d).

        Returns: (m,) for two classes; otherwise (m, k) for "ovr", (m, k(k-1)/2) for "ovo".
        """
        decisions = self._decisions(X)
        if len(self.classes_) == 2:
            return -decisions.ravel()
        if self.decision_function_shape == "ovo":
            return decisions
        by_class: Float64 = _ovr_decision_function(decisions < 0, -decisions, len(self.classes_))
        return by_class

    def to_sklearn(self) -> SVC:
        """Return an ordinary fitted `sklearn.svm.SVC` that predicts the same."""
        check_is_fitted(self)
        pairwise, kernel = self._pairwise, self._pairwise.kernel
        svm = PlainSvm(
            kernel=self.kernel,
            C=self.C,
            gamma=kernel.gamma if self.gamma == "scale" else float(self.gamma),
            degree=self.degree,
            labels=self.classes_,
            support=self.support_,
            counts=self.n_support_,
            coefficients=pairwise.coefficients,
            biases=pairwise.biases,
        )
        shape = self.decision_function_shape
        vectors = self.support_vectors_.astype(np.float64)
        svc = to_svc(svm, vectors, tol=self.tol, decision_function_shape=shape)
        svc._num_iter = svc.n_iter_ = self.n_iter_.astype(np.int32)
        svc.fit_status_ = self.fit_status_
        return svc

    def save(self, path: Path) -> None:
        """Write the fitted estimator to one .npz file, without pickle, whole or not at all."""
        check_is_fitted(self)
        aside = path.with_name(f"{path.name}.{os.getpid()}.part")
        with aside.open("wb") as file:
            np.savez(
                file,
                params=json.dumps(self.get_params()),
                kernel=np.array(self._pairwise.kernel, np.float64),
                classes=np.array(self.classes_.tolist()),
                support=self.support_,
                support_vectors=self.support_vectors_,
                support_norms=self._pairwise.support_norms,
                starts=self._pairwise.starts,
                coefficients=self._pairwise.coefficients,
                biases=self._pairwise.biases,
                iterations=self.n_iter_,
                fit_status=self.fit_status_,
            )
        aside.replace(path)

    @classmethod
    def load(cls, path: Path) -> GramSVC:
        """Return the estimator that `save` wrote."""
        with np.load(path, allow_pickle=False) as file:
            model = cls(**json.loads(str(file["params"])))
            kind, gamma, degree = file["kernel"]
            model._pairwise = PairwiseSvm(
                kernel=Kernel(int(kind), float(gamma), int(degree)),
                support_norms=file["support_norms"],
                starts=file["starts"],
                coefficients=file["coefficients"],
                biases=file["biases"],
            )
            model.classes_ = file["classes"]
            model.support_, model.support_vectors_ = file["support"], file["support_vectors"]
            model.n_iter_ = file["iterations"]
            model.fit_status_ = int(file["fit_status"])
        model.n_features_in_ = model.support_vectors_.shape[1]
        return model
