"""A saved SVM or logistic regression: an ordinary scikit-learn pipeline, scaler and classifier."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from tune_mnist.errors import input_error
from tune_mnist.training.fitted import Fitted, Predict, Predictor
from tune_mnist.training.images import as_seen
from tune_mnist.training.pixels import Scale, in_unit_range
from tune_mnist.training.saved.exported import Form
from tune_mnist.training.saved.files import (
    Array,
    Facts,
    read_arrays,
    read_facts,
)
from tune_mnist.training.svm.config import KERNELS
from tune_mnist.training.svm.plain import PlainSvm, to_svc

HALF = 127.5
"""Pixels 0..255 lose it and are divided by it, to lie in [-1, 1]."""


def load_svm(folder: Path) -> SavedPipeline:
    """Return a saved SVM. Raises: InputError: it is not one, or is damaged."""
    facts = read_facts(folder)
    shapes: dict[str, tuple[int | str, ...]] = {
        "vectors": ("s", _features(facts)),
        "support": ("s",),
        "labels": ("k",),
        "counts": ("k",),
        "coefficients": ("k - 1", "s"),
        "biases": ("pairs",),
    }
    arrays = read_arrays(folder, {**shapes, **_scale_shapes(facts)})
    svm = _svm(folder, facts.settings, arrays)
    if not _are_classes(svm.labels, len(facts.classes)):
        raise input_error(folder, "its classes are not those of an SVM", _FIX)
    return SavedPipeline(facts, _svm_pipeline(_scale(arrays), svm, arrays["vectors"]))


def svm_predictor(fitted: Fitted) -> Predictor:
    """Return what predicts as the SVM does that `save_svm` writes; `fitted` as it receives it."""
    svm, scale = fitted.parts

    def build() -> Predict:
        vectors = as_seen(fitted.data.train.images[svm.support], fitted.view)
        return _predict(_svm_pipeline(scale, svm, vectors), fitted)

    return Predictor(build)


def logistic_predictor(fitted: Fitted) -> Predictor:
    """Return what predicts as the model does that `save_logistic` writes; `fitted` as there."""
    model, scale = fitted.parts
    return Predictor(lambda: _predict(_pipeline(scale, model), fitted))


def _predict(pipeline: Pipeline, fitted: Fitted) -> Predict:
    def predict(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
        return np.asarray(pipeline.predict(rows_of(as_seen(images, fitted.view))), np.int64)

    return predict


def rows_of(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Return what a pipeline takes: (n, features) pixels of (n, h, w) or (n, h, w, 3) images."""
    return images.reshape(len(images), -1).astype(np.float64)


def _svm_pipeline(scale: Scale, svm: PlainSvm, vectors: Array) -> Pipeline:
    """Return an SVM on pixels; `vectors` are the pixels of its support vectors, as it sees them."""
    standard = (in_unit_range(vectors) - scale.mean) / scale.deviation
    return _pipeline(scale, to_svc(svm, standard.astype(np.float64)))


def _svm(where: Path, settings: Mapping[str, Any], arrays: Mapping[str, Array]) -> PlainSvm:
    """Return an SVM whose numbers fit each other: LIBSVM reads beyond arrays that do not.

    Raises: InputError: they do not.
    """
    kernel, labels, counts = settings.get("kernel"), arrays["labels"], arrays["counts"]
    k, s = len(labels), len(arrays["support"])
    numbers = [settings.get(name) for name in ("C", "gamma", "degree")]
    fits = (
        kernel in KERNELS
        and k >= 2
        and all(array.dtype.kind == "i" for array in (labels, counts, arrays["support"]))
        and arrays["coefficients"].shape == (k - 1, s)
        and arrays["biases"].shape == (k * (k - 1) // 2,)
        and counts.shape == (k,)
        and (counts >= 0).all()
        and counts.sum() == s
        and all(isinstance(one, int | float) and 0 < one < np.inf for one in numbers)
    )
    if not fits:
        raise input_error(where, "its numbers are not those of an SVM", _FIX)
    C, gamma, degree = (float(one) for one in numbers if one is not None)
    return PlainSvm(
        kernel=str(kernel),
        C=C,
        gamma=gamma,
        degree=int(degree),
        labels=labels.astype(np.int64),
        support=arrays["support"].astype(np.int64),
        counts=counts.astype(np.int64),
        coefficients=arrays["coefficients"].astype(np.float64),
        biases=arrays["biases"].astype(np.float64),
    )


def made_again(pipeline: Pipeline, where: Path) -> Pipeline:
    """Return a pipeline of our own with the numbers of one that was read from a stranger's file.

    Args:
        pipeline: a `StandardScaler` and an `SVC` or `LogisticRegression`, with any attributes.
        where: the file, for what is said.

    Raises: InputError: an attribute is missing or not an array of finite numbers, or they do not
        fit each other.
    """
    scaler, found = (vars(step) for _, step in pipeline.steps)
    means, scales = _array(scaler, "mean_", where, 1), _array(scaler, "scale_", where, 1)
    labels = _array(found, "classes_", where, 1)
    classifier: Any
    if isinstance(pipeline.steps[1][1], SVC):
        arrays = {
            "support": _array(found, "support_", where, 1),
            "labels": labels,
            "counts": _array(found, "_n_support", where, 1),
            "coefficients": _array(found, "_dual_coef_", where, 2),
            "biases": _array(found, "_intercept_", where, 1),
        }
        svm = _svm(where, {**found, "gamma": found.get("_gamma")}, arrays)
        vectors = _array(found, "support_vectors_", where, 2)
        fits = vectors.shape == (len(svm.support), len(means)) and found.get("coef0") == 0
        classifier = to_svc(svm, vectors.astype(np.float64))
    else:
        classifier = LogisticRegression()
        classifier.classes_, classifier.n_features_in_ = labels, len(means)
        classifier.coef_ = _array(found, "coef_", where, 2)
        classifier.intercept_ = _array(found, "intercept_", where, 1)
        rows = 1 if len(labels) == 2 else len(labels)
        fits = classifier.coef_.shape == (rows, len(means)) and len(classifier.intercept_) == rows
    if not fits or means.shape != scales.shape or not _are_classes(labels, 2**31):
        raise input_error(where, "its numbers do not fit each other", _FIX)
    return Pipeline([("scaler", _scaler(means, scales)), ("classifier", classifier)])


def _array(attributes: Mapping[str, Any], name: str, where: Path, dimensions: int) -> Array:
    array = attributes.get(name)
    if (
        not isinstance(array, np.ndarray)
        or array.dtype.kind not in "if"
        or array.ndim != dimensions
        or not np.isfinite(array).all()
    ):
        raise input_error(where, f"its {name} is not an array of finite numbers", _FIX)
    return array


def load_logistic(folder: Path) -> SavedPipeline:
    """Return a saved logistic regression. Raises: InputError: it is not one, or is damaged."""
    facts = read_facts(folder)
    shapes: dict[str, tuple[int | str, ...]] = {
        "labels": ("k",),
        "weights": ("rows", _features(facts)),
        "biases": ("rows",),
    }
    arrays = read_arrays(folder, {**shapes, **_scale_shapes(facts)})
    labels, C = arrays["labels"], facts.settings.get("C")
    rows = 1 if len(labels) == 2 else len(labels)
    if (
        not _are_classes(labels, len(facts.classes))
        or len(arrays["biases"]) != rows
        or not isinstance(C, int | float)
    ):
        raise input_error(folder, "its numbers are not those of a logistic regression", _FIX)
    model = LogisticRegression(C=C)
    model.classes_, model.coef_, model.intercept_ = labels, arrays["weights"], arrays["biases"]
    model.n_features_in_ = _features(facts)
    model.n_iter_ = np.zeros(1, np.int32)
    return SavedPipeline(facts, _pipeline(_scale(arrays), model))


@dataclass(frozen=True, eq=False)
class SavedPipeline:
    """A saved model on standardised pixels.

    Args:
        facts: of it.
        pipeline: takes (n, height * width * channels) pixels, 0..255.
    """

    facts: Facts
    pipeline: Pipeline

    @property
    def forms(self) -> Mapping[str, Form]:
        """As `SavedModel`."""
        libraries = ("numpy", "pillow", "scikit-learn", "skops")
        onnx = ("numpy", "pillow", "onnxruntime")
        return {
            "skops": Form("model.skops", "predict_skops.py.txt", libraries, self._write_skops),
            "onnx": Form("model.onnx", "predict_onnx.py.txt", onnx, self._write_onnx),
        }

    def config(self) -> dict[str, object]:
        """As `SavedModel`."""
        return {
            "classes": list(self.facts.classes),
            "size": [self.facts.height, self.facts.width],
            "mode": self.facts.mode,
            "flat": True,
        }

    def agrees(self, label: int, scores: npt.NDArray[np.float64], expected: int) -> bool:
        """As `SavedModel`: the class is the same."""
        return label == expected

    def _write_skops(self, folder: Path) -> None:
        from skops.io import dump

        dump(self.pipeline, folder / "model.skops")

    def _write_onnx(self, folder: Path) -> None:
        from skl2onnx import to_onnx
        from skl2onnx.common.data_types import FloatTensorType

        kind = [("pixels", FloatTensorType([None, _features(self.facts)]))]
        classifier = self.pipeline.steps[-1][1]
        options = {id(classifier): {"zipmap": False, "raw_scores": True}}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # skl2onnx reads what SVC will drop
            graph = to_onnx(self.pipeline, initial_types=kind, options=options)
        (folder / "model.onnx").write_bytes(graph.SerializeToString())


_FIX = "restore it from a copy, or run the trial again"


def _features(facts: Facts) -> int:
    return facts.height * facts.width * facts.channels


def _scale_shapes(facts: Facts) -> dict[str, tuple[int | str, ...]]:
    return dict.fromkeys(Scale._fields, (_features(facts),))


def _scale(arrays: Mapping[str, Array]) -> Scale:
    return Scale(*(arrays[name] for name in Scale._fields))


def _are_classes(labels: Array, classes: int) -> bool:
    """Return whether these are numbers of two or more of so many classes, ascending."""
    if labels.dtype.kind != "i" or len(labels) < 2:
        return False
    return bool((np.diff(labels) > 0).all() and labels[0] >= 0 and labels[-1] < classes)


def _pipeline(scale: Scale, classifier: Any) -> Pipeline:
    """Return a pipeline whose scaler does both: pixels to [-1, 1], and those standardised."""
    mean = HALF + HALF * scale.mean.astype(np.float64)
    scaler = _scaler(mean, HALF * scale.deviation.astype(np.float64))
    return Pipeline([("scaler", scaler), ("classifier", classifier)])


def _scaler(mean: Array, scale: Array) -> StandardScaler:
    scaler = StandardScaler()
    scaler.mean_, scaler.scale_ = mean.astype(np.float64), scale.astype(np.float64)
    scaler.var_ = scaler.scale_**2
    scaler.n_features_in_, scaler.n_samples_seen_ = len(mean), np.int64(1)
    return scaler
