"""Importance: planted effects are found, noise is marked, and too few trials are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from optuna.distributions import FloatDistribution

from tests.analysis.example_store import stored, trial
from tune_mnist.analysis.importance import (
    FEWEST_CONFIGURATIONS,
    Importance,
    Influence,
    _distribution,
    importances,
)
from tune_mnist.cli import run


def planted(root: Path, count: int, seed: int = 0) -> Importance:
    """C decides the accuracy and the kernel the time; gamma is noise, only poly has a degree."""
    draw = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        C, gamma = float(10 ** draw.uniform(-2, 2)), float(draw.uniform(0.001, 0.01))
        kernel = str(draw.choice(["rbf", "poly"]))
        config = {"C": C, "gamma": gamma, "kernel": kernel, "learning_rate": 1.0}
        if kernel == "poly":
            config["degree"] = int(draw.choice([2, 3]))
        accuracy = 0.9 - 0.05 * abs(np.log10(C)) + 0.001 * draw.normal()
        seconds = (10.0 if kernel == "poly" else 1.0) * float(draw.uniform(0.9, 1.1))
        rows.append(trial(str(number), accuracy, wall_time_s=seconds, config=config))
    [found] = importances(stored(root, rows))
    return found


def one(found: Importance, name: str) -> Influence:
    return next(entry for entry in found.hyperparameters if entry.name == name)


def test_what_decides_the_accuracy_comes_first_and_beyond_chance(tmp_path: Path) -> None:
    found = planted(tmp_path, 80)
    assert found.hyperparameters[0].name == "C"
    assert one(found, "C").beyond_chance["val_accuracy"]


def test_accuracy_and_time_have_different_causes(tmp_path: Path) -> None:
    found = planted(tmp_path, 80)
    C, kernel = one(found, "C").shares, one(found, "kernel").shares
    assert C["val_accuracy"] > 0.5 > C["wall_time_s"]
    assert kernel["wall_time_s"] > 3 * kernel["val_accuracy"]


def test_noise_is_marked_as_possibly_chance_nineteen_times_of_twenty(tmp_path: Path) -> None:
    called = [
        one(planted(tmp_path / str(seed), 40, seed), "gamma").beyond_chance["val_accuracy"]
        for seed in range(12)
    ]
    assert sum(called) <= 3


def test_a_conditional_hyperparameter_is_measured_on_the_trials_that_have_it(
    tmp_path: Path,
) -> None:
    found = planted(tmp_path, 80)
    assert 0 < one(found, "degree").active < found.configurations == 80


def test_a_hyperparameter_that_never_varies_is_named_and_not_measured(tmp_path: Path) -> None:
    assert planted(tmp_path, 30).constant == ("learning_rate",)


@pytest.mark.parametrize(("highest", "by_logarithm"), [(1.9, False), (2.1, True)])
def test_numbers_that_span_more_than_a_factor_of_20_are_compared_by_logarithm(
    highest: float, by_logarithm: bool
) -> None:
    domain = _distribution([*np.linspace(0.1, 1.0, 9), highest])
    assert isinstance(domain, FloatDistribution)
    assert domain.log == by_logarithm


def test_too_few_configurations_give_no_shares(tmp_path: Path) -> None:
    assert planted(tmp_path, FEWEST_CONFIGURATIONS - 1).hyperparameters == ()


def test_the_command_says_how_many_configurations_it_needs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    planted(tmp_path, 3)
    assert run(["importance", "--results", str(tmp_path)]) == 0
    assert "too few to tell" in capsys.readouterr().out
