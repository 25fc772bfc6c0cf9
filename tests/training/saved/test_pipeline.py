"""A saved SVM or logistic regression is what was trained, in plain scikit-learn."""

from __future__ import annotations

import dataclasses
import importlib.util
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.svm import SVC

from tests.training.saved.fitted_models import CONFIGS, first_images, trained
from tune_mnist.datasets import Dataset, Images
from tune_mnist.training.images import View, as_seen
from tune_mnist.training.pixels import standardised
from tune_mnist.training.saved.pipeline import (
    SavedPipeline,
    load_logistic,
    load_svm,
    svm_predictor,
)
from tune_mnist.training.saved.pixel_models import save_logistic, save_svm
from tune_mnist.training.svm import train as svm

ENGINES = ["scikit-learn", "shared-gram"]
if importlib.util.find_spec("sklearnex"):
    ENGINES.append("scikit-learn-intelex")
SVMS: list[dict[str, Any]] = [
    {"kernel": "rbf", "C": 1.0, "gamma": "scale"},
    {"kernel": "poly", "C": 10.0, "gamma": "0.01", "degree": 2},
    {"kernel": "linear", "C": 1.0, "class_weight": "balanced"},
    {"kernel": "sigmoid", "C": 1.0},
    {"kernel": "rbf", "C": 1.0, "train_fraction": 0.5, "image_size": 12},
]


@pytest.fixture(scope="module")
def gram_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gram")


def fitted_by(
    engine: str, config: Mapping[str, Any], data: Dataset, gram_dir: Path
) -> tuple[SavedPipeline, np.ndarray, Path]:
    """Return a saved SVM, and the classes that its training predicted for validation images."""
    with pytest.MonkeyPatch.context() as patch:
        own = "scikit-learn" if engine == "scikit-learn" else "scikit-learn-intelex"
        patch.setattr(svm, "own_engine", lambda *_: own)
        options = {"gram_dir": gram_dir} if engine == "shared-gram" else {}
        [(_, fitted)] = trained("svm", config, data, **options)
    folder = gram_dir / f"saved-{len(list(gram_dir.glob('saved-*')))}"
    folder.mkdir()
    save_svm(fitted, folder)
    assert (svm_predictor(fitted).build()(data.val.images) == fitted.predicted).all()
    return load_svm(folder), fitted.predicted, folder


def rows_of(images: np.ndarray, view: View) -> np.ndarray:
    seen = as_seen(images, view)
    return seen.reshape(len(seen), -1).astype(float)


@pytest.mark.parametrize("engine", ENGINES)
class TestEveryEngine:
    @pytest.mark.parametrize("config", SVMS, ids=str)
    def test_the_pipeline_predicts_what_the_training_did(
        self, engine: str, config: dict[str, Any], digits: Dataset, gram_dir: Path
    ) -> None:
        loaded, predicted, _ = fitted_by(engine, config, digits, gram_dir)
        rows = rows_of(digits.val.images, View(config.get("image_size")))
        assert (loaded.pipeline.predict(rows) == predicted).all()

    def test_its_decisions_are_those_of_an_svc_on_standardised_pixels(
        self, engine: str, digits: Dataset, gram_dir: Path
    ) -> None:
        loaded, _, _ = fitted_by(engine, SVMS[0], digits, gram_dir)
        train, val, _ = standardised(digits)
        plain = SVC(C=1.0).fit(train, digits.train.labels)
        got = loaded.pipeline.decision_function(rows_of(digits.val.images, View()))
        # Both stop where the KKT conditions are violated by less than 1e-3.
        np.testing.assert_allclose(got, plain.decision_function(val), atol=5e-3)

    def test_two_classes_keep_their_sign_and_their_numbers(
        self, engine: str, digits: Dataset, gram_dir: Path
    ) -> None:
        """Class 5 of ten against class 8, the others without a training image."""
        two = np.isin(digits.train.labels, (5, 8))
        kept = Images(digits.train.images[two], digits.train.labels[two])
        data = dataclasses.replace(digits, train=kept, content_hash="two classes")
        loaded, predicted, _ = fitted_by(engine, SVMS[0], data, gram_dir)
        rows = rows_of(digits.val.images, View())
        assert set(predicted) == {5, 8}
        assert (loaded.pipeline.predict(rows) == predicted).all()


def test_a_logistic_regression_is_the_one_that_was_trained(digits: Dataset, tmp_path: Path) -> None:
    [(_, fitted)] = trained("logistic", CONFIGS["logistic"], digits)
    save_logistic(fitted, tmp_path)
    pipeline = load_logistic(tmp_path).pipeline
    assert (pipeline.predict(rows_of(digits.val.images, View())) == fitted.predicted).all()
    model, _ = fitted.parts
    expected = model.predict_proba(standardised(digits)[1])
    got = pipeline.predict_proba(rows_of(digits.val.images, View()))
    np.testing.assert_allclose(got, expected, atol=1e-5)


def test_colours_are_kept_unless_the_configuration_takes_them_away(
    digits: Dataset, tmp_path: Path
) -> None:
    red = np.stack([digits.train.images[:200], *2 * [digits.train.images[:200] // 2]], axis=3)
    images = Images(np.ascontiguousarray(red), digits.train.labels[:200])
    data = dataclasses.replace(digits, train=images, val=images, test=images)
    for colour, channels in (("keep", 3), ("grey", 1)):
        config = {**CONFIGS["logistic"], "colour": colour}
        [(_, fitted)] = trained("logistic", config, data)
        folder = tmp_path / colour
        folder.mkdir()
        save_logistic(fitted, folder)
        loaded = load_logistic(folder)
        assert loaded.facts.channels == channels
        rows = rows_of(images.images, fitted.view)
        assert (loaded.pipeline.predict(rows) == fitted.predicted).all()


def test_the_first_images_predictions_are_kept_for_checks(digits: Dataset, tmp_path: Path) -> None:
    [(_, fitted)] = trained("logistic", CONFIGS["logistic"], first_images(digits, 200))
    save_logistic(fitted, tmp_path)
    assert load_logistic(tmp_path).facts.predicted == tuple(fitted.predicted[:200])


def test_an_svm_of_a_shared_matrix_is_saved_without_scikit_learn() -> None:
    """Its trial has not loaded it, which takes a second."""
    code = "import sys, tune_mnist.training.saved.pixel_models; sys.exit('sklearn' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
