"""A saved model's folder: its arrays in `model.safetensors`, its facts in `model.json`.

Nothing in it is pickled, and nothing that is read from it is run. A folder may come from a
stranger: sizes are capped, links are not followed, and every fact is checked.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tune_mnist.errors import input_error

if TYPE_CHECKING:
    from tune_mnist.training.fitted import Fitted

ARRAYS, FACTS = "model.safetensors", "model.json"
CHECKED = 200
"""Validation images whose predictions are saved, for whoever checks an exported model."""

MOST_FACTS = 2**23  # bytes
MOST_ARRAYS = 2**31
_FIX = "restore it from a copy, or run the trial again"

Array = npt.NDArray[Any]
Setting = str | int | float


class Facts(BaseModel):
    """What must be known of a saved model besides its arrays.

    Args:
        format: 1.
        model: its family.
        classes: their names.
        height, width, channels: of the images as it sees them: grey (1) or RGB (3), 0..255.
        settings: of its family.
        precision: the number format of its matrix products while it was trained.
        predicted: its class for each of the first validation images, as its training measured it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    format: Literal[1] = 1
    model: str
    classes: Annotated[tuple[str, ...], Field(min_length=1, max_length=100_000)]
    height: Annotated[int, Field(ge=1, le=4096)]
    width: Annotated[int, Field(ge=1, le=4096)]
    channels: Literal[1, 3]
    settings: dict[str, Setting] = {}
    precision: str = "float32"
    predicted: Annotated[tuple[int, ...], Field(max_length=CHECKED)] = ()

    @property
    def mode(self) -> Literal["L", "RGB"]:
        """What Pillow calls such images."""
        return "L" if self.channels == 1 else "RGB"


def facts_of(
    fitted: Fitted, model: str, settings: Mapping[str, Setting], precision: str = "float32"
) -> Facts:
    """Return the facts of a fitted model."""
    from tune_mnist.training.images import as_seen

    seen = as_seen(fitted.data.train.images[:1], fitted.view)
    return Facts(
        model=model,
        classes=fitted.data.classes,
        height=seen.shape[1],
        width=seen.shape[2],
        channels=1 if seen.ndim == 3 else 3,
        settings=dict(settings),
        precision=precision,
        predicted=tuple(fitted.predicted[:CHECKED].tolist()),
    )


def write_facts(folder: Path, facts: Facts) -> None:
    """Write what is known of a model besides its arrays into a folder."""
    (folder / FACTS).write_text(facts.model_dump_json(), "utf-8")


def write_model(folder: Path, facts: Facts, arrays: Mapping[str, Array]) -> None:
    """Write a model into an empty folder.

    Args:
        folder: exists.
        facts: of the model.
        arrays: by name; copied where they are not contiguous.
    """
    from safetensors.numpy import save_file

    whole = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    write_facts(folder, facts)
    save_file(whole, folder / ARRAYS)
    shutil.copymode(folder / FACTS, folder / ARRAYS)  # safetensors lets nobody else read it


def read_facts(folder: Path) -> Facts:
    """Return the facts of a saved model. Raises: InputError: they are missing or wrong."""
    file = check_file(folder / FACTS, MOST_FACTS)
    try:
        return Facts.model_validate_json(file.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise input_error(file, f"is not a saved model's: {first['msg']}", _FIX, where) from None


def read_arrays(folder: Path, expected: Mapping[str, tuple[int | str, ...]]) -> dict[str, Array]:
    """Return the arrays of a saved model.

    Args:
        folder: of the model.
        expected: each array's shape by its name. A text stands for any length, the same wherever it
            is mentioned.

    Raises: InputError: the file is missing or damaged, or an array is missing, unknown, of another
        shape, or not finite.
    """
    from safetensors import SafetensorError, safe_open

    file = check_file(folder / ARRAYS, MOST_ARRAYS)
    try:
        with safe_open(file, framework="numpy") as opened:
            named = set(opened.keys())
            if named != set(expected):
                odd = sorted(named ^ set(expected))[0]
                what = "is missing" if odd in expected else "is not one of such a model"
                raise input_error(file, f"the array {odd[:100]!r} {what}", _FIX)
            arrays = {name: opened.get_tensor(name) for name in expected}
    except (SafetensorError, TypeError, ValueError) as error:
        said = str(error).partition("\n")[0][:200]
        raise input_error(file, f"cannot be read: {said}", _FIX) from None
    _check_shapes(file, arrays, expected)
    return arrays


def _check_shapes(
    file: Path, arrays: Mapping[str, Array], expected: Mapping[str, tuple[int | str, ...]]
) -> None:
    lengths: dict[str, int] = {}
    for name, array in arrays.items():
        shape = expected[name]
        wanted = [
            lengths.setdefault(one, found) if isinstance(one, str) else one
            for one, found in zip(shape, array.shape, strict=False)
        ]
        if len(shape) != array.ndim or wanted != list(array.shape):
            problem = f"the array {name!r} has the shape {array.shape}, not {tuple(wanted)}"
            raise input_error(file, problem, _FIX)
        if array.dtype.kind not in "iuf" or not np.isfinite(array).all():
            raise input_error(file, f"the array {name!r} has what is not a finite number", _FIX)


def check_file(file: Path, most: int) -> Path:
    """Return a regular file of at most so many bytes.

    Raises: InputError: it is missing, a link, no regular file, or larger.
    """
    try:
        found = os.lstat(file)
    except OSError as error:
        raise input_error(file, f"cannot be read ({error.strerror})", _FIX) from None
    if not stat.S_ISREG(found.st_mode):
        raise input_error(file, "is not a regular file, and links are not followed", _FIX)
    if found.st_size > most:
        problem = f"is larger than {most / 2**20:,.0f} MiB"
        raise input_error(file, problem, "models of ours are smaller; do not trust it")
    return file
