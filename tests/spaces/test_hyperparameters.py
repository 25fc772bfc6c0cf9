"""The registry agrees with the training functions and with the libraries that they use."""

from __future__ import annotations

import inspect
import math
from typing import Any

import pytest
from sklearn.svm import SVC

from tune_mnist.errors import InputError
from tune_mnist.models.hyperparameters import accept
from tune_mnist.models.registry import hyperparameters_of, model_names, parameter_types
from tune_mnist.training.resnet.train import ResnetConfig
from tune_mnist.training.svm.train import SvmConfig

TRAINED_AS: dict[str, Any] = {"resnet": ResnetConfig, "svm": SvmConfig}
NAMED = [
    (model, name, value)
    for model in TRAINED_AS  # tests/training/test_logistic.py trains the third
    for name, hyperparameter in hyperparameters_of(model).items()
    for value in (
        *hyperparameter.words,
        *([hyperparameter.low] if hyperparameter.low else []),
        *([hyperparameter.high] if math.isfinite(hyperparameter.high) else []),
    )
    if name != "device"
]


@pytest.mark.parametrize(("model", "name", "value"), NAMED)
def test_training_takes_every_value_that_a_space_may_have(
    model: str, name: str, value: object
) -> None:
    defaults = {
        key: hyperparameter.default
        for key, hyperparameter in hyperparameters_of(model).items()
        if hyperparameter.default is not None
    }
    TRAINED_AS[model](**{**defaults, name: value})


def test_svm_defaults_are_scikit_learns() -> None:
    theirs = inspect.signature(SVC).parameters
    of_images = ("train_fraction", "image_size", "colour")
    ours = {name: one for name, one in hyperparameters_of("svm").items() if name not in of_images}
    assert {name: ours[name].default for name in ours} == {
        name: theirs[name].default for name in ours
    }


def test_every_condition_names_a_hyperparameter_of_the_same_model() -> None:
    for hyperparameters in map(hyperparameters_of, model_names()):
        for hyperparameter in hyperparameters.values():
            assert set(hyperparameter.matters) <= set(hyperparameters)


@pytest.mark.parametrize("value", [0.0, -0.1, 1.0000001, math.inf, math.nan])
def test_a_fraction_outside_its_bounds_is_refused(value: float) -> None:
    with pytest.raises(InputError, match="give a number above 0, at most 1"):
        accept("train_fraction", hyperparameters_of("svm")["train_fraction"], value, "key")


def test_gamma_is_text_in_the_store() -> None:
    types = parameter_types()
    assert types["gamma"] is str
    assert (types["C"], types["epochs"], types["pin_memory"]) == (float, int, bool)
