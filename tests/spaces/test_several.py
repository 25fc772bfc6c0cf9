"""A space of several models: one conditional space, each configuration one model's."""

from __future__ import annotations

import json
from typing import Any

import optuna
import pytest

from tests.spaces.conftest import Read, Refuse
from tune_mnist.spaces import (
    Space,
    as_asked,
    config_key,
    configurations,
    size,
    suggest,
)
from tune_mnist.spaces.configurations import searched_in

HEAD = "model: {choice: [logistic, svm]}\ndataset: digits\n"
TWO = (
    HEAD
    + """parameters:
  logistic.C: {choice: [0.1, 1.0]}
  svm.C: {choice: [1.0, 10.0, 100.0]}
  kernel: {choice: [rbf, poly], when: {model: svm}}
  degree: {choice: [2, 3], when: {kernel: poly}}
  class_weight: {choice: [none, balanced]}
"""
)
GRID = TWO + "search: {sampler: grid}\n"
SVMS = 3 * (1 + 2) * 2  # C, kernel with degree, class_weight


def test_each_model_has_the_parameters_that_are_its_own_and_those_without_a_condition(
    read: Read,
) -> None:
    logistic, svm = read(GRID).parts()
    assert set(logistic.parameters) == {"C", "class_weight"}
    assert set(svm.parameters) == {"C", "kernel", "degree", "class_weight"}
    assert svm.parameters["kernel"].when == {}
    assert svm.parameters["degree"].when == {"kernel": ("poly",)}


def test_its_configurations_are_those_of_each_model_under_its_name(read: Read) -> None:
    space = read(GRID)
    found = list(configurations(space, "cpu"))
    assert len(found) == size(space, "cpu") == 2 * 2 + SVMS
    assert len({config_key(config) for config in found}) == len(found)
    assert {"model": "logistic", "C": 0.1, "max_iter": 100, "class_weight": "none"} in found
    assert all(("kernel" in config) == (config["model"] == "svm") for config in found)
    assert all(searched_in(space, config, "cpu") is not None for config in found)
    assert searched_in(space, {**found[0], "model": "svm"}, "cpu") is None


def test_a_sampler_is_asked_for_the_model_and_then_for_its_own_parameters(read: Read) -> None:
    space, study = read(TWO), optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    models = set()
    for _ in range(20):
        trial = study.ask()
        config = suggest(space, trial, "cpu")
        models.add(config["model"])
        own = {name.rpartition(".")[0] for name in trial.params.keys() - {"model"}}
        assert own == {config["model"]}
        study.enqueue_trial(as_asked(space, config))
        assert suggest(space, study.ask(), "cpu") == config
    assert models == {"logistic", "svm"}


def test_points_name_their_model(read: Read) -> None:
    space = read(HEAD + "points:\n- {model: svm, C: [1, 2]}\n- {model: logistic, C: 1}\n")
    found = [(config["model"], config["C"]) for config in configurations(space, "cpu")]
    assert found == [("svm", 1.0), ("svm", 2.0), ("logistic", 1.0)]
    assert space.search.sampler == "grid"


@pytest.mark.parametrize("text", [TWO, "model: svm\ndataset: digits\nparameters: {C: 1.0}\n"])
def test_a_stored_plan_is_read_again_and_one_model_is_written_as_ever(
    read: Read, text: str
) -> None:
    space = read(text)
    dumped = json.loads(json.dumps(space.model_dump(mode="json")))
    named: Any = {"choice": ["logistic", "svm"]} if space.several else "svm"
    assert dumped["model"] == named
    assert Space.model_validate(dumped) == space


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("model: {choice: [svm, resnt]}", "model: 'resnt' is not a model; did you mean resnet?"),
        ("model: {choice: []}", "model: is empty; give at least one value"),
        ("model: {choice: [svm, svm]}", "model: 'svm' is given twice; keep one of them"),
        (
            "model: {uniform: [1, 2]}",
            "model: {'uniform': [1, 2]} is not a model; for example logistic",
        ),
        (HEAD + "parameters: {gama: 1.0}", "parameters.gama: not a parameter of logistic or svm;"),
        (
            HEAD + "parameters: {resnet.epochs: 1}",
            "parameters.resnet.epochs: resnet is no model of this space; ",
        ),
        (
            HEAD + "parameters: {C: {choice: [1], when: {model: resnet}}}",
            "parameters.C.when.model: 'resnet' is no model of this space; use logistic or svm",
        ),
        (
            HEAD + "parameters: {svm.C: {choice: [1], when: {model: svm}}}",
            "parameters.svm.C.when.model: its name says the model; leave it out",
        ),
        (
            HEAD + "parameters: {C: 1, svm.C: 2}",
            "parameters.svm.C: svm has it already, as C; keep one of them",
        ),
        (
            HEAD + "parameters: {kernel: rbf, gamma: {choice: [0], when: {kernel: rbf}}}",
            "parameters.gamma.choice: gamma cannot be 0.0; ",
        ),
        (
            HEAD + "parameters: {svm.C: 1, gamma: {choice: [scale], when: {kernel: poly}}}",
            "parameters.gamma.when.kernel: not a parameter of this space; add kernel to parameters",
        ),
        (HEAD + "points: [{C: 1}]", "points[0].model: names no model of logistic, svm; for exam"),
        (
            TWO + "resources: {cpu: 2, when: {model: resnet}}",
            "resources.when.model: model is never 'resnet'",
        ),
        (TWO + "objective: {metric: val_loss}", "objective.metric: an SVM has no val_loss; use"),
    ],
)
def test_what_is_wrong_is_one_line(refuse: Refuse, text: str, line: str) -> None:
    lines = refuse(text if "dataset" in text else f"{text}\ndataset: digits\nparameters: {{C: 1}}")
    assert any(one.startswith(f"mine.yaml: {line}") for one in lines), lines


@pytest.mark.parametrize(
    ("search", "line"),
    [
        ("{sampler: gp}", "search.sampler: gp models the parameters that every configuration has"),
        ("{sampler: cmaes}", "search.sampler: cmaes needs at least 2 numbers"),
        (
            "{scheduler: asha}",
            "search.scheduler: asha stops trials between measurements, and a log",
        ),
        ("{scheduler: pbt, trials: 8}", "search.scheduler: pbt lets a trial continue from another"),
    ],
)
def test_what_cannot_handle_several_models_is_refused(
    refuse: Refuse, search: str, line: str
) -> None:
    [refused] = refuse(TWO + f"search: {search}\n")
    assert refused.startswith(f"mine.yaml: {line}")


def test_all_models_can_be_stopped_early_on_a_part_of_the_images(read: Read) -> None:
    space = read(TWO + "fidelity: {parameter: train_fraction}\nsearch: {scheduler: asha}\n")
    assert [part.fidelity for part in space.parts()] == 2 * [space.fidelity]
