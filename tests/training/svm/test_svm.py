"""What one SVM training promises on scikit-learn's digits, whichever engine runs."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score
from sklearn.svm import SVC

from tune_mnist.datasets import Dataset, Images, first_rows
from tune_mnist.training.measurement import Measurement
from tune_mnist.training.options import TrainOptions
from tune_mnist.training.pixels import standardised
from tune_mnist.training.svm import one_vs_one
from tune_mnist.training.svm import train as svm
from tune_mnist.training.svm.train import SvmConfig, train

ENGINES = ["scikit-learn", "shared-gram"]
if importlib.util.find_spec("sklearnex"):
    ENGINES.append("scikit-learn-intelex")
CONFIGS = [
    SvmConfig("rbf", 1.0),
    SvmConfig("rbf", 10.0, "0.001"),
    SvmConfig("poly", 1.0, degree=2),
    SvmConfig("poly", 1.0, 0.01),
    SvmConfig("linear", 1.0),
    SvmConfig("sigmoid", 1.0),
]


@pytest.fixture(scope="module")
def gram_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gram")


def run(
    engine: str,
    config: SvmConfig,
    data: Dataset,
    gram_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    reports: list[Measurement] | None = None,
) -> Measurement:
    """Train with the named engine."""
    own = "scikit-learn" if engine == "scikit-learn" else "scikit-learn-intelex"
    monkeypatch.setattr(svm, "own_engine", lambda *_: own)
    shared = gram_dir if engine == "shared-gram" else None
    kept: list[Measurement] = [] if reports is None else reports
    return train(config, data, lambda m, _: kept.append(m), TrainOptions(gram_dir=shared))


@pytest.mark.parametrize("engine", ENGINES)
class TestEveryEngine:
    @pytest.mark.parametrize("config", CONFIGS, ids=str)
    def test_accuracies_equal_a_plain_svc(
        self,
        engine: str,
        config: SvmConfig,
        digits: Dataset,
        gram_dir: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        measured = run(engine, config, digits, gram_dir, monkeypatch)
        gamma = "scale" if config.gamma == "scale" else float(config.gamma)
        model = SVC(kernel=config.kernel, C=config.C, gamma=gamma, degree=config.degree)
        rows = standardised(digits)
        model.fit(rows[0], digits.train.labels)
        parts = (digits.train, digits.val, digits.test)
        expected = [model.score(x, part.labels) for x, part in zip(rows, parts, strict=True)]
        got = [measured["train_accuracy"], measured["val_accuracy"], measured["test_accuracy"]]
        assert got == pytest.approx(expected, abs=2e-4)

    def test_one_complete_measurement_is_reported(
        self, engine: str, digits: Dataset, gram_dir: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        reports: list[Measurement] = []
        measured = run(engine, SvmConfig("linear", 1.0), digits, gram_dir, monkeypatch, reports)
        assert reports == [measured]
        assert (measured["step"], measured["fidelity"], measured["engine"]) == (1, 1.0, engine)

    def test_the_confusion_agrees_with_the_test_accuracy(
        self, engine: str, digits: Dataset, gram_dir: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        measured = run(engine, SvmConfig("rbf", 1.0), digits, gram_dir, monkeypatch)
        counts = np.reshape(measured["confusion"], (10, 10))
        assert counts.sum(1).tolist() == np.bincount(digits.test.labels).tolist()
        assert np.trace(counts) / len(digits.test) == pytest.approx(measured["test_accuracy"])

    def test_times_add_up_to_the_wall_time(
        self, engine: str, digits: Dataset, gram_dir: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        measured = run(engine, SvmConfig("linear", 1.0), digits, gram_dir, monkeypatch)
        parts = measured["setup_s"] + measured["fit_s"] + measured["eval_s"]
        assert parts == pytest.approx(measured["wall_time_s"])

    def test_parameters_count_vectors_coefficients_and_intercepts(
        self, engine: str, digits: Dataset, gram_dir: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        measured = run(engine, SvmConfig("rbf", 1.0), digits, gram_dir, monkeypatch)
        model = SVC(C=1.0).fit(standardised(digits)[0], digits.train.labels)
        expected = len(model.support_) * (64 + 9) + 45
        assert measured["parameters"] == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize("limit", [10, one_vs_one.LIMIT])
def test_a_measurement_says_whether_the_solver_converged(
    limit: int, digits: Dataset, gram_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(one_vs_one, "LIMIT", limit)
    measured = run("shared-gram", SvmConfig("rbf", 1.0), digits, gram_dir, monkeypatch)
    assert measured["converged"] == (limit > 10)
    plain = run("scikit-learn", SvmConfig("rbf", 1.0), digits, gram_dir, monkeypatch)
    assert plain["converged"]


@pytest.mark.parametrize("config", CONFIGS[:5], ids=str)
def test_every_engine_fits_the_same_fraction(
    config: SvmConfig, digits: Dataset, gram_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    third = replace(config, train_fraction=1 / 3)
    rows = first_rows(digits.train.labels, 1 / 3)
    x_train, x_val, _ = standardised(digits)
    scale = 1 / (x_train.shape[1] * x_train.var())  # of all rows, whatever the fraction
    gamma = scale if config.gamma == "scale" else float(config.gamma)
    plain = SVC(kernel=config.kernel, C=config.C, gamma=gamma, degree=config.degree)
    plain.fit(x_train[rows], digits.train.labels[rows])
    expected = [
        plain.score(x_train[rows], digits.train.labels[rows]),
        plain.score(x_val, digits.val.labels),
    ]
    for engine in ENGINES:
        measured = run(engine, third, digits, gram_dir, monkeypatch)
        got = [measured["train_accuracy"], measured["val_accuracy"]]
        assert got == pytest.approx(expected, abs=2e-4), engine
        assert measured["fidelity"] == 1 / 3


def test_sigmoid_runs_on_scikit_learn_even_if_a_matrix_is_shared(
    digits: Dataset, gram_dir: Path
) -> None:
    config = SvmConfig("sigmoid", 1.0)
    measured = train(config, digits, lambda *_: None, TrainOptions(gram_dir=gram_dir))
    assert measured["engine"] == "scikit-learn"


@pytest.fixture(scope="module")
def unequal(digits: Dataset) -> Dataset:
    """Digits of which the classes from 5 up have 8 training images each, the others over 100."""
    labels = digits.train.labels
    rare = np.concatenate([np.flatnonzero(labels == one)[:8] for one in range(5, 10)])
    rows = np.sort(np.concatenate([np.flatnonzero(labels < 5), rare]))
    train_set = Images(digits.train.images[rows], labels[rows])
    return replace(digits, train=train_set, content_hash="unequal")


@pytest.mark.parametrize("fraction", [1.0, 0.5])
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "config", [SvmConfig("rbf", 0.05), SvmConfig("poly", 0.01), SvmConfig("linear", 1e-4)], ids=str
)
def test_balanced_classes_are_scikit_learns(
    config: SvmConfig,
    engine: str,
    fraction: float,
    unequal: Dataset,
    gram_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = replace(config, class_weight="balanced", train_fraction=fraction)
    measured = run(engine, config, unequal, gram_dir, monkeypatch)
    x_train, x_val, x_test = standardised(unequal)
    rows = first_rows(unequal.train.labels, fraction)
    gamma = 1 / (x_train.shape[1] * x_train.var())
    plain = SVC(kernel=config.kernel, C=config.C, gamma=gamma, class_weight="balanced")
    plain.fit(x_train[rows], unequal.train.labels[rows])
    val, test = plain.predict(x_val), plain.predict(x_test)
    # oneDAL's intercepts are wrong with class weights, so LIBSVM takes its place.
    runs = "shared-gram" if engine == "shared-gram" else "scikit-learn"
    assert measured["engine"] == runs
    assert measured["val_accuracy"] == pytest.approx(
        np.mean(val == unequal.val.labels), abs=0.006
    )  # an image
    expected = balanced_accuracy_score(unequal.test.labels, test)
    assert measured["test_balanced_accuracy"] == pytest.approx(expected, abs=0.003)
    vectors = len(plain.support_) * (64 + 9) + 45
    assert measured["parameters"] == pytest.approx(vectors, rel=0.01)
    without = run(engine, replace(config, class_weight="none"), unequal, gram_dir, monkeypatch)
    assert measured["confusion"] != without["confusion"]
