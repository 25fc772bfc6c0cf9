"""ResNet-18 and ResNet-50 of torchvision; their training is in `training/resnet/`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tune_mnist.models.hyperparameters import Hyperparameter
from tune_mnist.training.model import Model
from tune_mnist.training.usual_hyperparameters import CLASS_WEIGHT, COLOUR, DEVICE, TRAIN_FRACTION

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from tune_mnist.datasets import Dataset
    from tune_mnist.training.fitted import Fitted, Predictor
    from tune_mnist.training.measurement import Measurement, Report
    from tune_mnist.training.options import TrainOptions
    from tune_mnist.training.saved.exported import SavedModel

# Defaults: the best ResNet on MNIST in the technical report.
HYPERPARAMETERS = {
    "architecture": Hyperparameter(
        "network, as torchvision defines it", (str,), "resnet18", ("resnet18", "resnet50")
    ),
    # At least 2: BatchNorm has no variance over the single 1×1 map of a batch of one.
    "batch_size": Hyperparameter("images per step", (int,), 16, low=2, high=65536, changeable=True),
    "optimizer": Hyperparameter("sgd (with momentum) or adam", (str,), "sgd", ("sgd", "adam")),
    "learning_rate": Hyperparameter(
        "step size of the optimizer; with a schedule, the highest",
        (float,),
        0.001,
        changeable=True,
    ),
    "epochs": Hyperparameter("passes over the training images", (int,), 2, low=1),
    "schedule": Hyperparameter(
        "learning rate over the training: constant, cosine (down towards 0) or one-cycle (up, "
        "then down), as in torch; if left out, constant",
        (str,),
        None,
        ("constant", "cosine", "one-cycle"),
    ),
    "momentum": Hyperparameter(
        "momentum of sgd; if left out, 0.9",
        (float,),
        None,
        high=0.999,
        from_low=True,
        matters={"optimizer": ("sgd",)},
        changeable=True,
    ),
    "weight_decay": Hyperparameter(
        "pulls all weights towards 0, as torch's optimizers do; if left out, 0",
        (float,),
        None,
        from_low=True,
        changeable=True,
    ),
    "label_smoothing": Hyperparameter(
        "share of a training label that is spread over all classes; if left out, 0",
        (float,),
        None,
        high=1,
        from_low=True,
        changeable=True,
    ),
    "class_weight": replace(CLASS_WEIGHT, changeable=True),
    "augment": Hyperparameter(
        "random changes to the training images: shift (by up to an eighth of a side), flip "
        "(left to right) or both; if left out, none",
        (str,),
        None,
        ("none", "shift", "flip", "both"),
        changeable=True,
    ),
    "image_size": Hyperparameter(
        "pixels per side of the network's input; if left out, as stored, but at least 32 and "
        "at most 64",
        (int,),
        None,
        low=8,
        high=224,
    ),
    "colour": COLOUR,
    "train_fraction": TRAIN_FRACTION,
    "device": DEVICE,
    "precision": Hyperparameter(
        "number format of matrix products; if left out, float32 on a CPU, bfloat16 on a GPU",
        (str,),
        None,
        ("float32", "bfloat16"),
    ),
    "pin_memory": Hyperparameter(
        "copy batches to the GPU from page-locked (true) or pageable (false) memory; "
        "if left out, all images stay on the GPU",
        (bool,),
        None,
        matters={"device": ("gpu",)},
    ),
}


def train(
    config: Mapping[str, Any], data: Dataset, report: Report, options: TrainOptions
) -> Measurement:
    """Train one ResNet; see `training/resnet/train.py`."""
    import torch

    from tune_mnist.training.resnet import train as resnet

    before = torch.get_num_threads()
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    try:
        return resnet.train(resnet.ResnetConfig(**config), data, report, options)
    finally:
        torch.set_num_threads(before)
        if options.device == "cuda":  # the same process may train another trial next
            torch.cuda.empty_cache()


def side(images: npt.NDArray[np.uint8]) -> int:
    """Return the pixels per side of the network's input, unless the configuration says them."""
    from tune_mnist.training.resnet.config import input_size

    return input_size(images)


def predictor(fitted: Fitted) -> Predictor:
    """Return what predicts with a trained one; see `training/saved/network.py`."""
    from tune_mnist.training.saved import network

    return network.predictor(fitted)


def save(fitted: Fitted, folder: Path) -> None:
    """Write a trained one; see `training/saved/network.py`."""
    from tune_mnist.training.saved import network

    network.save(fitted, folder)


def load(folder: Path) -> SavedModel:
    """Read a saved one; see `training/saved/network.py`."""
    from tune_mnist.training.saved import network

    return network.load(folder)


MODEL = Model(
    name="resnet",
    noun="a ResNet",
    hyperparameters=HYPERPARAMETERS,
    train=train,
    libraries=("numpy", "torch", "torchvision"),
    on_gpu=True,
    resumable=True,
    contains_shorter=True,
    side=side,
    predictor=predictor,
    save=save,
    load=load,
)
