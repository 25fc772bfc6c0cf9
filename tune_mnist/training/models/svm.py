"""A support-vector machine; its engines are in `training/svm/`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tune_mnist.models.hyperparameters import Config, Hyperparameter
from tune_mnist.training.model import Engine, Model, Planned
from tune_mnist.training.usual_hyperparameters import SEEN_AND_WEIGHTED

if TYPE_CHECKING:
    from tune_mnist.datasets import Dataset
    from tune_mnist.training.fitted import Fitted, Predictor
    from tune_mnist.training.measurement import Measurement, Report
    from tune_mnist.training.options import TrainOptions
    from tune_mnist.training.saved.exported import SavedModel

# Defaults: scikit-learn's SVC.
HYPERPARAMETERS = {
    "kernel": Hyperparameter(
        "kernel function", (str,), "rbf", ("linear", "rbf", "poly", "sigmoid")
    ),
    "C": Hyperparameter(
        "penalty of a training error; a higher value fits the training images closer",
        (float,),
        1.0,
    ),
    "gamma": Hyperparameter(
        "kernel coefficient; scale is 1 / (features × variance)",
        (str, float),
        "scale",
        ("scale",),
        matters={"kernel": ("rbf", "poly", "sigmoid")},
    ),
    "degree": Hyperparameter(
        "degree of the poly kernel", (int,), 3, low=1, matters={"kernel": ("poly",)}
    ),
    **SEEN_AND_WEIGHTED,
}


def train(
    config: Mapping[str, Any], data: Dataset, report: Report, options: TrainOptions
) -> Measurement:
    """Train one SVM; see `training/svm/train.py`."""
    from threadpoolctl import threadpool_limits

    from tune_mnist.training.svm import train as svm

    with threadpool_limits(options.threads):
        return svm.train(svm.SvmConfig(**config), data, report, options)


def choose_engine(planned: Planned) -> Engine:
    """Choose whether a search shares a matrix of inner products, and if not, who fits its SVMs."""
    from tune_mnist.training.svm import config as svm

    configs = [
        svm.SvmConfig(str(kernel), C=1.0, image_size=view.side, colour=view.colour)
        for kernel in planned.values("kernel")
        for view in planned.views
    ]
    sizes = (planned.train, planned.evaluated, planned.classes)
    return svm.choose_engine(configs, *sizes, planned.memory_bytes)


def engine_of(config: Config, chosen: str) -> str:
    """Return the engine that fits an SVM, given the one that its search has chosen."""
    from tune_mnist.training.svm import config as svm

    return svm.engine_of(config, chosen)


def predictor(fitted: Fitted) -> Predictor:
    """Return what predicts with a trained one; see `training/saved/pipeline.py`."""
    from tune_mnist.training.saved import pipeline

    return pipeline.svm_predictor(fitted)


def save(fitted: Fitted, folder: Path) -> None:
    """Write a trained one; see `training/saved/pixel_models.py`."""
    from tune_mnist.training.saved.pixel_models import save_svm

    save_svm(fitted, folder)


def load(folder: Path) -> SavedModel:
    """Read a saved one; see `training/saved/pipeline.py`."""
    from tune_mnist.training.saved import pipeline

    return pipeline.load_svm(folder)


MODEL = Model(
    name="svm",
    noun="an SVM",
    hyperparameters=HYPERPARAMETERS,
    train=train,
    libraries=(
        # scikit-learn-intelex computes in daal, numba in llvmlite, LIBSVM in SciPy's BLAS; torch
        # resizes the images.
        "daal",
        "llvmlite",
        "numba",
        "numpy",
        "scikit-learn",
        "scikit-learn-intelex",
        "scipy",
        "torch",
    ),
    seeded=False,
    exact=True,
    has_loss=False,
    choose_engine=choose_engine,
    engine_of=engine_of,
    predictor=predictor,
    save=save,
    load=load,
)
