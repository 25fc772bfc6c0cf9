"""Contract tests for a model of your own, like scikit-learn's `check_estimator`.

from tune_mnist.testing import check_model

def test_my_cnn_keeps_the_rules():
    check_model("my_cnn:train")
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from tune_mnist.errors import input_error, nearest
from tune_mnist.models.hyperparameters import Config, accept
from tune_mnist.models.registry import import_model
from tune_mnist.testing.checks import CHECKS, trains
from tune_mnist.testing.subject import Subject
from tune_mnist.training.model import Model, find_model
from tune_mnist.training.own.model import model_of

__all__ = ["BrokenModelError", "check_model"]

_EPOCHS = 3


class BrokenModelError(AssertionError):
    """A model breaks rules; the message has a line for each."""


def check_model(
    model: str | Model | Callable[..., Any], config: Mapping[str, Any] | None = None
) -> None:
    """Check that a model keeps the rules that a search relies on.

    It is trained about eight times, for three epochs at most, on 60 made images of 16 x 16 pixels,
    on one thread. `tune_mnist/testing/checks.py` has the rules, one function each: what it
    measures, that the same seed gives the same result, that it leaves the data, the threads and the
    random generators of the process as they were, that a scheduler can stop it, that it takes three
    classes in colour, and that a training continued from a saved state is the same training.

    Args:
        model: its name, "my_package.my_model:train"; or the function or `Model` itself.
        config: hyperparameters that differ from their defaults.

    Raises:
        BrokenModelError: a line for each rule that it breaks.
        InputError: it is no model, or has no such hyperparameter.
    """
    found = _found(model)
    subject = Subject(found, _config(found, config or {}))
    problems = list(trains(subject))
    if not problems:  # else the other rules would say the same again
        problems = [line for check in CHECKS for line in check(subject)]
    if problems:
        lines = "\n".join(f"- {line}" for line in problems)
        raise BrokenModelError(f"{found.name} breaks these rules:\n{lines}") from subject.raised


def _found(model: str | Model | Callable[..., Any]) -> Model:
    if isinstance(model, Model):
        return model
    if isinstance(model, str):
        import_model(model)
        return find_model(model)
    module, name = getattr(model, "__module__", ""), getattr(model, "__name__", repr(model))
    file = inspect.getsourcefile(model) if inspect.isfunction(model) else None
    return model_of(model, f"{module}:{name}", (module, name), file or "")


def _config(model: Model, given: Mapping[str, Any]) -> Config:
    """Return the model's default configuration, with a few epochs, and with the given values."""
    known = model.hyperparameters
    config = {name: one.default for name, one in known.items() if one.default is not None}
    if "epochs" in known:
        config["epochs"] = int(max(known["epochs"].low, min(_EPOCHS, known["epochs"].high)))
    for name, value in given.items():
        if name not in known:
            fix = nearest(name, list(known))
            raise input_error("`config`", f"not a parameter of {model.name}", fix, name)
        config[name] = accept(name, known[name], value, name)
    return config
