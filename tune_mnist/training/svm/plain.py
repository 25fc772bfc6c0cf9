"""A fitted SVM by its numbers, whichever engine fitted it, and as an ordinary scikit-learn SVC."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from sklearn.svm import SVC

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class PlainSvm:
    """A fitted C-SVC of k classes with s support vectors, in LIBSVM's layout.

    Args:
        kernel: rbf, poly, linear or sigmoid.
        C, gamma, degree: as fitted; gamma is a number.
        labels: (k,) the classes' numbers, ascending.
        support: (s,) positions of the support vectors among the data set's training images, those
            of the first class first.
        counts: (k,) support vectors of each class.
        coefficients: (k-1, s), LIBSVM's y alpha.
        biases: (k(k-1)/2,), LIBSVM's -rho.
    """

    kernel: str
    C: float
    gamma: float
    degree: int
    labels: Int64
    support: Int64
    counts: Int64
    coefficients: Float64
    biases: Float64


def of_svc(model: Any, gamma: float, rows: Int64) -> PlainSvm:
    """Return a fitted SVC of scikit-learn or of scikit-learn-intelex by its numbers.

    Args:
        model: fitted to some of the training images.
        gamma: that it was fitted with.
        rows: which ones, in their order there.
    """
    sign = -1.0 if len(model.classes_) == 2 else 1.0  # SVC flips the sign of binary problems
    return PlainSvm(
        kernel=model.kernel,
        C=model.C,
        gamma=gamma,
        degree=model.degree,
        labels=np.asarray(model.classes_, np.int64),
        support=rows[model.support_],
        counts=np.asarray(model.n_support_, np.int64),
        coefficients=sign * np.asarray(model.dual_coef_, np.float64),
        biases=sign * np.asarray(model.intercept_, np.float64).ravel(),
    )


def to_svc(svm: PlainSvm, vectors: Float64, **params: Any) -> SVC:
    """Return an ordinary fitted `sklearn.svm.SVC` that predicts the same.

    Args:
        svm: the numbers.
        vectors: (s, d) the support vectors, as it sees images.
        params: more of SVC's parameters.
    """
    from sklearn.svm import SVC

    params = {"C": svm.C, "gamma": svm.gamma, "degree": svm.degree, **params}
    svc = SVC(kernel=svm.kernel, coef0=0.0, **params)
    sign = -1.0 if len(svm.labels) == 2 else 1.0
    svc.classes_, svc.class_weight_ = svm.labels, np.ones(len(svm.labels))
    svc.support_, svc.support_vectors_ = svm.support.astype(np.int32), vectors
    svc._n_support = svm.counts.astype(np.int32)
    coefficients = np.ascontiguousarray(svm.coefficients)  # as LIBSVM reads them
    svc.dual_coef_, svc._dual_coef_ = sign * coefficients, coefficients
    svc.intercept_, svc._intercept_ = sign * svm.biases, svm.biases
    svc._probA = svc._probB = np.empty(0)
    svc._effective_probability = svc._sparse = False
    svc._gamma = svm.gamma
    svc._num_iter = svc.n_iter_ = np.zeros(len(svm.biases), np.int32)
    svc.fit_status_ = 0
    svc.n_features_in_ = vectors.shape[1]
    svc.shape_fit_ = vectors.shape
    return svc
