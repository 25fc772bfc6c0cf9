"""Trials that take over each other's training."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest
import ray

from tests.searching.conftest import Searched, plan_text
from tune_mnist.searching.observer import Observer, Row
from tune_mnist.searching.on_ray.scheduling.population import Population, perturbed
from tune_mnist.searching.on_ray.scheduling.schedulers import SCHEDULERS
from tune_mnist.spaces import (
    Choice,
    Config,
    Domain,
    IntUniform,
    LogUniform,
    Scalar,
    Uniform,
    changeable,
    searched_in,
)
from tune_mnist.store.reader import read_reports

SPACE = """
model: resnet
dataset: digits
parameters:
  batch_size: 16
  learning_rate: {choice: [1.0e-9, 0.01, 1.0e-8, 1.0e-7]}
  epochs: 4
search: {sampler: random, scheduler: pbt, trials: 4, seed: 1}
"""


def test_the_worst_takes_over_the_best_the_schedule_says_when_and_none_is_reused(
    search: Callable[..., Searched], tmp_path: Path
) -> None:
    # One at a time: side by side, the load decides whether the worst is looked at before it ends.
    outcome, rows = search(SPACE)
    assert outcome.counts == {"completed": 4}
    reports = read_reports(tmp_path / "results", search="s").to_pylist()
    changed = 0
    for row in rows:
        epochs = [one["step"] for one in reports if one["trial"] == row["trial"]]
        assert epochs == sorted(set(epochs))
        assert epochs[-1] == 4
        schedule = json.loads(row["schedule"])
        assert schedule[0][0] == 0
        assert [at for at, _ in schedule] == sorted(at for at, _ in schedule)
        assert schedule[-1][1]["learning_rate"] == row["config.learning_rate"]
        changed += len(schedule) > 1
    assert changed
    assert sorted(row["trial"] for row in rows) == ["00000", "00001", "00002", "00003"]
    # None is reused: its configuration is what it ended with, not what it was trained with.
    outcome, _ = search(SPACE.replace("pbt", "none"), "plain", remember=True, trials=1)
    assert (outcome.counts, outcome.reused) == ({"completed": 1}, 0)


class CountsFreeCores(Observer):
    """Notes how many of Ray's two cores are free whenever a trial reports."""

    def __init__(self) -> None:
        self.free: list[float] = []

    def trial_reported(self, trial: str, measurement: Row) -> None:
        self.free.append(ray.available_resources().get("CPU", 0.0))


def test_one_at_a_time_a_population_is_the_same_again(search: Callable[..., Searched]) -> None:
    found = []
    for name in ("first", "second"):
        random.seed(name)  # nothing may hang on Python's own generator
        observer = CountsFreeCores()
        text = SPACE.replace("epochs: 4", "epochs: 3")
        text = text.replace("{choice: [1.0e-9, 0.01, 1.0e-8, 1.0e-7]}", "{uniform: [0.001, 0.1]}")
        _, rows = search(text, name, observer)
        found.append(sorted((row["trial"], row["schedule"], row["val_accuracy"]) for row in rows))
        assert min(observer.free) >= 1
        assert len(observer.free) < 2 * 4 * 3  # each in turn, though most measure the same
    assert found[0] == found[1]
    assert any(len(json.loads(schedule)) > 1 for _, schedule, _ in found[0])


CONDITIONAL = """
model: resnet
dataset: digits
parameters:
  batch_size: {choice: [16, 32, 64]}
  optimizer: {choice: [sgd, adam]}
  learning_rate: {log_uniform: [0.01, 0.1], when: {optimizer: sgd}}
  epochs: 4
search: {sampler: random, scheduler: pbt, trials: 4}
"""


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_changed_configuration_is_one_of_the_space(optimizer: str, tmp_path: Path) -> None:
    plan = plan_text(tmp_path, CONDITIONAL)
    population = SCHEDULERS["pbt"](plan.space, plan.device)
    assert isinstance(population, Population)
    config: Config = {
        "architecture": "resnet18",
        "batch_size": 32,
        "optimizer": optimizer,
        "learning_rate": 0.05 if optimizer == "sgd" else 0.001,
        "epochs": 4,
    }
    changed = []
    for _ in range(100):
        config = population.explored(config)
        assert searched_in(plan.space, config, plan.device) is not None
        changed.append(config)
    assert len({one["batch_size"] for one in changed}) == 3
    assert any(one["learning_rate"] != 0.001 for one in changed) == (optimizer == "sgd")


def test_what_a_when_names_does_not_change(tmp_path: Path) -> None:
    text = CONDITIONAL.replace("{optimizer: sgd}", "{batch_size: [16, 32]}")
    assert set(changeable(plan_text(tmp_path, text).space)) == {"learning_rate"}


@pytest.mark.parametrize(
    ("domain", "value"),
    [
        (Choice(choice=(16, 64, 32)), 32),
        (Uniform(uniform=(0.1, 0.9)), 0.85),
        (LogUniform(log_uniform=(1e-4, 1e-2)), 9e-3),
        (IntUniform(int_uniform=(2, 9)), 9),
    ],
)
def test_a_changed_value_stays_in_its_domain(domain: Domain, value: Scalar) -> None:
    draws = random.Random(0)
    new = [perturbed(domain, value, draws) for _ in range(200)]
    assert all(domain.contains(one) for one in new)
    assert all(type(one) is type(value) for one in new)
    assert len(set(new)) > 1


def test_words_change_to_a_neighbour_in_the_order_of_the_file() -> None:
    words = Choice(choice=("none", "shift", "flip", "both"))
    draws = random.Random(0)
    seen = {perturbed(words, "shift", draws) for _ in range(100)}
    assert seen == {"none", "shift", "flip", "both"}  # both only when it is drawn anew
    near = [perturbed(words, "none", draws) for _ in range(400)]
    assert near.count("none") > near.count("shift") > near.count("both")
