"""What a model is: a name, and a trainer, the function that trains one configuration of it.

A trainer takes a configuration (hyperparameter to value), the data set, a `report` callback and
`TrainOptions`. It calls `report` with each measurement and returns the last one. Each trainer
imports its libraries when it is called, so importing this module loads neither torch nor
scikit-learn.

To add a model, add its trainer to `TRAINERS` and its hyperparameters to spaces/hyperparameters.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tune_mnist.datasets import Dataset
from tune_mnist.training.measurement import Measurement, Report
from tune_mnist.training.options import TrainOptions

Trainer = Callable[[Mapping[str, Any], Dataset, Report, TrainOptions], Measurement]


def _train_resnet(
    config: Mapping[str, Any], data: Dataset, report: Report, options: TrainOptions
) -> Measurement:
    import torch

    from tune_mnist.training.resnet.train import ResnetConfig, train

    if options.threads is not None:
        torch.set_num_threads(options.threads)
    try:
        return train(ResnetConfig(**config), data, report, options)
    finally:
        if options.device == "cuda":  # the same process may train another trial next
            torch.cuda.empty_cache()


def _train_svm(
    config: Mapping[str, Any], data: Dataset, report: Report, options: TrainOptions
) -> Measurement:
    from threadpoolctl import threadpool_limits

    from tune_mnist.training.svm.train import SvmConfig, train

    with threadpool_limits(options.threads):
        return train(SvmConfig(**config), data, report, options)


TRAINERS: dict[str, Trainer] = {"resnet": _train_resnet, "svm": _train_svm}
