"""Which hyperparameters an SVM accepts, and which engine a search over them uses."""

from __future__ import annotations

import numpy as np
import pytest

from tune_mnist.datasets import Dataset, Images
from tune_mnist.errors import InputError
from tune_mnist.training.options import TrainOptions
from tune_mnist.training.svm import config as svm_config
from tune_mnist.training.svm.config import SvmConfig, choose_engine, gram_bytes
from tune_mnist.training.svm.train import train

GRID = [SvmConfig("rbf", C) for C in (1.0, 10.0)]
PLENTY = 64 << 30


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


def test_mnist_shares_one_matrix() -> None:
    engine, reason = choose_engine(GRID, 42_000, 16_000, 10, PLENTY)
    assert engine == "shared-gram"
    assert "9.7 GB" in reason


def test_too_little_memory_means_one_svc_per_trial() -> None:
    needed = gram_bytes(42_000, 16_000)
    engine, reason = choose_engine(GRID, 42_000, 16_000, 10, free_bytes=needed)
    assert engine != "shared-gram"
    assert "9.7 GB free" in reason


def test_few_rows_are_not_worth_sharing() -> None:
    engine, reason = choose_engine(GRID, 1_257, 540, 10, PLENTY)
    assert engine != "shared-gram"
    assert "1,257" in reason


def test_a_search_of_sigmoid_only_runs_on_scikit_learn() -> None:
    assert (
        choose_engine([SvmConfig("sigmoid", 1.0)], 42_000, 16_000, 10, PLENTY)[0] == "scikit-learn"
    )


def test_without_intelex_each_trials_svc_is_scikit_learns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(svm_config, "intelex_installed", lambda: False)
    assert choose_engine(GRID, 1_257, 540, 10, PLENTY)[0] == "scikit-learn"


@pytest.mark.skipif(not svm_config.intelex_installed(), reason="the choice is LIBSVM anyway")
@pytest.mark.parametrize(
    ("n_train", "classes", "expected"),
    [
        (2_100, 300, "scikit-learn"),  # 7 images a class: 41 s on oneDAL, 3.6 s on LIBSVM
        (1_200, 30, "scikit-learn"),
        (1_257, 10, "scikit-learn-intelex"),
        (2_500, 20, "scikit-learn-intelex"),
        (12_000, 300, "shared-gram"),
    ],
)
def test_many_small_classes_are_fitted_by_libsvm(n_train: int, classes: int, expected: str) -> None:
    engine, reason = choose_engine(GRID, n_train, n_train // 2, classes, PLENTY)
    assert engine == expected
    pairs = f"{classes * (classes - 1) // 2:,} pairs of small classes are fitted one by one"
    assert (pairs in reason) == (expected == "scikit-learn")


def test_a_trial_runs_on_the_engine_that_the_plan_names() -> None:
    rng = np.random.default_rng(0)

    def part(each: int) -> Images:
        pixels = rng.integers(0, 256, (40 * each, 4, 4), dtype=np.uint8)
        return Images(pixels, np.repeat(np.arange(40), each))

    data = Dataset("many", part(3), part(1), part(1), tuple(map(str, range(40))), "hash", "by hand")
    measured = train(GRID[0], data, lambda *_: None, TrainOptions())
    assert measured["engine"] == choose_engine(GRID, 120, 80, 40, PLENTY)[0] == "scikit-learn"
