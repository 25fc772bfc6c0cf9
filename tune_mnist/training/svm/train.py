"""Train one support-vector machine: standardised pixels, a C-SVC, accuracies on three sets.

Pixels are scaled to [-1, 1] and then standardised with each pixel's mean and standard deviation
over the training images, as in the technical report.

With a `train_fraction` the SVM is fitted to the first images of each class, and its training
accuracy is measured on those. Standardisation and gamma="scale" still use the pixels of all
training images (never their labels). So one matrix serves every fraction, and fractions differ
only in the images that the SVM learns from.

Three engines fit the same SVM. A measurement's `engine` says which one ran:

    shared-gram            one matrix of inner products for the whole search (gram.py); by far the
                           fastest, if memory can hold it
    scikit-learn-intelex   SVC on oneDAL; on x86-64 only
    scikit-learn           SVC on LIBSVM; everywhere, always for the sigmoid kernel, and in place of
                           oneDAL for class weights and for classes of few images
"""

from __future__ import annotations

import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tune_mnist.datasets import Dataset, Images, first_rows, kept_of_each_class
from tune_mnist.training.class_weights import balanced_weights
from tune_mnist.training.fitted import Fitted
from tune_mnist.training.images import seen
from tune_mnist.training.measurement import Measurement, Report, of_one_fit
from tune_mnist.training.options import TrainOptions
from tune_mnist.training.pixels import Scale, standardised_by
from tune_mnist.training.svm.config import (
    GRAM_KERNELS,
    Engine,
    SvmConfig,
    choose_engine,
    own_engine,
)
from tune_mnist.training.svm.plain import PlainSvm, of_svc
from tune_mnist.training.svm.threads import available_threads

if TYPE_CHECKING:
    from sklearn.svm import SVC

    from tune_mnist.training.svm.gram import Gram
    from tune_mnist.training.svm.one_vs_one import Fitted as FittedPairs

__all__ = ["SvmConfig", "choose_engine", "train"]

CACHE_MB = 2000.0  # for SVC's kernel rows; the technical report's value
TOLERANCE = 1e-3  # stop when the KKT conditions are violated by less; LIBSVM's default


def train(config: SvmConfig, data: Dataset, report: Report, options: TrainOptions) -> Measurement:
    """Fit one SVM to the training images and measure it on train, validation and test images.

    Args:
        config: the hyperparameters.
        data: images of one size; only read.
        report: called once, with the measurement that is returned. There is no state to save.
        options: `seed` is passed to SVC, but its fit is deterministic and the same for every seed.
            With a `gram_dir`, as `choose_engine` advises, trials share one matrix of inner
            products there, and the `setup_s` of the trial that builds it includes the building.
            `keep` receives a `PlainSvm` and the `Scale` of its pixels. Other options are not used.

    Returns: one complete measurement, step 1; its fidelity is the fraction of the training images.
    Raises:
        ValueError: the training images have fewer than two classes; or, on a shared matrix,
            kernel values overflow float32.
        InputError: the matrix does not fit into `gram_dir`.
    """
    if options.gram_dir is not None and config.kernel in GRAM_KERNELS:
        measurement = _train_on_gram(config, data, options, options.gram_dir)
    else:
        measurement = _train_svc(config, data, options)
    report(measurement, None)
    return measurement


@cache
def load_engine() -> None:
    """Load the compiled code that training on a shared matrix needs, once per process.

    It trains an SVM on two images, which uses all of that code.
    """
    from tune_mnist.training.svm.compiled import read_only
    from tune_mnist.training.svm.gram import Gram

    pair = Images(np.zeros((2, 1, 1), np.uint8), np.array([0, 1]))
    rows = read_only(np.eye(2, dtype=np.float32))
    others = read_only(np.concatenate([rows, rows]))
    ones = np.ones(4, np.float32)
    scale = Scale(ones[:1], ones[:1])
    gram = Gram(rows, ones[:2], pair.labels, others, ones, features=1, variance=1.0, scale=scale)
    data = Dataset("pair", pair, pair, pair, ("0", "1"), "", "")
    _train_on(gram, SvmConfig("rbf", 1.0, 1.0), data, TrainOptions(), time.perf_counter())


def _train_svc(config: SvmConfig, data: Dataset, options: TrainOptions) -> Measurement:
    start = time.perf_counter()
    (x_train, x_val, x_test), scale = standardised_by(seen(data, config.view))
    labels = data.train.labels
    model, engine = _svc(config, options.seed, own_engine(len(labels), len(data.classes)))
    gamma = _scale_gamma(x_train) if config.gamma == "scale" else float(config.gamma)
    rows = np.arange(len(labels))
    if config.train_fraction < 1:
        model.gamma = gamma
        rows = first_rows(labels, config.train_fraction)
        x_train, labels = x_train[rows], labels[rows]
    fit_start = time.perf_counter()
    model.fit(x_train, labels)
    eval_start = time.perf_counter()
    train_accuracy = float(np.mean(model.predict(x_train) == labels))
    predicted = model.predict(x_val), model.predict(x_test)
    times = (start, fit_start, eval_start, time.perf_counter())
    parameters = model.support_vectors_.size + model.dual_coef_.size + model.intercept_.size
    measurement = of_one_fit(data, times, train_accuracy, predicted, parameters, engine)
    measurement["fidelity"] = config.train_fraction
    if engine == "scikit-learn":  # oneDAL does not say
        measurement["converged"] = model.fit_status_ == 0
    if options.keep is not None:
        parts = of_svc(model, gamma, rows), scale
        options.keep(measurement, Fitted(parts, data, config.view, predicted[0]))
    return measurement


def _scale_gamma(rows: npt.NDArray[np.float32]) -> float:
    """Return the gamma that SVC uses for "scale"."""
    variance = float(rows.var())
    return 1.0 / (rows.shape[1] * variance) if variance else 1.0


def _svc(config: SvmConfig, seed: int, engine: Engine) -> tuple[SVC, str]:
    """Return an unfitted SVC, and the name of the library that will fit it: LIBSVM, if need be."""
    arguments = {
        "kernel": config.kernel,
        "C": config.C,
        "gamma": "scale" if config.gamma == "scale" else float(config.gamma),
        "degree": config.degree,
        "coef0": 0.0,
        "cache_size": CACHE_MB,
        "random_state": seed,
        "class_weight": None if config.class_weight == "none" else config.class_weight,
    }
    from sklearn.svm import SVC

    # The sigmoid kernel is not positive semi-definite, so solvers stop at different points; the one
    # that others are compared with is LIBSVM's. With class weights, oneDAL's intercepts are wrong
    # where no support vector lies between its bounds (daal 2026.2: off by 0.7 on digits, C=0.05).
    as_libsvm = config.kernel not in GRAM_KERNELS or config.class_weight != "none"
    if as_libsvm or engine == "scikit-learn":
        return SVC(**arguments), "scikit-learn"
    from sklearnex import svm as intelex

    # oneDAL ignores the limits of BLAS and OpenMP, so the number of threads is passed explicitly.
    return intelex.SVC(**arguments, n_jobs=available_threads()), "scikit-learn-intelex"


def _train_on_gram(
    config: SvmConfig, data: Dataset, options: TrainOptions, gram_dir: Path
) -> Measurement:
    from tune_mnist.training.svm.gram import open_gram

    load_engine()
    start = time.perf_counter()
    gram = open_gram(data, gram_dir, available_threads(), config.view)
    return _train_on(gram, config, data, options, start)


def _train_on(
    gram: Gram, config: SvmConfig, data: Dataset, options: TrainOptions, start: float
) -> Measurement:
    # Imported here because numba takes half a second to load; trials on SVC do not need it.
    from tune_mnist.training.svm.decisions import decision_values, winners
    from tune_mnist.training.svm.kernel_rows import KERNEL_CODES, Kernel
    from tune_mnist.training.svm.one_vs_one import CSvc, fit_one_vs_one

    threads = available_threads()
    classes, labels = np.unique(gram.labels, return_inverse=True)
    gamma = gram.scale_gamma if config.gamma == "scale" else float(config.gamma)
    kernel = Kernel(KERNEL_CODES[config.kernel], gamma, config.degree)
    used = kept_of_each_class(np.bincount(labels), config.train_fraction)
    fit_start = time.perf_counter()
    weights = balanced_weights(used) if config.class_weight == "balanced" else None
    svc = CSvc(kernel, config.C, TOLERANCE, weights)
    fitted = fit_one_vs_one(gram.products, gram.norms, labels, svc, threads=threads, used=used)
    eval_start = time.perf_counter()
    train_rows = first_rows(labels, config.train_fraction)
    unsure = train_rows[~fitted.surely_right[train_rows]]
    unsure_rows = (gram.products, gram.norms, fitted.support, threads, unsure)
    wrong = winners(decision_values(fitted.pairwise, *unsure_rows), len(classes)) != labels[unsure]
    eval_rows = (gram.cross, gram.cross_norms, fitted.support, threads)
    predicted = classes[winners(decision_values(fitted.pairwise, *eval_rows), len(classes))]
    val, test = np.split(predicted, [len(data.val)])
    times = (start, fit_start, eval_start, time.perf_counter())
    pairwise, vectors = fitted.pairwise, len(fitted.support)
    parameters = vectors * gram.features + pairwise.coefficients.size + pairwise.biases.size
    train_accuracy = 1 - np.count_nonzero(wrong) / len(train_rows)
    measurement = of_one_fit(data, times, train_accuracy, (val, test), parameters, "shared-gram")
    measurement["fidelity"] = config.train_fraction
    measurement["converged"] = fitted.violation < TOLERANCE
    if options.keep is not None:
        parts = _plain(config, data, gram, fitted), gram.scale
        options.keep(measurement, Fitted(parts, data, config.view, val))
    return measurement


def _plain(config: SvmConfig, data: Dataset, gram: Gram, fitted: FittedPairs) -> PlainSvm:
    """Return an SVM fitted on a shared matrix, whose rows are sorted by class, by its numbers."""
    pairwise = fitted.pairwise
    return PlainSvm(
        kernel=config.kernel,
        C=config.C,
        gamma=pairwise.kernel.gamma,
        degree=config.degree,
        labels=np.unique(gram.labels),
        support=np.argsort(data.train.labels, kind="stable")[fitted.support],
        counts=np.diff(pairwise.starts),
        coefficients=pairwise.coefficients,
        biases=pairwise.biases,
    )
