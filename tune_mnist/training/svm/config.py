"""The hyperparameters of an SVM, and the choice of its engine.

This module loads neither numba nor scikit-learn, so a plan can be made without them.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from tune_mnist.errors import Fault, InputError, nearest
from tune_mnist.training.class_weights import ClassWeight
from tune_mnist.training.images import LARGEST, SMALLEST, Colour, View

Engine = Literal["shared-gram", "scikit-learn-intelex", "scikit-learn"]

KERNELS = ("rbf", "poly", "linear", "sigmoid")
GRAM_KERNELS = ("rbf", "poly", "linear")  # positive semi-definite, so the solution is unique
GRAM_ROWS = 4000  # with fewer training rows an SVC is fitted before numba has loaded
FEW_OF_A_CLASS = 100  # with fewer, LIBSVM is faster than oneDAL (benchmarks/svm_classes.py)
GRAM_SHARE = 0.7  # of the free memory; the trials need the rest


@dataclass(frozen=True)
class SvmConfig:
    """The hyperparameters of one SVM.

    Args:
        kernel: rbf exp(-gamma |x-z|^2), poly (gamma x.z)^degree, linear x.z, or
            sigmoid tanh(gamma x.z).
        C: > 0, the penalty for a training error.
        gamma: > 0 per squared unit of x (also as text, "0.001"), or "scale", which is
            1 / (features * variance of x).
        degree: >= 1; only the poly kernel uses it.
        train_fraction: in (0, 1], the fraction of the training images to fit to: the first images
            of each class.
        class_weight: "none", or "balanced": C is weighted by class, more for a smaller one.
        image_size: from 8 to 224, pixels per side; None: as stored, or 64 if they are larger.
        colour: "keep", or "grey" to take the images' colour away.
    Raises: InputError: values outside these ranges; it names all of them.
    """

    kernel: str
    C: float
    gamma: str | float = "scale"
    degree: int = 3
    train_fraction: float = 1.0
    class_weight: ClassWeight = "none"
    image_size: int | None = None
    colour: Colour = "keep"

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
        if not 0 < self.train_fraction <= 1:
            faults.append(("train_fraction", repr(self.train_fraction), "give one in (0, 1]"))
        if self.class_weight not in get_args(ClassWeight):
            fix = nearest(str(self.class_weight), get_args(ClassWeight))
            faults.append(("class_weight", repr(self.class_weight), fix))
        if self.image_size is not None and not SMALLEST <= self.image_size <= LARGEST:
            fix = f"give a whole number from {SMALLEST} to {LARGEST}"
            faults.append(("image_size", repr(self.image_size), fix))
        if self.colour not in get_args(Colour):
            faults.append(("colour", repr(self.colour), nearest(self.colour, get_args(Colour))))
        if faults:
            raise InputError(Fault("svm", key, f"cannot be {bad}", fix) for key, bad, fix in faults)

    @property
    def view(self) -> View:
        """How the SVM sees the images."""
        return View(self.image_size, self.colour)


def _positive(gamma: str | float) -> bool:
    try:
        return math.isfinite(float(gamma)) and float(gamma) > 0
    except ValueError:
        return False


def choose_engine(
    configs: Sequence[SvmConfig], n_train: int, n_eval: int, classes: int, free_bytes: int
) -> tuple[Engine, str]:
    """Choose the engine for a search, and give the reason in one line.

    Args:
        configs: the configurations of the search, or a sample of them.
        n_train: number of training images.
        n_eval: number of validation and test images together.
        classes: number of classes.
        free_bytes: memory that the node can spare, `psutil.virtual_memory().available`.
    Returns: the engine and the reason. For "shared-gram", pass a `gram_dir` to `train`; trials with
        the sigmoid kernel still run on scikit-learn.
    """
    own = own_engine(n_train, classes)
    size = gram_bytes(n_train, n_eval)
    needs = f"{size / 1e9:.1f} GB for the inner products of {n_train:,} rows"
    if not any(config.kernel in GRAM_KERNELS for config in configs):
        return "scikit-learn", "sigmoid has no unique solution, and LIBSVM's is the reference"
    if len(views := {config.view for config in configs}) > 1:
        return own, f"{len(views)} sizes and colours of the images would need a matrix each"
    if n_train < GRAM_ROWS:
        if own == "scikit-learn" and intelex_installed():
            pairs = classes * (classes - 1) // 2
            return own, f"{pairs:,} pairs of small classes are fitted one by one, fastest by LIBSVM"
        return own, f"{n_train:,} training rows are fitted faster than a matrix is shared"
    if size > GRAM_SHARE * free_bytes:
        share = f"{GRAM_SHARE:.0%} of the {free_bytes / 1e9:.1f} GB free"
        return own, f"sharing needs {needs}, more than {share}"
    return "shared-gram", f"{needs}, computed once, serve every kernel, gamma, degree and C"


def own_engine(n_train: int, classes: int) -> Engine:
    """Return the engine of an SVM that shares no matrix.

    A problem of two classes costs oneDAL about 0.4 ms before it begins, ten times as much as
    LIBSVM, so it pays only where classes are large.

    Args: as `choose_engine`.
    """
    small = n_train < FEW_OF_A_CLASS * classes
    return "scikit-learn" if small or not intelex_installed() else "scikit-learn-intelex"


def engine_of(config: Mapping[str, Any], chosen: str) -> str:
    """Return the engine that fits an SVM, given the one that its search has chosen.

    The sigmoid kernel and class weights are LIBSVM's (`train.py` says why), but a shared matrix
    serves class weights too.
    """
    if config.get("kernel", "rbf") not in GRAM_KERNELS:
        return "scikit-learn"
    weighted = config.get("class_weight", "none") != "none"
    return "scikit-learn" if weighted and chosen != "shared-gram" else chosen


def gram_bytes(n_train: int, n_eval: int) -> int:
    """Return the size of the shared matrix, for these numbers of images as in `choose_engine`."""
    return 4 * n_train * (n_train + n_eval)


def intelex_installed() -> bool:
    """Return whether scikit-learn-intelex is installed; it exists only for x86-64."""
    return importlib.util.find_spec("sklearnex") is not None
