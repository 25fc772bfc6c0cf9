"""A configuration holds exactly what matters to its training, and none is listed twice."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.spaces.conftest import RESNET, SVM, Read
from tune_mnist.models.registry import hyperparameters_of
from tune_mnist.spaces import (
    Config,
    collapsed,
    config_key,
    configurations,
    point_configurations,
    size,
    suggest,
)

KERNELS = ["linear", "rbf", "poly", "sigmoid"]
DEFAULTS: Config = {"kernel": "rbf", "C": 1.0, "gamma": "scale", "degree": 3}
NEEDS = {"gamma": ["rbf", "poly", "sigmoid"], "degree": ["poly"]}

Tree = dict[str, dict[str, Any]]


def some(values: list[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(st.sampled_from(values), min_size=1, unique=True)


@st.composite
def svm_parameters(draw: st.DrawFn) -> Tree:
    """Some parameters of svm in any order, each perhaps conditional on earlier ones."""
    options: dict[str, list[Any]] = {
        "kernel": KERNELS,
        "C": [0.1, 1.0, 10.0],
        "gamma": ["scale", 0.001, 0.1],
        "degree": [2, 3, 4],
    }
    names = draw(some(list(options)))
    tree: Tree = {}
    for name in sorted(names, key=list(options).index):
        domain: dict[str, Any] = {"choice": draw(some(options[name]))}
        parents = draw(st.lists(st.sampled_from(list(tree)), unique=True)) if tree else []
        when = {parent: draw(some(tree[parent]["choice"])) for parent in parents}
        tree[name] = {**domain, "when": when} if when else domain
    return {name: tree[name] for name in names}


def write(parameters: Tree) -> str:
    """Return the space file; JSON is YAML."""
    return json.dumps({"model": "svm", "dataset": "digits", "parameters": parameters})


def by_definition(parameters: Tree) -> Iterator[Config]:
    """Reduce every combination of values to what matters: slow and plain, duplicates included."""
    choices = [parameters[name]["choice"] for name in parameters]
    for values in itertools.product(*choices):
        drawn = dict(zip(parameters, values, strict=True))
        config: Config = {}
        searched: set[str] = set()
        for name, default in DEFAULTS.items():
            if name in NEEDS and config["kernel"] not in NEEDS[name]:
                continue
            when = parameters.get(name, {}).get("when", {})
            holds = all(p in searched and config[p] in wanted for p, wanted in when.items())
            if name in parameters and holds:
                searched.add(name)
                config[name] = drawn[name]
            else:
                config[name] = default
        yield config


any_space = settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


class TestEveryFiniteSpace:
    @any_space
    @given(parameters=svm_parameters())
    def test_listed_are_exactly_the_distinct_configurations(
        self, parameters: Tree, read: Read
    ) -> None:
        listed = [config_key(c) for c in configurations(read(write(parameters)), "cpu")]
        assert sorted(listed) == sorted({config_key(c) for c in by_definition(parameters)})

    @any_space
    @given(parameters=svm_parameters())
    def test_size_is_the_number_of_configurations(self, parameters: Tree, read: Read) -> None:
        space = read(write(parameters))
        assert size(space, "cpu") == len(list(configurations(space, "cpu")))

    @any_space
    @given(parameters=svm_parameters(), seed=st.integers(0, 9))
    def test_a_suggested_configuration_is_a_listed_one(
        self, parameters: Tree, seed: int, read: Read
    ) -> None:
        space = read(write(parameters))
        sampler = optuna.samplers.RandomSampler(seed=seed)
        config = suggest(space, optuna.create_study(sampler=sampler).ask(), "cpu")
        assert config in list(configurations(space, "cpu"))

    @any_space
    @given(parameters=svm_parameters())
    def test_a_trial_given_a_configuration_suggests_it(self, parameters: Tree, read: Read) -> None:
        """Samplers learn from past trials this way; a FixedTrial has only the given values."""
        space = read(write(parameters))
        for config in configurations(space, "cpu"):
            assert suggest(space, optuna.trial.FixedTrial(config), "cpu") == config


@pytest.fixture(autouse=True)
def _quiet() -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def listed(read: Read, text: str, device: Any = "cpu") -> list[Config]:
    return list(configurations(read(text), device))


def test_what_a_space_leaves_out_has_its_default(read: Read) -> None:
    assert listed(read, SVM + "  C: 2") == [{"kernel": "rbf", "C": 2.0, "gamma": "scale"}]


def test_what_is_not_searched_here_but_matters_has_its_default(read: Read) -> None:
    text = "  kernel: {choice: [rbf, poly]}\n  gamma: {choice: [0.1, 0.2], when: {kernel: rbf}}"
    gammas = [(c["kernel"], c["gamma"]) for c in listed(read, SVM + text)]
    assert gammas == [("rbf", 0.1), ("rbf", 0.2), ("poly", "scale")]


def test_a_condition_on_an_inactive_parameter_does_not_hold(read: Read) -> None:
    """Its default is 3, but under rbf it is not searched."""
    text = """
  kernel: {choice: [rbf, poly]}
  degree: {choice: [2, 3], when: {kernel: poly}}
  C: {choice: [5.0, 6.0], when: {degree: 3}}
"""
    found = [(c["kernel"], c.get("degree"), c["C"]) for c in listed(read, SVM + text)]
    assert found == [("rbf", None, 1.0), ("poly", 2, 1.0), ("poly", 3, 5.0), ("poly", 3, 6.0)]


def test_all_conditions_must_hold(read: Read) -> None:
    text = """
  kernel: {choice: [rbf, poly, sigmoid]}
  C: {choice: [1.0, 2.0]}
  gamma: {choice: [0.1, 0.2], when: {kernel: [rbf, poly], C: 2.0}}
"""
    searched = {(c["kernel"], c["C"]) for c in listed(read, SVM + text) if c["gamma"] != "scale"}
    assert searched == {("rbf", 2.0), ("poly", 2.0)}


def test_the_last_parameter_varies_fastest(read: Read) -> None:
    text = "  C: {choice: [2.0, 1.0]}\n  gamma: {choice: [0.2, 0.1]}"
    assert [(c["C"], c["gamma"]) for c in listed(read, SVM + text)] == [
        (2.0, 0.2),
        (2.0, 0.1),
        (1.0, 0.2),
        (1.0, 0.1),
    ]


@pytest.mark.parametrize(("device", "count"), [("cpu", 2), ("gpu", 4)])
def test_pin_memory_collapses_on_cpu(read: Read, device: Any, count: int) -> None:
    text = RESNET + "  batch_size: {choice: [16, 32]}\n  pin_memory: {choice: [true, false]}"
    found = listed(read, text, device)
    assert len(found) == size(read(text), device) == count
    assert all(("pin_memory" in config) == (device == "gpu") for config in found)


def test_a_device_in_the_space_overrules_the_plans(read: Read) -> None:
    text = RESNET + "  device: {choice: [cpu, gpu]}\n  pin_memory: {choice: [true, false]}"
    for plans_device in ("cpu", "gpu"):
        found = listed(read, text, plans_device)
        assert [(c["device"], c.get("pin_memory")) for c in found] == [
            ("cpu", None),
            ("gpu", True),
            ("gpu", False),
        ]


@pytest.mark.parametrize(
    ("text", "device", "names"),
    [
        (SVM + "  kernel: {choice: [rbf, poly]}\n  degree: {choice: [2, 3]}", "cpu", ["degree"]),
        (SVM + "  kernel: {choice: [linear, rbf]}\n  gamma: {choice: [1, 2]}", "cpu", ["gamma"]),
        (SVM + "  kernel: linear\n  gamma: {log_uniform: [1, 2]}", "cpu", ["gamma"]),
        (RESNET + "  pin_memory: {choice: [true, false]}", "cpu", ["pin_memory"]),
        (RESNET + "  pin_memory: {choice: [true, false]}", "gpu", []),
        (RESNET + "  pin_memory: true", "cpu", []),
        (
            SVM + "  kernel: {choice: [rbf, poly]}\n"
            "  degree: {choice: [2, 3], when: {kernel: poly}}",
            "cpu",
            [],
        ),
        (
            "model: svm\ndataset: digits\nsearch: {sampler: grid}\n"
            "points: [{kernel: [linear, rbf], gamma: [1, 2]}]",
            "cpu",
            ["gamma"],
        ),
        (  # given wherever a point is, not searched: nobody is surprised that it is left out
            "model: svm\ndataset: digits\nsearch: {sampler: grid}\n"
            "points: [{kernel: [linear, rbf], gamma: 1}]",
            "cpu",
            [],
        ),
    ],
)
def test_each_collapsed_parameter_gets_a_line(
    read: Read, text: str, device: Any, names: list[str]
) -> None:
    assert [line.split(": ")[0] for line in collapsed(read(text), device)] == names


def test_a_collapsed_line_says_when_the_parameter_matters(read: Read) -> None:
    [line] = collapsed(read(SVM + "  kernel: rbf\n  degree: {choice: [2, 3]}"), "cpu")
    assert line == "degree: matters only for kernel poly; left out elsewhere"


def test_points_expand_to_their_product_in_the_files_order(read: Read) -> None:
    text = "model: svm\ndataset: digits\nsearch: {sampler: grid}\npoints:\n"
    found = listed(read, text + "  - {kernel: rbf, C: [2, 1], gamma: [0.2, 0.1]}\n  - {C: 9}")
    assert [(c["C"], c["gamma"]) for c in found] == [
        (2.0, 0.2),
        (2.0, 0.1),
        (1.0, 0.2),
        (1.0, 0.1),
        (9.0, "scale"),
    ]


def test_points_that_mean_the_same_training_are_one(read: Read) -> None:
    text = "model: svm\ndataset: digits\nsearch: {sampler: grid}\npoints:\n"
    text += "  - {kernel: linear, gamma: [0.1, 0.2], degree: [2, 3]}\n  - {kernel: linear, C: 1}\n"
    assert listed(read, text) == [{"kernel": "linear", "C": 1.0}]
    assert size(read(text), "cpu") == 1


def test_points_come_first_and_not_again(read: Read) -> None:
    text = SVM + "  C: {choice: [1.0, 2.0, 3.0]}\n  kernel: linear\npoints: [{C: [3, 2]}]"
    assert [c["C"] for c in listed(read, text)] == [3.0, 2.0, 1.0]
    assert [c["C"] for c in point_configurations(read(text), "cpu")] == [3.0, 2.0]


def test_a_huge_space_is_counted_without_listing_it(read: Read) -> None:
    text = """
  learning_rate: {choice: [1e-4, 1e-3, 1e-2]}
  batch_size: {int_uniform: [2, 60001]}
  epochs: {int_uniform: [1, 1000000], when: {batch_size: [2, 3]}}
  optimizer: {choice: [sgd, adam], when: {epochs: [5, 7]}}
  pin_memory: {choice: [true, false]}
"""
    space = read(RESNET + text)
    batches_of_two_or_three = 2 * (1_000_000 + 2)
    assert size(space, "cpu") == 3 * (batches_of_two_or_three + 59_998)
    assert size(space, "gpu") == 2 * 3 * (batches_of_two_or_three + 59_998)


def test_a_huge_space_is_listed_lazily(read: Read) -> None:
    space = read(
        RESNET + "  batch_size: {int_uniform: [2, 60000]}\n  epochs: {int_uniform: [1, 99]}"
    )
    first = list(itertools.islice(configurations(space, "cpu"), 2))
    assert [config["epochs"] for config in first] == [1, 2]


def test_an_infinite_space_has_no_size_and_no_list(read: Read) -> None:
    space = read(SVM + "  C: {log_uniform: [1, 2]}")
    assert size(space, "cpu") is None
    with pytest.raises(ValueError, match="infinitely many"):
        configurations(space, "cpu")


def test_a_continuous_parameter_that_cannot_matter_leaves_the_space_finite(read: Read) -> None:
    assert size(read(SVM + "  kernel: linear\n  gamma: {uniform: [1, 2]}"), "cpu") == 1


def test_every_domain_is_drawn_from_within_its_bounds(read: Read) -> None:
    text = """
  learning_rate: {log_uniform: [1e-4, 1e-2]}
  batch_size: {int_log_uniform: [2, 512]}
  epochs: {int_uniform: [1, 3]}
  optimizer: {choice: [sgd, adam]}
"""
    space = read(RESNET + text)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(50):
        for name, value in suggest(space, study.ask(), "cpu").items():
            assert name not in space.parameters or space.parameters[name].contains(value)
            assert type(value) in hyperparameters_of("resnet")[name].types


def test_a_parameter_that_is_not_searched_here_is_never_asked_for(read: Read) -> None:
    text = "  kernel: {choice: [rbf, poly]}\n  degree: {choice: [2, 3]}\n  C: 2.0"
    trial = optuna.trial.FixedTrial({"kernel": "rbf"})
    suggest(read(SVM + text), trial, "cpu")
    assert set(trial.distributions) == {"kernel"}


def test_a_trial_on_points_alone_draws_one_of_them(read: Read) -> None:
    space = read("model: svm\ndataset: digits\nsearch: {sampler: random}\npoints: [{C: [1, 2, 3]}]")
    assert suggest(space, optuna.trial.FixedTrial({"point": 1}), "cpu")["C"] == 2.0


def test_the_key_of_a_configuration_ignores_the_order_of_its_names() -> None:
    assert config_key({"C": 1.0, "kernel": "rbf"}) == config_key({"kernel": "rbf", "C": 1.0})
    assert config_key({"C": 1.0, "kernel": "rbf"}) == '{"C": 1.0, "kernel": "rbf"}'


def test_configurations_have_their_names_in_the_models_order(read: Read, tmp_path: Path) -> None:
    text = SVM + "  gamma: 0.1\n  degree: 2\n  C: 1.0\n  kernel: poly"
    assert [list(config) for config in listed(read, text)] == [["kernel", "C", "gamma", "degree"]]
