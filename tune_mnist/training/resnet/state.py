"""A training's state in a folder: all that it needs to resume as if it had never stopped.

The state is the weights, BatchNorm's statistics, the optimizer's state, the generator of the
images' order, the loss scaler, the number of epochs done and the seconds they took. It consists of
tensors and plain values, so `torch.load` reads it without running code from the file. It leaves out
what the configuration, the seed and the number of epochs done determine: the place in a schedule,
for example, and how images are augmented next.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from tune_mnist.errors import input_error
from tune_mnist.training.measurement import PARTS, Part
from tune_mnist.training.saved_state import FILE, write_state

FORMAT = 1


class State(NamedTuple):
    """The objects that a training changes.

    Args:
        kind: the kind of training, in words; a saved state must be of the same kind.
        network, optimizer: they have the same shapes in all states of one kind.
        order: the generator that draws the order of the images.
        scaler: scales the loss.
    """

    kind: str
    network: nn.Module
    optimizer: torch.optim.Optimizer
    order: torch.Generator
    scaler: torch.amp.GradScaler


def save_state(state: State, epoch: int, times: Mapping[Part, float], folder: Path) -> None:
    """Write the state after `epoch` epochs into the folder, whole or not at all.

    Args:
        state: the state to save.
        epoch: number of epochs done.
        times: seconds spent so far, by part.
        folder: created if missing; a state that it holds is replaced.
    """
    content = {
        "format": FORMAT,
        "kind": state.kind,
        "epoch": epoch,
        "times": dict(times),
        "network": _tensors(state.network),
        "optimizer": state.optimizer.state_dict()["state"],
        "order": state.order.get_state(),
        "scaler": state.scaler.state_dict(),
    }
    write_state(content, folder)


def restore_state(state: State, folder: Path, epochs: int, times: dict[Part, float]) -> int:
    """Load what `save_state` wrote, in place; return the number of epochs done.

    Args:
        state: of the same kind as the saved one, on any device; it keeps its own learning rate.
        folder: where `save_state` wrote.
        epochs: number of epochs of the training; at least one must be left.
        times: the seconds spent before are added to it.
    Raises: InputError: the folder has no state, a damaged one, one of another kind, or one with no
        epoch left.
    """
    saved = _load(folder)
    if saved["kind"] != state.kind:
        problem = f"its state is of {saved['kind']}, not of {state.kind}"
        raise input_error(folder, problem, "resume the training that saved it")
    if saved["epoch"] >= epochs:
        problem = (
            f"its state is after epoch {saved['epoch']}, and the training ends at epoch {epochs}"
        )
        raise input_error(folder, problem, f"ask for more than {epochs} epochs")
    with torch.no_grad():
        for name, tensor in _tensors(state.network).items():
            tensor.copy_(saved["network"][name])
    groups = state.optimizer.state_dict()["param_groups"]
    state.optimizer.load_state_dict({"state": saved["optimizer"], "param_groups": groups})
    state.order.set_state(saved["order"])
    state.scaler.load_state_dict(saved["scaler"])
    for part in PARTS:
        times[part] += saved["times"][part]
    return int(saved["epoch"])


def _tensors(network: nn.Module) -> dict[str, Tensor]:
    tensors = {**dict(network.named_parameters()), **dict(network.named_buffers())}
    return {name: tensor.detach() for name, tensor in tensors.items()}


def _load(folder: Path) -> dict[str, Any]:
    fix = "restore it from a copy, or start the training again"
    try:
        saved = torch.load(folder / FILE, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise input_error(folder, f"has no {FILE} of a training", fix) from error
    except Exception as error:  # a damaged file may raise anything
        said = str(error).partition("\n")[0]
        raise input_error(folder, f"{FILE} cannot be read: {said}", fix) from error
    if not isinstance(saved, dict) or saved.get("format") != FORMAT:
        raise input_error(folder, f"{FILE} is not a state that this version can read", fix)
    return saved
