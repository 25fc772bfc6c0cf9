"""Each form of each model gives what plain torchvision or scikit-learn gives."""

from __future__ import annotations

import runpy
import zipfile
from pathlib import Path

import numpy as np
import pytest
import skops.io
from PIL import Image
from sklearn.pipeline import Pipeline

from tests.actions.exporting.conftest import StoreOf
from tune_mnist.datasets import Dataset
from tune_mnist.store.files.place import bring_model
from tune_mnist.training.model import find_model
from tune_mnist.training.saved.exported import SavedModel, form_of, write_exported
from tune_mnist.training.saved.network import SavedNetwork
from tune_mnist.training.saved.pipeline import SavedPipeline

FORMS = [
    *[("resnet", form) for form in ("safetensors", "onnx", "pt2")],
    *[(model, form) for model in ("svm", "logistic") for form in ("skops", "onnx")],
]
IMAGES = 40


def loaded(store_of: StoreOf, model: str) -> SavedModel:
    load = find_model(model).load
    assert load is not None
    return load(bring_model(store_of(model), "s", "00000"))


def expected_scores(model: SavedModel, images: np.ndarray) -> np.ndarray:
    """Return the logits of torchvision's network, or the decisions of scikit-learn's pipeline."""
    if isinstance(model, SavedPipeline):
        return np.asarray(model.pipeline.decision_function(images.reshape(len(images), -1)))
    import torch

    from tune_mnist.training.images import resize
    from tune_mnist.training.resnet.image_input import normalise

    assert isinstance(model, SavedNetwork)
    with torch.inference_mode():
        return np.asarray(model.network(normalise(resize(images, 32))))


@pytest.mark.parametrize(("name", "form"), FORMS)
def test_the_script_gives_equal_scores(
    name: str, form: str, store_of: StoreOf, digits: Dataset, tmp_path: Path
) -> None:
    model = loaded(store_of, name)
    write_exported(model, form_of(model, form), tmp_path)
    files = []
    for number, image in enumerate(digits.val.images[:IMAGES]):
        files.append(tmp_path / f"{number}.png")
        Image.fromarray(image).save(files[-1])
    labels, scores = runpy.run_path(str(tmp_path / "predict.py"))["predict"](files)
    expected = expected_scores(model, digits.val.images[:IMAGES])
    np.testing.assert_allclose(scores, expected, atol=1e-4, rtol=1e-4)
    assert tuple(labels) == model.facts.predicted[:IMAGES]


def test_the_skops_file_holds_a_plain_pipeline_and_no_type_of_ours(
    store_of: StoreOf, tmp_path: Path
) -> None:
    model = loaded(store_of, "svm")
    write_exported(model, form_of(model, None), tmp_path)
    assert skops.io.get_untrusted_types(file=tmp_path / "model.skops") == []
    pipeline = skops.io.load(tmp_path / "model.skops", trusted=[])
    assert type(pipeline) is Pipeline
    assert [type(step).__name__ for _, step in pipeline.steps] == ["StandardScaler", "SVC"]
    with zipfile.ZipFile(tmp_path / "model.skops") as archive:
        assert b"tune_mnist" not in archive.read("schema.json")
