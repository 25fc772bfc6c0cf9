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
from tune_mnist.training.fitted import Fitted
from tune_mnist.training.resnet.config import Architecture
from tune_mnist.training.saved.exported import Form
from tune_mnist.training.saved.files import Facts, facts_of, read_arrays, read_facts, write_model

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
        libraries = ("numpy", "pillow", "torch")
        plain = (*libraries, "torchvision", "safetensors")
        onnx = ("numpy", "pillow", "onnxruntime")
        safetensors, pt2 = "model.safetensors", "model.pt2"
        write = self._write_safetensors
        return {
            "safetensors": Form(safetensors, "predict_network.py.txt", plain, write),
            "onnx": Form("model.onnx", "predict_onnx.py.txt", onnx, self._write_onnx),
            "pt2": Form(pt2, "predict_pt2.py.txt", libraries, self._write_pt2),
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
        rounding = _TIES.get(self.facts.precision, _ROUGH_TIES) * np.abs(scores).max()
        return bool(label == expected or scores[label] - scores[expected] <= rounding)

    def _write_safetensors(self, folder: Path) -> None:
        from safetensors.torch import save

        (folder / "model.safetensors").write_bytes(save(dict(self.tensors)))

    def _write_pt2(self, folder: Path) -> None:
        torch.export.save(self._exported(), folder / "model.pt2")

    def _write_onnx(self, folder: Path) -> None:
        names = ["classes", "scores"]
        program = torch.onnx.export(
            self._exported(), dynamo=True, input_names=["pixels"], output_names=names, verbose=False
        )
        assert program is not None
        program.save(folder / "model.onnx", external_data=False)

    def _exported(self) -> torch.export.ExportedProgram:
        """Return the network as a graph for any number of images."""
        facts = self.facts
        pixels = torch.zeros(2, facts.channels, facts.height, facts.width)
        any_number = {"pixels": {0: torch.export.Dim("images", min=1)}}
        whole = _WithPixels(self.network).eval()
        with torch.no_grad():
            return torch.export.export(whole, (pixels,), dynamic_shapes=any_number)
