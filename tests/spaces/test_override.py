"""A request's values replace the file's and pass the same checks."""

from __future__ import annotations

import pytest

from tune_mnist.errors import InputError
from tune_mnist.spaces import Fidelity, Overrides, Space, find_space, override, read_space


@pytest.fixture
def svm() -> Space:
    return read_space(find_space("svm"))


def test_given_values_replace_and_none_keeps(svm: Space) -> None:
    own = Overrides(
        dataset="digits",
        search={"trials": 3, "seed": None},
        resources={"cpu": 0.5, "gpu": None},
    )
    changed = override(svm, own)
    assert (changed.dataset, changed.search.trials) == ("digits", 3)
    assert [one.cpu for one in changed.resources] == [0.5]
    assert (changed.search.sampler, changed.search.seed) == (svm.search.sampler, 0)


def test_the_space_itself_is_left_as_it_was(svm: Space) -> None:
    override(svm, Overrides(search={"trials": 3}))
    assert svm.search.trials == 40


def test_every_fault_names_its_field(svm: Space) -> None:
    own = Overrides(
        dataset="",
        search={"trials": -1, "time_budget_s": float("nan"), "sampler": "tp"},
        resources={"cpu": 1.5, "gpu": -1.0},
    )
    with pytest.raises(InputError) as caught:
        override(svm, own)
    assert [line.split(": ")[0] for line in str(caught.value).splitlines()] == [
        "`dataset`",
        "`sampler`",
        "`trials`",
        "`time_budget_s`",
        "`cpus_per_trial`",
        "`gpus_per_trial`",
    ]


def test_goals_and_fidelity_are_given_in_words(svm: Space) -> None:
    own = Overrides(objective="val_accuracy, fit_s", where=["fit_s < 9"], fidelity="train_fraction")
    changed = override(svm, own)
    assert [one.metric for one in changed.objectives] == ["val_accuracy", "fit_s"]
    assert [str(limit) for limit in changed.constraints] == ["fit_s < 9"]
    assert changed.fidelity == Fidelity.model_validate({"parameter": "train_fraction"})


def test_a_wrong_goal_names_its_field(svm: Space) -> None:
    own = Overrides(objective="val_accuracy,fits", where=["fit < 9"], fidelity="epoch")
    with pytest.raises(InputError) as caught:
        override(svm, own)
    assert [line.split(": ")[0] for line in str(caught.value).splitlines()] == [
        "`objective`",
        "`where`",
        "`fidelity`",
    ]


def test_a_sampler_that_cannot_work_on_the_space_is_refused(svm: Space) -> None:
    with pytest.raises(InputError, match=r"^`sampler`: grid cannot list every value of C; "):
        override(svm, Overrides(search={"sampler": "grid"}))
