"""The registry agrees with the training functions and with the libraries beneath them."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from sklearn.svm import SVC

from tune_mnist.spaces import MODELS, parameter_types
from tune_mnist.training.resnet import ResnetConfig
from tune_mnist.training.svm import SvmConfig

TRAINED_AS: dict[str, Any] = {"resnet": ResnetConfig, "svm": SvmConfig}
NAMED = [
    (model, name, value)
    for model, hyperparameters in MODELS.items()
    for name, hyperparameter in hyperparameters.items()
    for value in (*hyperparameter.words, *([hyperparameter.low] if hyperparameter.low else []))
    if name != "device"
]


@pytest.mark.parametrize(("model", "name", "value"), NAMED)
def test_training_takes_every_value_that_a_space_may_have(
    model: str, name: str, value: object
) -> None:
    defaults = {
        key: hyperparameter.default
        for key, hyperparameter in MODELS[model].items()  # type: ignore[index]
        if hyperparameter.default is not None
    }
    TRAINED_AS[model](**{**defaults, name: value})


def test_svm_defaults_are_scikit_learns() -> None:
    theirs = inspect.signature(SVC).parameters
    ours = MODELS["svm"]
    assert {name: ours[name].default for name in ours} == {
        name: theirs[name].default for name in ours
    }


def test_every_condition_names_a_hyperparameter_of_the_same_model() -> None:
    for hyperparameters in MODELS.values():
        for hyperparameter in hyperparameters.values():
            assert set(hyperparameter.matters) <= set(hyperparameters)


def test_gamma_is_text_in_the_store() -> None:
    types = parameter_types()
    assert types["gamma"] is str
    assert (types["C"], types["epochs"], types["pin_memory"]) == (float, int, bool)
