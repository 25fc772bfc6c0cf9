"""What is written of an SVM or a logistic regression: numbers on standardised pixels.

scikit-learn is not imported here: a trial on a shared matrix does without it.
"""

from __future__ import annotations

from pathlib import Path

from tune_mnist.training.fitted import Fitted
from tune_mnist.training.images import as_seen
from tune_mnist.training.saved.files import facts_of, write_model


def save_svm(fitted: Fitted, folder: Path) -> None:
    """Write an SVM into an empty folder; its support vectors are kept as pixels.

    Args:
        fitted: its `parts` are a `PlainSvm` and the `Scale` of its pixels.
        folder: exists.
    """
    svm, scale = fitted.parts
    vectors = as_seen(fitted.data.train.images[svm.support], fitted.view)
    settings = {"kernel": svm.kernel, "C": svm.C, "gamma": svm.gamma, "degree": svm.degree}
    arrays = {
        "vectors": vectors.reshape(len(vectors), -1),
        "support": svm.support,
        "labels": svm.labels,
        "counts": svm.counts,
        "coefficients": svm.coefficients,
        "biases": svm.biases,
    }
    write_model(folder, facts_of(fitted, "svm", settings), {**arrays, **scale._asdict()})


def save_logistic(fitted: Fitted, folder: Path) -> None:
    """Write a logistic regression into an empty folder.

    Args:
        fitted: its `parts` are a fitted `LogisticRegression` and the `Scale` of its pixels.
        folder: exists.
    """
    model, scale = fitted.parts
    arrays = {"labels": model.classes_, "weights": model.coef_, "biases": model.intercept_}
    settings = {"C": model.C}
    write_model(folder, facts_of(fitted, "logistic", settings), {**arrays, **scale._asdict()})
