"""Which hyperparameters an SVM accepts, and which engine a search over them uses."""

from __future__ import annotations

import pytest

from tune_mnist.errors import InputError
from tune_mnist.training.svm import config as svm_config
from tune_mnist.training.svm.config import SvmConfig, choose_engine, gram_bytes

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
    engine, reason = choose_engine(GRID, 42_000, 16_000, PLENTY)
    assert engine == "shared-gram"
    assert "9.7 GB" in reason


def test_too_little_memory_means_one_svc_per_trial() -> None:
    needed = gram_bytes(42_000, 16_000)
    engine, reason = choose_engine(GRID, 42_000, 16_000, free_bytes=needed)
    assert engine != "shared-gram"
    assert "9.7 GB free" in reason


def test_few_rows_are_not_worth_sharing() -> None:
    engine, reason = choose_engine(GRID, 1_257, 540, PLENTY)
    assert engine != "shared-gram"
    assert "1,257" in reason


def test_a_search_of_sigmoid_only_runs_on_scikit_learn() -> None:
    assert choose_engine([SvmConfig("sigmoid", 1.0)], 42_000, 16_000, PLENTY)[0] == "scikit-learn"


def test_without_intelex_each_trials_svc_is_scikit_learns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(svm_config, "intelex_installed", lambda: False)
    assert choose_engine(GRID, 1_257, 540, PLENTY)[0] == "scikit-learn"
