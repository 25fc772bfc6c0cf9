"""What one SVM training promises, on scikit-learn's embedded digits."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.svm import SVC

from tune_mnist.errors import InputError
from tune_mnist.training.measurement import Measurement
from tune_mnist.training.svm import KERNELS, SvmConfig, standardised, train


@dataclass(frozen=True)
class Split:
    images: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True)
class Digits:
    train: Split
    val: Split
    test: Split


@pytest.fixture(scope="module")
def digits() -> Digits:
    """Read-only, as Ray hands them to a trial."""
    images, labels = load_digits(return_X_y=True)
    images = (images * 15).astype(np.uint8).reshape(-1, 8, 8)
    labels = labels.astype(np.int64)
    images.flags.writeable = labels.flags.writeable = False
    parts = (slice(0, 1000), slice(1000, 1300), slice(1300, None))
    return Digits(*(Split(images[part], labels[part]) for part in parts))


@pytest.mark.parametrize("kernel", KERNELS)
def test_accuracies_equal_plain_scikit_learn(digits: Digits, kernel: str) -> None:
    measured = train(SvmConfig(kernel, C=1.0), digits, lambda _: None, seed=0)
    rows = standardised(digits)
    model = SVC(kernel=kernel, C=1.0).fit(rows[0], digits.train.labels)
    parts = (digits.train, digits.val, digits.test)
    expected = [model.score(x, part.labels) for x, part in zip(rows, parts, strict=True)]
    got = [measured["train_accuracy"], measured["val_accuracy"], measured["test_accuracy"]]
    assert got == pytest.approx(expected, abs=1e-9)


def test_one_complete_report_is_what_is_returned(digits: Digits) -> None:
    reports: list[Measurement] = []
    measured = train(SvmConfig("linear", C=1.0), digits, reports.append, seed=0)
    assert reports == [measured]
    assert (measured["step"], measured["fidelity"]) == (1, 1.0)


def test_times_add_up_to_the_wall_time(digits: Digits) -> None:
    measured = train(SvmConfig("linear", C=1.0), digits, lambda _: None, seed=0)
    parts = measured["setup_s"] + measured["fit_s"] + measured["eval_s"]
    assert parts == pytest.approx(measured["wall_time_s"])


def test_parameters_count_vectors_coefficients_and_intercepts(digits: Digits) -> None:
    measured = train(SvmConfig("rbf", C=1.0), digits, lambda _: None, seed=0)
    model = SVC(C=1.0).fit(standardised(digits)[0], digits.train.labels)
    vectors = len(model.support_)
    assert measured["parameters"] == pytest.approx(vectors * (64 + 9) + 45, rel=0.01)


def test_without_intelex_scikit_learn_runs_and_says_so(
    digits: Digits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sklearnex", None)
    measured = train(SvmConfig("rbf", C=1.0), digits, lambda _: None, seed=0)
    assert measured["engine"] == "scikit-learn"


def test_gamma_is_the_same_number_as_text_and_as_float(digits: Digits) -> None:
    results = [
        train(SvmConfig("rbf", 1.0, gamma), digits, lambda _: None, seed=0)
        for gamma in ("0.001", 0.001)
    ]
    assert results[0]["test_accuracy"] == results[1]["test_accuracy"]


def test_training_rows_have_mean_zero_and_deviation_one_or_zero(digits: Digits) -> None:
    rows = standardised(digits)[0]
    deviation = rows.std(axis=0)
    assert np.allclose(rows.mean(axis=0), 0, atol=1e-5)
    assert np.all(np.isclose(deviation, 1, atol=1e-4) | (deviation < 1e-5))


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"kernel": "rfb"}, "kernel"),
        ({"C": 0.0}, "C"),
        ({"C": float("nan")}, "C"),
        ({"gamma": "auto"}, "gamma"),
        ({"gamma": "-1"}, "gamma"),
        ({"degree": 0}, "degree"),
        ({"degree": 2.5}, "degree"),
    ],
)
def test_impossible_hyperparameter_is_named(values: dict[str, object], key: str) -> None:
    with pytest.raises(InputError, match=f"^svm: {key}: ") as caught:
        SvmConfig(**{"kernel": "rbf", "C": 1.0, **values})  # type: ignore[arg-type]
    assert len(caught.value.faults) == 1
