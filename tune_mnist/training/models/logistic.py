"""Multinomial logistic regression on an SVM's pixels: the cheap baseline of every comparison."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tune_mnist.models.hyperparameters import Hyperparameter
from tune_mnist.training.model import Model
from tune_mnist.training.usual_hyperparameters import SEEN_AND_WEIGHTED

if TYPE_CHECKING:
    from tune_mnist.datasets import Dataset
    from tune_mnist.training.fitted import Fitted, Predictor
    from tune_mnist.training.measurement import Measurement, Report
    from tune_mnist.training.options import TrainOptions
    from tune_mnist.training.saved.exported import SavedModel

# Defaults: scikit-learn's LogisticRegression.
HYPERPARAMETERS = {
    "C": Hyperparameter("inverse of the L2 penalty; higher fits closer", (float,), 1.0),
    "max_iter": Hyperparameter("most iterations of the solver, L-BFGS", (int,), 100, low=1),
    **SEEN_AND_WEIGHTED,
}


def train(
    config: Mapping[str, Any], data: Dataset, report: Report, options: TrainOptions
) -> Measurement:
    """Fit scikit-learn's LogisticRegression once; with a train_fraction as the SVM does."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(options.threads), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "lbfgs failed to converge")  # `converged` says it
        measurement = _fit(config, data, options)
        report(measurement, None)
    return measurement


def _fit(config: Mapping[str, Any], data: Dataset, options: TrainOptions) -> Measurement:
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss

    from tune_mnist.datasets import first_rows
    from tune_mnist.training.fitted import Fitted
    from tune_mnist.training.images import View, seen
    from tune_mnist.training.measurement import of_one_fit
    from tune_mnist.training.pixels import standardised_by

    start = time.perf_counter()
    view = View(config.get("image_size"), config.get("colour", "keep"))
    (x_train, x_val, x_test), scale = standardised_by(seen(data, view))
    rows = first_rows(data.train.labels, config.get("train_fraction", 1.0))
    x_train, labels = x_train[rows], data.train.labels[rows]
    weight = {"none": None}.get(config.get("class_weight", "none"), "balanced")
    model = LogisticRegression(C=config["C"], max_iter=config["max_iter"], class_weight=weight)
    fit_start = time.perf_counter()
    model.fit(x_train, labels)
    eval_start = time.perf_counter()
    on_train, on_val = model.predict_proba(x_train), model.predict_proba(x_val)
    predicted = model.classes_[on_val.argmax(axis=1)], model.predict(x_test)
    times = (start, fit_start, eval_start, time.perf_counter())
    right = float((model.classes_[on_train.argmax(axis=1)] == labels).mean())
    size = model.coef_.size + model.intercept_.size
    measurement = of_one_fit(data, times, right, predicted, size, "scikit-learn")
    measurement["fidelity"] = config.get("train_fraction", 1.0)
    measurement["train_loss"] = float(log_loss(labels, on_train, labels=model.classes_))
    measurement["val_loss"] = float(log_loss(data.val.labels, on_val, labels=model.classes_))
    measurement["converged"] = bool(model.n_iter_.max() < config["max_iter"])
    if options.keep is not None:
        options.keep(measurement, Fitted((model, scale), data, view, predicted[0]))
    return measurement


def predictor(fitted: Fitted) -> Predictor:
    """Return what predicts with a trained one; see `training/saved/pipeline.py`."""
    from tune_mnist.training.saved import pipeline

    return pipeline.logistic_predictor(fitted)


def save(fitted: Fitted, folder: Path) -> None:
    """Write a trained one; see `training/saved/pixel_models.py`."""
    from tune_mnist.training.saved.pixel_models import save_logistic

    save_logistic(fitted, folder)


def load(folder: Path) -> SavedModel:
    """Read a saved one; see `training/saved/pipeline.py`."""
    from tune_mnist.training.saved import pipeline

    return pipeline.load_logistic(folder)


MODEL = Model(
    name="logistic",
    noun="a logistic regression",
    hyperparameters=HYPERPARAMETERS,
    train=train,
    libraries=("numpy", "scikit-learn", "scipy", "torch"),
    seeded=False,
    predictor=predictor,
    save=save,
    load=load,
)
