"""Check an exported model: a fresh process, which cannot import us, runs its `predict.py`."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from tune_mnist.datasets import Dataset
from tune_mnist.errors import input_error
from tune_mnist.models.registry import find_model
from tune_mnist.training.saved.exported import SCRIPT, SavedModel

ENDS_WITHIN_S = 900.0

_PREDICT = """
import json, sys
sys.modules["tune_mnist"] = None  # importing it is an error
sys.dont_write_bytecode = True
sys.path.insert(0, ".")
import predict
labels, scores = predict.predict(sys.argv[2:])
with open(sys.argv[1], "w") as file:
    json.dump({"labels": labels.tolist(), "scores": scores.tolist()}, file)
"""


@dataclass(frozen=True)
class Check:
    """How an exported model's predictions compare with those that its training made.

    Args:
        images: validation images that were compared.
        equal: how many of them have the same class; the others are ties but for rounding.
    """

    images: int
    equal: int


def check_exported(folder: Path, model: SavedModel, data: Dataset) -> Check:
    """Compare what an exported model predicts with what its training predicted.

    Args:
        folder: of the exported model.
        model: the saved model that it was made of.
        data: that its trial trained on.

    Raises: InputError: a class differs, there is nothing to compare, or the script fails.
    """
    expected = model.facts.predicted[: len(data.val)]
    if not expected:
        raise input_error(folder.name, "there is no validation image to check it with", "use more")
    with tempfile.TemporaryDirectory() as place:
        files = []
        for number, image in enumerate(data.val.images[: len(expected)]):
            files.append(str(Path(place, f"{number:03d}.png")))
            Image.fromarray(image).save(files[-1])
        answer = _predicted(folder, Path(place, "answer.json"), files)
    labels = [int(label) for label in answer["labels"]]
    found = list(zip(labels, np.asarray(answer["scores"], np.float64), expected, strict=True))
    wrong = [one for one, (label, of, was) in enumerate(found) if not model.agrees(label, of, was)]
    if wrong:
        problem = (
            f"the exported model predicts another class than its training for {len(wrong)} of"
            f" {len(expected)} validation images (the first is number {wrong[0]})"
        )
        raise input_error(SCRIPT, problem, _whose_fault(model.facts.model))
    return Check(len(found), sum(label == was for label, _, was in found))


def _whose_fault(name: str) -> str:
    if find_model(name).file:
        return "its code may have changed since; run the trial again"
    return "this is a fault of ours; please report it"


def _predicted(folder: Path, answer: Path, files: list[str]) -> dict[str, list[float]]:
    command = [sys.executable, "-c", _PREDICT, str(answer), *files]
    try:
        ran = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=ENDS_WITHIN_S
        )
    except subprocess.TimeoutExpired:
        problem = f"has not ended within {ENDS_WITHIN_S:g} s"
        raise input_error(SCRIPT, problem, "try again when the machine is free") from None
    if ran.returncode != 0:
        said = ran.stderr.strip().splitlines()[-1:] or ["it was killed"]
        problem = f"fails in a fresh process: {said[0][:300]}"
        fix = "install what requirements.txt names: `pip install tune-mnist[onnx]` for ONNX"
        raise input_error(SCRIPT, problem, fix)
    found: dict[str, list[float]] = json.loads(answer.read_text("utf-8"))
    return found
