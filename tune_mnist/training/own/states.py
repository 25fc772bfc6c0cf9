"""The saved state of a training function: what it reported, and the random numbers to come."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from tune_mnist.errors import input_error
from tune_mnist.training.measurement import PARTS, Part
from tune_mnist.training.saved_state import FILE, write_state

FORMAT = "own 1"
_PLAIN = (bool, int, float, str, type(None))


@dataclass(frozen=True)
class Restored:
    """What a training continues from; by default it begins.

    Args:
        state: as the function reported it.
        done: epochs done.
        times: seconds so far, by part.
        random: the state of the random generators; None before they have drawn.
    """

    state: Any = None
    done: int = 0
    times: Mapping[Part, float] = field(default_factory=lambda: dict.fromkeys(PARTS, 0.0))
    random: Mapping[str, Any] | None = None


def save_state(state: Any, done: int, times: Mapping[Part, float], name: str, folder: Path) -> None:
    """Write a state into the folder, whole or not at all.

    Args:
        state: as the function reported it.
        done: epochs done.
        times: seconds so far, by part.
        name: of the model.
        folder: created if it is missing.

    Raises: ValueError: the state has something that could not be read back without running code.
    """
    _check(state, "state")
    content = {
        "format": FORMAT,
        "model": name,
        "done": done,
        "times": dict(times),
        "state": state,
        "random": _draws(),
    }
    write_state(content, folder)


def load_state(folder: Path, name: str) -> Restored:
    """Return what `save_state` wrote. Raises: InputError: it is damaged, or of another model."""
    import torch

    fix = "restore it from a copy, or start the training again"
    try:
        saved = torch.load(folder / FILE, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file may raise anything
        said = str(error).partition("\n")[0]
        raise input_error(folder, f"{FILE} cannot be read: {said}", fix) from error
    if not isinstance(saved, dict) or (saved.get("format"), saved.get("model")) != (FORMAT, name):
        raise input_error(folder, f"{FILE} is not a state of {name}", fix)
    return Restored(**{one.name: saved[one.name] for one in fields(Restored)})


@contextmanager
def drawing(seed: int) -> Iterator[None]:
    """Seed `random`, NumPy and torch; after the block they continue as if nothing was drawn."""
    import torch

    before = _draws()
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    try:
        yield
    finally:
        set_draws(before)


def _draws() -> dict[str, Any]:
    """Return the state of the global generators, as plain values and tensors."""
    import torch

    version, python, gauss = random.getstate()
    kind, words, *rest = np.random.get_state(legacy=True)
    begun: bool = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    cuda = torch.cuda.get_rng_state_all() if begun else []
    return {
        "python": [version, list(python), gauss],
        "numpy": [kind, [int(one) for one in words], *rest],
        "torch": torch.get_rng_state(),
        "cuda": cuda,
    }


def set_draws(draws: Mapping[str, Any]) -> None:
    """Let the global generators continue from a state that `save_state` has saved."""
    import torch

    version, python, gauss = draws["python"]
    random.setstate((version, tuple(python), gauss))
    kind, words, *rest = draws["numpy"]
    np.random.set_state((kind, np.array(words, np.uint32), *rest))
    torch.set_rng_state(draws["torch"])
    if draws["cuda"] and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(draws["cuda"])


def _check(value: Any, where: str) -> None:
    import torch

    if isinstance(value, dict):
        for key, one in value.items():
            if not isinstance(key, _PLAIN):
                raise ValueError(f"{where} has the key {key!r}; use texts or numbers")
            _check(one, f"{where}[{key!r}]")
    elif isinstance(value, (list, tuple)):
        for index, one in enumerate(value):
            _check(one, f"{where}[{index}]")
    elif type(value) not in _PLAIN and not isinstance(value, torch.Tensor):
        problem = f"{where} is a {type(value).__name__}, which cannot be saved"
        raise ValueError(f"{problem}; report tensors, numbers and texts, in dicts and lists")
