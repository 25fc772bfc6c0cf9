"""Read an exported model's folder, which may come from a stranger: nothing in it is run.

`config.json` is checked fact by fact. `model.safetensors` holds arrays and nothing else; each must
have the shape that torchvision's network gives it. Of `model.skops` the types are listed before it
is loaded: a scikit-learn pipeline of a scaler and a classifier of ours, made of NumPy arrays and
plain values; any other type is refused by its name. Sizes are capped, of archives unpacked too.
`predict.py` is never run, and ONNX and pt2 files, which are programs, are not loaded.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tune_mnist.errors import input_error
from tune_mnist.training.images import View, as_seen, resize
from tune_mnist.training.resnet.config import Architecture
from tune_mnist.training.saved.exported import CONFIG
from tune_mnist.training.saved.files import MOST_ARRAYS, MOST_FACTS, check_file

Pixels = npt.NDArray[np.uint8]
Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]

MOST_PARTS = 10_000  # of an archive
BATCH = 256  # images predicted at a time
_FIX = "do not trust it; ask its maker for one that `model export` wrote"
_TYPES = frozenset(
    {
        *("builtins.dict", "builtins.list", "builtins.tuple", "builtins.str", "builtins.int"),
        *("builtins.float", "builtins.bool", "builtins.NoneType", "builtins.slice"),
        *("numpy.ndarray", "numpy.dtype", "numpy.int32", "numpy.int64", "numpy.float64"),
        *("numpy.float32", "numpy.bool", "numpy.bool_"),
        "sklearn.pipeline.Pipeline",
        "sklearn.preprocessing._data.StandardScaler",
        "sklearn.svm._classes.SVC",
        "sklearn.linear_model._logistic.LogisticRegression",
    }
)
_LOADERS = frozenset(
    {
        *("DictNode", "ListNode", "TupleNode", "JsonNode", "ObjectNode", "NdArrayNode"),
        *("DTypeNode", "TypeNode", "SliceNode"),
    }
)


class Config(BaseModel):
    """What `config.json` says of a model."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    classes: Annotated[tuple[str, ...], Field(min_length=1, max_length=100_000)]
    size: tuple[Annotated[int, Field(ge=1, le=4096)], Annotated[int, Field(ge=1, le=4096)]]
    mode: Literal["L", "RGB"]
    flat: bool
    architecture: Architecture | None = None
    mean: float = 0.5
    std: Annotated[float, Field(gt=0)] = 0.5


@dataclass(frozen=True, eq=False)
class ExportedModel:
    """An exported model that has been read.

    Args:
        config: what it sees, and its classes.
        predict: from (n, h, w) or (n, h, w, 3) uint8 images as it sees them to (n,) class numbers,
            and (n, k) probabilities where it has them, else None.
    """

    config: Config
    predict: Callable[[Pixels], tuple[Int64, Float64 | None]]

    def of_images(self, images: Pixels) -> tuple[Int64, Float64 | None]:
        """Return what it predicts for stored images of any size, as `predict` does."""
        labels, chances = [], []
        for start in range(0, len(images), BATCH):
            some, of_some = self.predict(_as_seen(images[start : start + BATCH], self.config))
            labels.append(some)
            chances.append(of_some)
        known = [one for one in chances if one is not None]
        return np.concatenate(labels), np.concatenate(known) if known else None


def read_exported(folder: Path) -> ExportedModel:
    """Read a folder that `model export` wrote.

    Raises: InputError: it is not one, it holds another form, or anything in it that is not a
        model's.
    """
    config = _config(folder)
    if (folder / "model.safetensors").exists() and config.architecture is not None:
        return ExportedModel(config, _network(folder, config))
    if (folder / "model.skops").exists():
        return ExportedModel(config, _pipeline(folder, config))
    problem = "has neither model.safetensors with an architecture nor model.skops"
    fix = "export it in its usual form; of ONNX and pt2 run the predict.py, if you trust it"
    raise input_error(folder, problem, fix)


def _config(folder: Path) -> Config:
    file = check_file(folder / CONFIG, MOST_FACTS)
    try:
        return Config.model_validate_json(file.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise input_error(file, f"is not an exported model's: {first['msg']}", _FIX, key) from None


def _as_seen(images: Pixels, config: Config) -> Pixels:
    pixels = as_seen(images, View(colour="grey")) if config.mode == "L" else images
    if config.mode == "RGB" and pixels.ndim == 3:
        pixels = np.repeat(pixels[..., np.newaxis], 3, axis=3)
    if pixels.shape[1:3] == config.size:
        return pixels
    planes = resize(pixels, *config.size).permute(0, 2, 3, 1).contiguous().numpy()
    return planes[..., 0] if pixels.ndim == 3 else planes


def _network(folder: Path, config: Config) -> Callable[[Pixels], tuple[Int64, Float64 | None]]:
    import torch

    from tune_mnist.training.saved.network import plain_network, planes_of, read_tensors

    assert config.architecture is not None
    of_it = config.architecture, len(config.classes)
    network = plain_network(*of_it, read_tensors(folder, *of_it))

    def predict(images: Pixels) -> tuple[Int64, Float64 | None]:
        pixels = planes_of(images, config.mean, config.std, torch.device("cpu"))
        with torch.inference_mode():
            chances = network(pixels).double().softmax(1)
        return chances.argmax(1).numpy(), chances.numpy()

    return predict


def _pipeline(folder: Path, config: Config) -> Callable[[Pixels], tuple[Int64, Float64 | None]]:
    from tune_mnist.training.saved.pipeline import made_again, rows_of

    file = check_file(folder / "model.skops", MOST_ARRAYS)
    _check_types(file)
    pipeline = made_again(_loaded(file), file)
    channels = 1 if config.mode == "L" else 3
    classes = pipeline.steps[-1][1].classes_
    if (
        pipeline.steps[0][1].n_features_in_ != config.size[0] * config.size[1] * channels
        or classes.min() < 0
        or classes.max() >= len(config.classes)
    ):
        raise input_error(file, "does not fit config.json: other pixels or classes", _FIX)

    def predict(images: Pixels) -> tuple[Int64, Float64 | None]:
        rows = rows_of(images)
        labels = np.asarray(pipeline.predict(rows), np.int64)
        if not hasattr(pipeline, "predict_proba"):
            return labels, None
        chances = np.zeros((len(rows), len(config.classes)))
        chances[:, classes] = pipeline.predict_proba(rows)
        return labels, chances

    return predict


def _check_types(file: Path) -> None:
    """Raise InputError if a skops file would make anything but a plain pipeline of ours."""
    try:
        with zipfile.ZipFile(file) as archive:
            parts = archive.infolist()
            if len(parts) > MOST_PARTS or sum(part.file_size for part in parts) > MOST_ARRAYS:
                problem = f"unpacks to more than {MOST_ARRAYS / 2**30:g} GiB or {MOST_PARTS} parts"
                raise input_error(file, problem, _FIX)
            with archive.open("schema.json") as opened:
                schema = opened.read(MOST_FACTS + 1)
        if len(schema) > MOST_FACTS:
            raise input_error(file, "its schema is larger than a model's", _FIX)
        found = set(_named(json.loads(schema)))
    except (OSError, KeyError, ValueError, RecursionError, zipfile.BadZipFile) as error:
        said = str(error).partition("\n")[0][:200]
        raise input_error(file, f"is not a skops file: {said}", _FIX) from None
    if odd := sorted(found - _TYPES - _LOADERS):
        names = ", ".join(odd[:5])
        problem = f"would make what is not of a plain scikit-learn pipeline: {names[:300]}"
        raise input_error(file, problem, _FIX)


def _named(node: Any) -> Iterator[str]:
    """Yield each type and loader that a skops schema names."""
    if isinstance(node, dict):
        if "__loader__" in node:
            yield str(node["__loader__"])
        if "__class__" in node or "__module__" in node:
            yield f"{node.get('__module__')}.{node.get('__class__')}"
        for value in node.values():
            yield from _named(value)
    elif isinstance(node, list):
        for value in node:
            yield from _named(value)


def _loaded(file: Path) -> Any:
    """Return the pipeline in a skops file whose types have been checked."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC
    from skops.io import load

    try:
        pipeline = load(file, trusted=[])
    except Exception as error:  # a damaged file may raise anything
        said = str(error).partition("\n")[0][:200]
        raise input_error(file, f"cannot be loaded: {said}", _FIX) from None
    steps = [step for _, step in pipeline.steps] if isinstance(pipeline, Pipeline) else []
    plain = (
        len(steps) == 2
        and type(steps[0]) is StandardScaler
        and type(steps[1]) in (SVC, LogisticRegression)
    )
    if not plain:
        raise input_error(file, "is no pipeline of a scaler and a classifier", _FIX)
    return pipeline
