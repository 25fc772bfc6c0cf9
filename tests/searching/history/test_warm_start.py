"""A warm start takes from the store what the present space can use, and says what it leaves."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.searching.conftest import SVM, Searched, plan_text
from tests.searching.proposing.test_proposals import MIXED, make_space, run
from tests.store.example_trials import trial, write
from tune_mnist.errors import InputError
from tune_mnist.searching.history.warm_start import WarmStart, past_rows, warm_start
from tune_mnist.searching.proposing.proposals import Proposals
from tune_mnist.spaces import SamplerName, Space

CHOICES = """
model: svm
dataset: digits
parameters:
  kernel: {choice: [linear, rbf]}
  C: {choice: [1.0, 10.0, 100.0]}
search: {sampler: tpe, trials: 3}
"""


def row(config: dict[str, Any], value: float, data_hash: str = "same") -> dict[str, Any]:
    return {"config": json.dumps(config), "val_accuracy": value, "data_hash": data_hash}


def rbf(C: float, gamma: float, value: float, data_hash: str = "same") -> dict[str, Any]:
    return row({"kernel": "rbf", "C": C, "gamma": gamma}, value, data_hash)


def told(rows: list[dict[str, Any]], space: Space) -> WarmStart:
    return warm_start(rows, space, "cpu", "same")


def test_trials_on_the_same_images_are_observed_with_the_mean_of_their_seeds(
    tmp_path: Path,
) -> None:
    space = make_space(tmp_path, MIXED, sampler="tpe")
    poly = row({"kernel": "poly", "C": 2.0, "gamma": 0.1, "degree": 4}, 0.5)
    warm = told([rbf(1.0, 0.01, 0.9), rbf(1.0, 0.01, 0.8), poly], space)
    assert [one.value for one in warm.observations] == pytest.approx([0.85, 0.5])
    assert warm.observations[1].params == {"kernel": "poly", "C": 2.0, "gamma": 0.1, "degree": 4}
    assert warm.first == ()


def test_trials_outside_the_present_space_are_named_with_a_count(tmp_path: Path) -> None:
    space = make_space(tmp_path, MIXED, sampler="tpe")
    outside = [
        rbf(1e9, 0.01, 0.9),  # C above the range
        rbf(1e-9, 0.01, 0.9),
        row({"kernel": "linear", "C": 1.0}, 0.9),
        row({"kernel": "rbf", "C": 1.0, "gamma": "scale"}, 0.9),
    ]
    warm = told([*outside, rbf(1.0, 0.01, 0.9)], space)
    assert len(warm.observations) == 1
    assert "skipped 4 past trials outside this space" in warm.notes[1]
    assert "(because of C 2, kernel 1, gamma 1)" in warm.notes[1]


def test_a_constant_of_the_space_must_have_its_value(tmp_path: Path) -> None:
    text = MIXED.replace("gamma: {log_uniform: [0.0001, 1.0]}", "gamma: 0.01")
    space = make_space(tmp_path, text, sampler="tpe")
    warm = told([rbf(1.0, 0.01, 0.9), rbf(1.0, 0.02, 0.9)], space)
    assert [one.params for one in warm.observations] == [{"kernel": "rbf", "C": 1.0}]
    assert "(because of gamma 1)" in warm.notes[1]


def test_of_other_images_the_best_few_configurations_are_tried_first(tmp_path: Path) -> None:
    space = make_space(tmp_path, MIXED, sampler="tpe")
    rows = [rbf(C, 0.01, C / 100, "other") for C in range(1, 9)]
    warm = told([*rows, *rows], space)
    assert warm.observations == ()
    assert [config["C"] for config in warm.first] == [8, 7, 6, 5, 4]
    configs = run(Proposals(space, "cpu", first=warm.first), 6)
    assert [config["C"] for config in configs[:5]] == [8.0, 7.0, 6.0, 5.0, 4.0]


@pytest.mark.parametrize("name", ["random", "qmc", "cmaes", "nsga2"])
def test_a_sampler_that_learns_from_its_own_trials_alone_tries_the_best_first(
    name: SamplerName, tmp_path: Path
) -> None:
    warm = told([rbf(1.0, 0.01, 0.9)], make_space(tmp_path, MIXED, sampler=name))
    assert (len(warm.observations), len(warm.first)) == (0, 1)


def test_what_cannot_matter_on_this_device_puts_no_trial_outside(tmp_path: Path) -> None:
    text = "model: resnet\ndataset: digits\nparameters:\n  learning_rate: {choice: [0.1, 0.01]}\n"
    space = make_space(tmp_path, text + "  pin_memory: {choice: [true, false]}\n")
    past = {"architecture": "resnet18", "batch_size": 16, "optimizer": "sgd", "epochs": 2}
    warm = told([row({**past, "learning_rate": 0.1, "pin_memory": True}, 0.9)], space)
    assert [one.params for one in warm.observations] == [{"learning_rate": 0.1}]


@pytest.mark.parametrize("name", ["tpe", "gp"])
def test_a_warm_start_begins_where_a_cold_one_has_to_get(name: SamplerName, tmp_path: Path) -> None:
    """Thirty observations show that C 1 and gamma 0.01 are best; the next proposals are near."""
    from tests.searching.proposing.test_proposals import made_up

    space = make_space(tmp_path, MIXED, sampler=name)
    cold = run(Proposals(make_space(tmp_path, MIXED, sampler="random", seed=5), "cpu"), 30)
    warm = told([row(config, made_up(config)) for config in cold], space)
    assert len(warm.observations) == 30
    first = run(Proposals(space, "cpu", observed=warm.observations), 5)
    random = sum(made_up(config) for config in cold) / len(cold)
    assert sum(made_up(config) for config in first) / len(first) > random


def test_a_real_search_starts_from_an_earlier_one_over_another_space(
    search: Callable[..., Searched], tmp_path: Path
) -> None:
    search(SVM, "past")
    space = plan_text(tmp_path, CHOICES).space
    rows = past_rows(tmp_path / "results", "past", space)
    warm = warm_start(rows, space, "cpu", rows[0]["data_hash"])
    assert len(warm.observations) == 4  # C of 0.1 is gone, 100 is new
    assert "2 past trials outside" in warm.notes[1]
    outcome, _ = search(CHOICES, "next", warm=warm)
    assert outcome.counts == {"completed": 3}


@pytest.mark.parametrize(
    ("source", "text", "said"),
    [
        ("pats", CHOICES, "'pats' is no search or data set of the store; did you mean past"),
        (
            "past",
            "model: resnet\ndataset: digits\nparameters:\n  epochs: {int_uniform: [1, 2]}\n",
            "no completed trial of resnet .it has: svm",
        ),
        ("past", SVM, "listed space"),
    ],
)
def test_what_cannot_be_started_from_is_refused(
    source: str, text: str, said: str, tmp_path: Path
) -> None:
    write(tmp_path / "results", "past", [trial("0", config={"kernel": "linear", "C": 1.0})])
    with pytest.raises(InputError, match=f"`warm_start`: .*{said}"):
        past_rows(tmp_path / "results", source, make_space(tmp_path, text))


def test_auto_finds_nothing_in_a_store_that_is_not_there(tmp_path: Path) -> None:
    assert past_rows(tmp_path / "none", "auto", make_space(tmp_path, CHOICES)) == []


def test_auto_finds_nothing_in_a_store_of_another_model(tmp_path: Path) -> None:
    root = tmp_path / "results"
    write(root, "nets", [trial("a", model="resnet")])
    assert past_rows(root, "auto", make_space(tmp_path, CHOICES)) == []
    with pytest.raises(InputError, match="'nets' has no completed trial of svm"):
        past_rows(root, "nets", make_space(tmp_path, CHOICES))


def test_a_data_set_is_named_by_hash_and_old_rows_by_their_name(tmp_path: Path) -> None:
    root, space = tmp_path / "results", make_space(tmp_path, MIXED, sampler="tpe")
    config = {"kernel": "rbf", "C": 1.0, "gamma": 0.01}
    for name, data_hash in (("a", "3f9a1c" + "0" * 58), ("b", "77bb2e" + "0" * 58), ("c", None)):
        write(root, name, [trial("0", dataset="images", data_hash=data_hash, config=config)])
    assert [row["search"] for row in past_rows(root, "images@77bb2e", space)] == ["b"]
    assert [row["search"] for row in past_rows(root, "images", space)] == ["a", "b", "c"]
    with pytest.raises(InputError, match="is no search or data set of the store"):
        past_rows(root, "images@0000", space)
    old = [
        rbf(C, 0.01, value) | {"data_hash": None, "dataset": name}
        for C, value, name in ((1.0, 0.9, "a"), (2.0, 0.8, "a"), (3.0, 0.5, "b"))
    ]
    assert [config["C"] for config in told(old, space).first] == [1.0, 3.0, 2.0]
