"""One support-vector machine: standardised pixels, LIBSVM's C-SVC, accuracies on three sets.

Pixels become [-1, 1], then each pixel is standardised with the training images' mean and
deviation, as the report does. The fit is scikit-learn-intelex's SVC where it is installed
(x86-64; several times faster at equal accuracy) and scikit-learn's elsewhere and for sigmoid;
`engine` says which.
"""

from __future__ import annotations

import math
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from threadpoolctl import threadpool_info

from tune_mnist.errors import Fault, InputError, nearest
from tune_mnist.training.measurement import Measurement, Report

if TYPE_CHECKING:
    from tune_mnist.datasets import Dataset

Float32 = npt.NDArray[np.float32]

KERNELS = ("rbf", "poly", "linear", "sigmoid")
CACHE_MB = 2000.0  # LIBSVM's kernel rows; the report's value


@dataclass(frozen=True)
class SvmConfig:
    """One SVM.

    Args:
        kernel: rbf exp(-gamma |x-z|^2), poly (gamma x.z)^degree, linear x.z, or
            sigmoid tanh(gamma x.z).
        C: > 0, the price of a training error.
        gamma: > 0 per squared unit of x (also as text, "0.001"), or "scale",
            1 / (features * variance of x).
        degree: >= 1, of the poly kernel alone.
    Raises: InputError: a value outside these; names every fault.
    """

    kernel: str
    C: float
    gamma: str | float = "scale"
    degree: int = 3

    def __post_init__(self) -> None:
        faults = []
        if self.kernel not in KERNELS:
            faults.append(("kernel", repr(self.kernel), nearest(str(self.kernel), KERNELS)))
        if not (math.isfinite(self.C) and self.C > 0):
            faults.append(("C", repr(self.C), "give a number > 0, for example 1.0"))
        if self.gamma != "scale" and not _positive(self.gamma):
            faults.append(("gamma", repr(self.gamma), 'give "scale" or a number > 0'))
        if not (isinstance(self.degree, int) and self.degree >= 1):
            faults.append(("degree", repr(self.degree), "give a whole number >= 1"))
        if faults:
            raise InputError(Fault("svm", key, f"cannot be {bad}", fix) for key, bad, fix in faults)


def _positive(gamma: str | float) -> bool:
    try:
        return math.isfinite(float(gamma)) and float(gamma) > 0
    except ValueError:
        return False


def train(config: SvmConfig, data: Dataset, report: Report, *, seed: int) -> Measurement:
    """Fit one SVM on `data.train` and measure it on train, validation and test.

    Args:
        config: the hyperparameters.
        data: images of one size; its arrays are not written to.
        report: called once, with what is returned.
        seed: given to SVC, whose fit is deterministic: equal for every seed.
    Returns: one complete measurement, step 1, fidelity 1.0.
    Raises: ValueError: the training images hold fewer than two classes.
    """
    start = time.perf_counter()
    x_train, x_val, x_test = standardised(data)
    model, engine = _svc(config, seed)
    fit_start = time.perf_counter()
    model.fit(x_train, data.train.labels)
    eval_start = time.perf_counter()
    accuracies = [
        float(np.mean(model.predict(x) == split.labels))
        for x, split in ((x_train, data.train), (x_val, data.val), (x_test, data.test))
    ]
    end = time.perf_counter()
    measurement: Measurement = {
        "step": 1,
        "fidelity": 1.0,
        "train_accuracy": accuracies[0],
        "val_accuracy": accuracies[1],
        "test_accuracy": accuracies[2],
        "setup_s": fit_start - start,
        "fit_s": eval_start - fit_start,
        "eval_s": end - eval_start,
        "wall_time_s": end - start,
        "parameters": model.support_vectors_.size + model.dual_coef_.size + model.intercept_.size,
        "engine": engine,
    }
    report(measurement)
    return measurement


def standardised(data: Dataset) -> tuple[Float32, Float32, Float32]:
    """Return train, validation and test images as the SVM sees them.

    Returns: three (n, h*w[*3]) float32 arrays, pixels in [-1, 1], then to mean 0 and deviation 1
        over the training images; a pixel that is constant there is only centred.
    """
    scaler = StandardScaler(copy=False)
    train_rows = scaler.fit_transform(_pixels(data.train.images))
    return (
        train_rows,
        scaler.transform(_pixels(data.val.images)),
        scaler.transform(_pixels(data.test.images)),
    )


def _pixels(images: npt.NDArray[np.uint8]) -> Float32:
    """Return new (n, h*w[*3]) float32 rows in [-1, 1], rounded as torchvision's Normalize does."""
    rows = images.reshape(len(images), -1).astype(np.float32)
    rows /= 255
    rows -= 0.5
    rows /= 0.5
    return rows


def _svc(config: SvmConfig, seed: int) -> tuple[SVC, str]:
    """Return an unfitted SVC and the name of the library that will fit it."""
    gamma = "scale" if config.gamma == "scale" else float(config.gamma)
    arguments = {
        "kernel": config.kernel,
        "C": config.C,
        "gamma": gamma,
        "degree": config.degree,
        "coef0": 0.0,
        "cache_size": CACHE_MB,
        "random_state": seed,
    }
    if config.kernel == "sigmoid":
        # Not positive semi-definite: solvers stop at different points, LIBSVM's is the answer.
        return SVC(**arguments), "scikit-learn"
    try:
        from sklearnex import svm as intelex
    except ImportError:  # not x86-64: the package does not exist there
        return SVC(**arguments), "scikit-learn"
    # oneDAL reads no BLAS or OpenMP limit, so it is told the trial's share of the machine.
    return intelex.SVC(**arguments, n_jobs=available_threads()), "scikit-learn-intelex"


def available_threads() -> int:
    """Return how many threads this process may use: its CPUs, or the BLAS limit if lower."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limits = [int(pool["num_threads"]) for pool in threadpool_info() if pool["user_api"] == "blas"]
    return min([cpus, *limits])
