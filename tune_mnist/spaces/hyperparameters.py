"""The hyperparameters of every model: which values each takes, its default, when it matters.

Only this registry knows them: the space language, the store's typed columns, error messages and
documentation are made from it. A new hyperparameter is one entry.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from tune_mnist.errors import input_error, nearest

ModelName = Literal["resnet", "svm"]
Device = Literal["cpu", "gpu"]
Scalar = bool | int | float | str
Config = dict[str, Scalar]


@dataclass(frozen=True)
class Hyperparameter:
    """One hyperparameter of a model.

    Args:
        meaning: what it is, in a few words for people.
        types: the Python types of its values. The first is the type of its column in the store.
        default: its value in a space that does not search it; None leaves it out.
        words: the allowed values of type str.
        low, high: bounds of its numbers. Integers include both; floats include `high`, and `low`
            only with `from_low`.
        from_low: whether a float may be `low`.
        matters: other hyperparameters (or "device"), each with the values under which this one
            changes anything. Under any other value it is left out of the configuration.
        changeable: whether a running training can continue with another value.
    """

    meaning: str
    types: tuple[type, ...]
    default: Scalar | None
    words: tuple[str, ...] = ()
    low: float = 0
    high: float = math.inf
    from_low: bool = False
    matters: Mapping[str, tuple[Scalar, ...]] = field(default_factory=dict)
    changeable: bool = False

    def allowed(self) -> str:
        """Return the allowed values in words, for example "a number above 0"."""
        if bool in self.types:
            return "true or false"
        parts = list(self.words)
        bounded = math.isfinite(self.high)
        if int in self.types:
            top = f" to {self.high:g}" if bounded else " up"
            parts.append(f"a whole number from {self.low:g}{top}")
        if float in self.types:
            top = f", at most {self.high:g}" if bounded else ""
            parts.append(f"a number {'from' if self.from_low else 'above'} {self.low:g}{top}")
        return f"{', '.join(parts[:-1])} or {parts[-1]}" if parts[1:] else parts[0]


_DEVICE = Hyperparameter(
    "where the trial runs; if left out, the search decides", (str,), None, ("cpu", "gpu")
)

_TRAIN_FRACTION = Hyperparameter(
    "fraction of the training images to train on, the first of each class; if left out, all",
    (float,),
    None,
    high=1,
)

_COLOUR = Hyperparameter(
    "grey: take the images' colour away (ITU-R 601 luma); if left out, keep",
    (str,),
    None,
    ("keep", "grey"),
)

_CLASS_WEIGHT = Hyperparameter(
    "balanced: an error in a smaller class costs more, as in scikit-learn; if left out, none",
    (str,),
    None,
    ("none", "balanced"),
)

MODELS: dict[ModelName, dict[str, Hyperparameter]] = {
    # Defaults: the best ResNet on MNIST in the technical report.
    "resnet": {
        "architecture": Hyperparameter(
            "network, as torchvision defines it", (str,), "resnet18", ("resnet18", "resnet50")
        ),
        # At least 2: BatchNorm has no variance over the single 1×1 map of a batch of one.
        "batch_size": Hyperparameter(
            "images per step", (int,), 16, low=2, high=65536, changeable=True
        ),
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
        "class_weight": replace(_CLASS_WEIGHT, changeable=True),
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
        "colour": _COLOUR,
        "train_fraction": _TRAIN_FRACTION,
        "device": _DEVICE,
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
    },
    # Defaults: scikit-learn's SVC.
    "svm": {
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
        "class_weight": _CLASS_WEIGHT,
        "image_size": Hyperparameter(
            "pixels per side of the images; if left out, as stored, or 64 if they are larger",
            (int,),
            None,
            low=8,
            high=224,
        ),
        "colour": _COLOUR,
        "train_fraction": _TRAIN_FRACTION,
    },
}


def parameter_types() -> dict[str, type]:
    """Return the type of the store's column for every hyperparameter of every model.

    gamma is text there: "scale" or "0.001". The configuration itself keeps the float.
    """
    return {
        name: hyperparameter.types[0]
        for hyperparameters in MODELS.values()
        for name, hyperparameter in hyperparameters.items()
    }


def accept(name: str, hyperparameter: Hyperparameter, value: Any, key: str) -> Scalar:
    """Return the value in the hyperparameter's type: for a float, 1 becomes 1.0.

    Raises:
        InputError: it is not an allowed value. The fault has `key` as its key and names no file.
    """
    types = hyperparameter.types
    kind = type(value)
    if kind is int and float in types and int not in types:
        kind, value = float, float(value)
    if kind is str and kind in types and value in hyperparameter.words:
        return str(value)
    if kind is bool and kind in types:
        return bool(value)
    if kind is int and kind in types and hyperparameter.low <= value <= hyperparameter.high:
        return int(value)
    above = kind is float and (
        value > hyperparameter.low or (hyperparameter.from_low and value == hyperparameter.low)
    )
    within = above and value <= hyperparameter.high
    if within and kind in types and math.isfinite(value):
        return float(value)
    fix = f"give {hyperparameter.allowed()}"
    if kind is str and hyperparameter.words:
        close = nearest(value, hyperparameter.words)
        fix = close if close.startswith("did you mean") else fix
    raise input_error("", f"{name} cannot be {shown(value)}", fix, key)


def shown(value: object) -> str:
    """Return a value as short text, about as YAML would write it."""
    text = repr(value)
    text = {"True": "true", "False": "false", "None": "nothing"}.get(text, text)
    return text if len(text) <= 60 else f"{text[:57]}..."
