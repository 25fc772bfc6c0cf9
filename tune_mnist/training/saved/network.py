"""A saved ResNet: torchvision's tensors, all of them, and what it can be exported as."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import get_args

import numpy as np
import numpy.typing as npt
import torch
import torchvision
from torch import Tensor, nn

from tune_mnist.errors import input_error
from tune_mnist.training.fitted import Fitted, Predict, Predictor
from tune_mnist.training.images import as_seen
from tune_mnist.training.resnet.config import Architecture
from tune_mnist.training.saved.exported import Form
from tune_mnist.training.saved.files import Facts, facts_of, read_arrays, read_facts, write_model
from tune_mnist.training.saved.traced import traced_forms

MEAN = STD = 0.5
"""Of pixels in [0, 1], as in the technical report."""

_TIES = {"float32": 1e-3}
_ROUGH_TIES = 0.05  # of 16-bit formats
"""Parts of the largest logit by which two may differ and still be rounded either way."""


def save(fitted: Fitted, folder: Path) -> None:
    """Write a trained network, whose state fits torchvision's, into an empty folder.

    Args:
        fitted: its `parts` are the network, its name in torchvision, and the number format of its
            matrix products.
        folder: exists.
    """
    network, architecture, precision = fitted.parts
    arrays = {name: one.detach().cpu().numpy() for name, one in network.state_dict().items()}
    facts = facts_of(fitted, "resnet", {"architecture": architecture}, precision)
    write_model(folder, facts, arrays)


def predictor(fitted: Fitted) -> Predictor:
    """Return what predicts as the network does that `save` writes, where it was trained.

    Args:
        fitted: as for `save`.
    """
    network, architecture, _ = fitted.parts
    device, classes = next(network.parameters()).device, len(fitted.data.classes)

    def build() -> Predict:
        tensors = {name: one.contiguous() for name, one in network.state_dict().items()}
        with torch.device("meta"):  # no memory for weights that are assigned next
            plain = torchvision.models.get_model(architecture, num_classes=classes)
        plain.load_state_dict(tensors, assign=True)
        plain.eval()

        @torch.inference_mode()
        def predict(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
            pixels = planes_of(as_seen(images, fitted.view), MEAN, STD, device)
            labels: npt.NDArray[np.int64] = plain(pixels).argmax(1).cpu().numpy()
            return labels

        return predict

    seen = fitted.data.train.images.shape[1:], fitted.view
    return Predictor(build, (architecture, classes, seen, str(device), torch.get_num_threads()))


def planes_of(
    images: npt.NDArray[np.uint8], mean: float, std: float, device: torch.device
) -> Tensor:
    """Return a network's input on a device, (n, 3, h, w) float32.

    Args:
        images: (n, h, w) grey or (n, h, w, 3) RGB, uint8, of the network's size.
        mean, std: of pixels in [0, 1].
        device: where the network is.
    """
    pixels = torch.from_numpy(images.reshape(*images.shape[:3], -1).copy()).to(device)
    return ((pixels.permute(0, 3, 1, 2) / 255 - mean) / std).expand(-1, 3, -1, -1)


def load(folder: Path) -> SavedNetwork:
    """Return a saved network. Raises: InputError: it is not one, or is damaged."""
    facts = read_facts(folder)
    architecture = str(facts.settings.get("architecture"))
    if architecture not in get_args(Architecture):
        problem = f"{architecture[:100]!r} is not an architecture of ours"
        raise input_error(folder, problem, f"use {' or '.join(get_args(Architecture))}")
    tensors = read_tensors(folder, architecture, len(facts.classes))
    return SavedNetwork(facts, architecture, tensors)


def read_tensors(folder: Path, architecture: str, classes: int) -> dict[str, Tensor]:
    """Return the tensors of a network, each of the shape that torchvision's has.

    Raises: InputError: one is missing, unknown or of another shape, or the file is damaged.
    """
    with torch.device("meta"):  # no memory for weights that are read next
        empty = torchvision.models.get_model(architecture, num_classes=classes)
    shapes = {name: tuple(tensor.shape) for name, tensor in empty.state_dict().items()}
    arrays = read_arrays(folder, shapes)
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def plain_network(architecture: str, classes: int, tensors: Mapping[str, Tensor]) -> nn.Module:
    """Return torchvision's own network, for inference on the CPU."""
    network: nn.Module = torchvision.models.get_model(architecture, num_classes=classes)
    network.load_state_dict(dict(tensors))
    return network.eval()


def same_but_for_rounding(
    facts: Facts, label: int, scores: npt.NDArray[np.float64], expected: int
) -> bool:
    """Return whether a network's prediction is its training's; `SavedModel.agrees` has the rest."""
    rounding = _TIES.get(facts.precision, _ROUGH_TIES) * np.abs(scores).max()
    return bool(label == expected or scores[label] - scores[expected] <= rounding)


class _WithPixels(nn.Module):
    """A network that takes pixels 0..255: float32 (n, 1 or 3, h, w)."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Return (n,) class numbers and (n, k) logits."""
        images = ((pixels / 255 - MEAN) / STD).expand(-1, 3, -1, -1)
        logits = self.network(images)
        return logits.argmax(1), logits


@dataclass(frozen=True, eq=False)
class SavedNetwork:
    """A saved network.

    Args:
        facts: of it.
        architecture: its name in torchvision.
        tensors: torchvision's, by name.
    """

    facts: Facts
    architecture: str
    tensors: Mapping[str, Tensor]

    @cached_property
    def network(self) -> nn.Module:
        """torchvision's own network, for inference on the CPU."""
        return plain_network(self.architecture, len(self.facts.classes), self.tensors)

    @property
    def forms(self) -> Mapping[str, Form]:
        """As `SavedModel`."""
        plain = ("numpy", "pillow", "torch", "torchvision", "safetensors")
        file, script = "model.safetensors", "predict_network.py.txt"
        return {
            "safetensors": Form(file, script, plain, self._write_safetensors),
            **traced_forms(lambda: _WithPixels(self.network).eval(), self.facts),
        }

    def config(self) -> dict[str, object]:
        """As `SavedModel`."""
        return {
            "architecture": self.architecture,
            "classes": list(self.facts.classes),
            "size": [self.facts.height, self.facts.width],
            "mode": self.facts.mode,
            "mean": MEAN,
            "std": STD,
            "flat": False,
        }

    def agrees(self, label: int, scores: npt.NDArray[np.float64], expected: int) -> bool:
        """As `SavedModel`."""
        return same_but_for_rounding(self.facts, label, scores, expected)

    def _write_safetensors(self, folder: Path) -> None:
        from safetensors.torch import save

        (folder / "model.safetensors").write_bytes(save(dict(self.tensors)))
