"""A training's state in a folder: what it needs to go on as if it had not stopped.

Weights, BatchNorm's statistics, the optimizer's state, the order's generator, the loss scaler, the
epochs done and the seconds they took; tensors and plain values, which `torch.load` reads without
unpickling any code. What the configuration and the seed give again is not in it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from tune_mnist.errors import input_error
from tune_mnist.training.measurement import PARTS, Part

FORMAT = 1
FILE = "state.pt"


class State(NamedTuple):
    """What training changes.

    Args:
        kind: what a saved state must have in common with it, in words.
        network, optimizer: with the same shapes wherever `kind` is the same.
        order: draws the order of the images.
        scaler: of the loss.
    """

    kind: str
    network: nn.Module
    optimizer: torch.optim.Optimizer
    order: torch.Generator
    scaler: torch.amp.GradScaler


def save_state(state: State, epoch: int, times: Mapping[Part, float], folder: Path) -> None:
    """Write the state after `epoch` epochs into the folder, whole or not at all.

    Args:
        state: as it is now.
        epoch: epochs done.
        times: seconds spent so far, by part.
        folder: made where it is missing; a state in it is replaced.
    """
    folder.mkdir(parents=True, exist_ok=True)
    aside = folder / f"{FILE}.{os.getpid()}.part"
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
    try:
        with aside.open("wb") as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(folder / FILE)
    finally:
        aside.unlink(missing_ok=True)


def restore_state(state: State, folder: Path, epochs: int, times: dict[Part, float]) -> int:
    """Bring back, in place, what `save_state` wrote; return the epochs done.

    Args:
        state: of the same kind, on any device; the learning rate remains its own.
        folder: that `save_state` wrote into.
        epochs: at which the training ends; there must be one left.
        times: gains the seconds spent until then.
    Raises: InputError: no state there, a torn one, or one of another kind or length.
    """
    saved = _load(folder)
    if saved["kind"] != state.kind:
        problem = f"its state is of {saved['kind']}, not of {state.kind}"
        raise input_error(folder, problem, "go on with what it was saved from")
    if saved["epoch"] >= epochs:
        problem = f"its state has {saved['epoch']} of {epochs} epochs behind it"
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
    fix = "restore it from a copy, or start anew"
    try:
        saved = torch.load(folder / FILE, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise input_error(folder, f"has no {FILE} of a training", fix) from error
    except Exception as error:  # a torn file raises whatever its torn part comes to
        said = str(error).partition("\n")[0]
        raise input_error(folder, f"{FILE} cannot be read: {said}", fix) from error
    if not isinstance(saved, dict) or saved.get("format") != FORMAT:
        raise input_error(folder, f"{FILE} is not a state that this version writes", fix)
    return saved
