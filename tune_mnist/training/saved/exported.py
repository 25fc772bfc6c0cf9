"""What every exported model has: its form, the files that go with it, and how they are written."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from tune_mnist.errors import input_error
from tune_mnist.training.saved.files import Facts

CONFIG, SCRIPT, NEEDS = "config.json", "predict.py", "requirements.txt"


@dataclass(frozen=True)
class Form:
    """A form in which a model can be exported.

    Args:
        file: what is written.
        script: the file beside this module that becomes `predict.py`.
        libraries: what that imports: the names of its distributions.
        write: writes the file into a folder.
    """

    file: str
    script: str
    libraries: tuple[str, ...]
    write: Callable[[Path], None]


class SavedModel(Protocol):
    """A saved model that has been read."""

    @property
    def facts(self) -> Facts:
        """What is known of it besides its numbers."""

    @property
    def forms(self) -> Mapping[str, Form]:
        """What it can be exported as, the usual form first."""

    def config(self) -> dict[str, object]:
        """Return what `config.json` holds: all that its `predict.py` needs to know."""

    def agrees(self, label: int, scores: npt.NDArray[np.float64], expected: int) -> bool:
        """Return whether a prediction is the one that the training made, but for rounding.

        Args:
            label: the class that the exported model predicts for an image.
            scores: (k,) of its classes.
            expected: the class that the training predicted.
        """


def form_of(model: SavedModel, name: str | None) -> Form:
    """Return a form by its name, or the usual one. Raises: InputError: there is none like it."""
    if name is None:
        return next(iter(model.forms.values()))
    if name not in model.forms:
        problem = f"{name!r} is no form of this model ({model.facts.model})"
        raise input_error("`format`", problem, f"use {' or '.join(model.forms)}")
    return model.forms[name]


def write_exported(model: SavedModel, form: Form, folder: Path) -> None:
    """Write a model, its `config.json`, `predict.py` and `requirements.txt` into a folder.

    Raises: InputError: a library that writes this form is not installed.
    """
    try:
        form.write(folder)
    except ModuleNotFoundError as error:
        problem = f"{form.file} needs {error.name}, which is not installed"
        raise input_error("`format`", problem, 'pip install "tune-mnist[onnx]"') from None
    text = json.dumps(model.config(), indent=2, ensure_ascii=False)
    (folder / CONFIG).write_text(text + "\n", "utf-8")
    script = Path(__file__).with_name(form.script).read_text("utf-8")
    (folder / SCRIPT).write_text(script, "utf-8")
    (folder / NEEDS).write_text("\n".join(_pinned(form.libraries)) + "\n", "utf-8")


def _pinned(libraries: Sequence[str]) -> list[str]:
    return [f"{name}=={metadata.version(name).partition('+')[0]}" for name in libraries]
