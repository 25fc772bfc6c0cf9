"""A torch network as a graph that runs without its code: pt2 and ONNX."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import nn

from tune_mnist.errors import input_error
from tune_mnist.training.saved.exported import Form
from tune_mnist.training.saved.files import Facts
from tune_mnist.wording import error_text

Build = Callable[[], nn.Module]
"""Returns a network in evaluation mode, for the CPU.

It takes pixels 0..255, float32 (n, 1 or 3, h, w), and returns (n,) class numbers and (n, k) scores.
"""


def traced_forms(build: Build, facts: Facts) -> dict[str, Form]:
    """Return the forms of a network that are graphs, for any number of images.

    Args:
        build: called when one is written.
        facts: of the network.
    """
    libraries = ("numpy", "pillow", "torch")
    onnx = ("numpy", "pillow", "onnxruntime")
    write_pt2, write_onnx = partial(_write_pt2, build, facts), partial(_write_onnx, build, facts)
    return {
        "pt2": Form("model.pt2", "predict_pt2.py.txt", libraries, write_pt2),
        "onnx": Form("model.onnx", "predict_onnx.py.txt", onnx, write_onnx),
    }


def _write_pt2(build: Build, facts: Facts, folder: Path) -> None:
    torch.export.save(_traced(build(), facts), folder / "model.pt2")


def _write_onnx(build: Build, facts: Facts, folder: Path) -> None:
    names = ["classes", "scores"]
    program = torch.onnx.export(
        _traced(build(), facts),
        dynamo=True,
        input_names=["pixels"],
        output_names=names,
        verbose=False,
    )
    assert program is not None
    program.save(folder / "model.onnx", external_data=False)


def _traced(network: nn.Module, facts: Facts) -> torch.export.ExportedProgram:
    pixels = torch.zeros(2, facts.channels, facts.height, facts.width)
    any_number = {"pixels": {0: torch.export.Dim("images", min=1)}}
    try:
        with torch.no_grad():
            return torch.export.export(network, (pixels,), dynamic_shapes=any_number)
    except Exception as error:  # of a network of your own
        problem = f"its network has no graph that torch.export could write: {error_text(error)}"
        fix = "let `forward` do the same for all images, with operations of torch alone"
        raise input_error(facts.model, problem[:600], fix) from error
