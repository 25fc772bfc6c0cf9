"""The saved model of a training function: the network or the estimator that it has reported.

A network is saved as its tensors. To read it, the function runs again on made images until its
first report, which brings the network that these tensors fit. So nothing but the code at hand is
run, whoever has written the store. An estimator is a skops file: its types are listed, and any that
skops does not trust is refused.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tune_mnist.errors import InputError, input_error
from tune_mnist.models.hyperparameters import Config, Hyperparameter, accept
from tune_mnist.training.fitted import Fitted, Predict, Predictor
from tune_mnist.training.images import as_seen
from tune_mnist.training.own import reported
from tune_mnist.training.saved.exported import Form
from tune_mnist.training.saved.files import (
    MOST_ARRAYS,
    Facts,
    check_file,
    facts_of,
    read_arrays,
    read_facts,
    write_facts,
    write_model,
)

if TYPE_CHECKING:
    from torch import nn

ESTIMATOR = "model.skops"
_FIX = "restore it from a copy, or run the trial again"

BuildNetwork = Callable[[Config, Facts], Any]
"""Runs a training function on made images; returns what it reports first."""


def predictor(fitted: Fitted) -> Predictor:
    """Return what predicts with a model that a function has reported."""
    classes = len(fitted.data.classes)

    def build() -> Predict:
        predict = reported.predict_of(fitted.parts.given)

        def predict_stored(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
            seen = as_seen(images, fitted.view)
            return reported.classes_of(predict(seen), len(images), classes)

        return predict_stored

    return Predictor(build)


@dataclass(frozen=True)
class Saving:
    """Saves and loads the models of one training function.

    Args:
        name: of the model.
        hyperparameters: the function's own.
        build: runs the function until its first report.
    """

    name: str
    hyperparameters: Mapping[str, Hyperparameter]
    build: BuildNetwork

    def save(self, fitted: Fitted, folder: Path) -> None:
        """Write what the function has reported into an empty folder.

        Raises: ValueError: it is a function, or holds what could be read back only by running code.
        """
        given, config = fitted.parts.given, fitted.parts.config
        if reported.is_network(given):
            settings = {"kind": "network", "config": json.dumps(dict(config), sort_keys=True)}
            write_model(folder, facts_of(fitted, self.name, settings), _arrays(given))
        elif reported.is_estimator(given):
            _write_estimator(given, folder)
            write_facts(folder, facts_of(fitted, self.name, {"kind": "estimator"}))
        else:
            problem = f"{self.name} reports a function, which only a pickle could save"
            raise ValueError(f"{problem}; report the torch network or the estimator itself")

    def load(self, folder: Path) -> SavedOwnNetwork | SavedEstimator:
        """Return a saved model. Raises: InputError: it is not one, or the code builds another."""
        facts = read_facts(folder)
        if facts.model != self.name:
            raise input_error(folder, f"is a model of {facts.model[:100]!r}, not {self.name}", _FIX)
        if facts.settings.get("kind") == "estimator":
            return SavedEstimator(facts, check_file(folder / ESTIMATOR, MOST_ARRAYS))
        network = self.build(self._config(facts, folder), facts)
        if not reported.is_network(network):
            raise _other_code(self.name, "its code reports no network now")
        own = network.state_dict()
        shapes = {name: tuple(tensor.shape) for name, tensor in own.items()}
        try:
            arrays = read_arrays(folder, shapes)
        except InputError as error:
            raise _other_code(self.name, error.faults[0].problem) from error
        for name, array in arrays.items():
            own[name].copy_(_tensor(array))
        return SavedOwnNetwork(facts, network.eval())

    def _config(self, facts: Facts, folder: Path) -> Config:
        """Return the configuration in a saved model, which may come from a stranger."""
        try:
            given = dict(json.loads(str(facts.settings.get("config"))).items())
            known = self.hyperparameters
            return {name: accept(name, known[name], value, name) for name, value in given.items()}
        except (ValueError, AttributeError, KeyError, InputError) as error:
            raise input_error(
                folder, f"its configuration is not one of {self.name}", _FIX
            ) from error


def _other_code(name: str, problem: str) -> InputError:
    fix = "use the code that trained it, or run the trial again"
    return input_error(name, f"its code builds another network than was saved: {problem}", fix)


def _arrays(network: nn.Module) -> dict[str, npt.NDArray[Any]]:
    """Return a network's tensors. Raises: ValueError: one is no whole or floating-point number."""
    import torch

    arrays = {}
    for name, tensor in network.state_dict().items():
        if not isinstance(tensor, torch.Tensor):
            raise ValueError(f"the network's state has {name}, which is no tensor")
        if tensor.dtype == torch.bfloat16 or not (tensor.dtype.is_floating_point or _whole(tensor)):
            raise ValueError(f"the network's {name} is {tensor.dtype}; keep it as torch.float32")
        arrays[name] = tensor.detach().cpu().numpy()
    return arrays


def _whole(tensor: Any) -> bool:
    import torch

    return not tensor.dtype.is_complex and tensor.dtype != torch.bool


def _tensor(array: npt.NDArray[Any]) -> Any:
    import torch

    return torch.from_numpy(array)


def _write_estimator(estimator: Any, folder: Path) -> None:
    import skops.io

    skops.io.dump(estimator, folder / ESTIMATOR)
    if odd := skops.io.get_untrusted_types(file=folder / ESTIMATOR):
        problem = f"the estimator holds {', '.join(odd[:3])}, which could run any code when loaded"
        raise ValueError(f"{problem}; use scikit-learn's own types")


@dataclass(frozen=True, eq=False)
class SavedOwnNetwork:
    """A saved network of a training function.

    Args:
        facts: of it.
        network: on the CPU, in evaluation mode; takes uint8 images, returns scores.
    """

    facts: Facts
    network: nn.Module

    @property
    def forms(self) -> Mapping[str, Form]:
        """As `SavedModel`."""
        from tune_mnist.training.saved.traced import traced_forms

        return traced_forms(lambda: _with_pixels(self.network), self.facts)

    def config(self) -> dict[str, object]:
        """As `SavedModel`."""
        return _config_of(self.facts, flat=False)

    def agrees(self, label: int, scores: npt.NDArray[np.float64], expected: int) -> bool:
        """As `SavedModel`."""
        from tune_mnist.training.saved.network import same_but_for_rounding

        return same_but_for_rounding(self.facts, label, scores, expected)


@dataclass(frozen=True, eq=False)
class SavedEstimator:
    """A saved estimator of a training function. It is copied, and not loaded here.

    Args:
        facts: of it.
        file: the skops file.
    """

    facts: Facts
    file: Path

    @property
    def forms(self) -> Mapping[str, Form]:
        """As `SavedModel`."""
        libraries = ("numpy", "pillow", "scikit-learn", "skops")
        return {"skops": Form(ESTIMATOR, "predict_skops.py.txt", libraries, self._copy)}

    def config(self) -> dict[str, object]:
        """As `SavedModel`."""
        return _config_of(self.facts, flat=True)

    def agrees(self, label: int, scores: npt.NDArray[np.float64], expected: int) -> bool:
        """As `SavedModel`: the class is the same."""
        return label == expected

    def _copy(self, folder: Path) -> None:
        shutil.copyfile(self.file, folder / ESTIMATOR)


def _config_of(facts: Facts, *, flat: bool) -> dict[str, object]:
    size = [facts.height, facts.width]
    return {"classes": list(facts.classes), "size": size, "mode": facts.mode, "flat": flat}


def _with_pixels(network: nn.Module) -> nn.Module:
    """Return what `traced.Build` asks for: it gives a function's network the images it takes."""
    import torch
    from torch import nn

    class WithPixels(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            whole = pixels.to(torch.uint8)
            images = whole[:, 0] if whole.shape[1] == 1 else whole.permute(0, 2, 3, 1)
            scores = self.network(images)
            return scores.argmax(1), scores

    return WithPixels().eval()
