"""Which models a parameter belongs to, in a space that names several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tune_mnist.errors import Fault, InputError, input_error, nearest
from tune_mnist.models.hyperparameters import Scalar, shown
from tune_mnist.models.registry import hyperparameters_of
from tune_mnist.spaces.domains import as_list
from tune_mnist.spaces.space import MODEL
from tune_mnist.spaces.validation import gathering

Declared = dict[str, tuple[str, Any]]
"""From a hyperparameter to the name that the file has for it, and what it says of it."""


def by_model(declared: Mapping[str, Any], models: Sequence[str]) -> dict[str, Declared]:
    """Sort a file's parameters by their models.

    Args:
        declared: the file's `parameters`. "svm.C" is C of an SVM. Of any other name, `when` may say
            the models; without that it is a parameter of all that have it.
        models: of the space.

    Returns: the parameters of each model, without the condition on the model.
    Raises: InputError: every parameter that no model has, or that one has twice.
    """
    faults: list[Fault] = []
    found: dict[str, Declared] = {model: {} for model in models}
    for name, raw in declared.items():
        with gathering(faults):
            plain, own = _models_of(name, raw, models)
            rest = _without_model(raw)
            for model in own:
                if plain in found[model]:
                    problem = f"{model} has it already, as {found[model][plain][0]}"
                    raise input_error("", problem, "keep one of them", f"parameters.{name}")
                found[model][plain] = (name, rest)
    if faults:
        raise InputError(faults)
    return found


def _models_of(name: str, raw: Any, models: Sequence[str]) -> tuple[str, Sequence[str]]:
    """Return the hyperparameter that a parameter is, and of which models."""
    key = f"parameters.{name}"
    of_model, _, plain = name.rpartition(".")
    if of_model and of_model not in models:
        fix = nearest(of_model, models)
        raise input_error("", f"{of_model} is no model of this space", fix, key)
    when = raw.get("when") if isinstance(raw, dict) else None
    if not of_model and isinstance(when, dict) and MODEL in when:
        own = as_list(when[MODEL])
        if not isinstance(own, list) or any(model not in models for model in own):
            problem = f"{shown(when[MODEL])} is no model of this space"
            raise input_error("", problem, f"use {' or '.join(models)}", f"{key}.when.{MODEL}")
        return plain, own
    if of_model:
        if isinstance(when, dict) and MODEL in when:
            raise input_error("", "its name says the model", "leave it out", f"{key}.when.{MODEL}")
        return plain, [of_model]
    own = [model for model in models if plain in hyperparameters_of(model)]
    if not own:
        known = dict.fromkeys(one for model in models for one in hyperparameters_of(model))
        problem = f"not a parameter of {' or '.join(models)}"
        raise input_error("", problem, nearest(plain, list(known)), key)
    return plain, own


def _without_model(raw: Any) -> Any:
    if not isinstance(raw, dict) or not isinstance(raw.get("when"), dict):
        return raw
    when: dict[str, Scalar] = {name: one for name, one in raw["when"].items() if name != MODEL}
    rest = {name: value for name, value in raw.items() if name != "when"}
    return {**rest, "when": when} if when else rest
