"""What every sampler promises: distinct configurations of the space, the same for the same seed."""

from __future__ import annotations

import math
from pathlib import Path

import optuna
import pytest

from tune_mnist.errors import InputError
from tune_mnist.searching.proposing.proposals import Proposals
from tune_mnist.searching.proposing.samplers import SAMPLERS, helper
from tune_mnist.spaces import (
    Config,
    Overrides,
    SamplerName,
    Space,
    config_key,
    override,
    read_space,
)

# Two numbers that are always there, for cmaes; a choice; a condition.
FINITE = """
model: resnet
dataset: digits
parameters:
  batch_size: {int_uniform: [2, 4]}
  epochs: {int_uniform: [1, 2]}
  optimizer: {choice: [sgd, adam]}
  architecture: {choice: [resnet18, resnet50], when: {optimizer: adam}}
"""
SIZE = 3 * 2 * (1 + 2)
MIXED = """
model: svm
dataset: digits
parameters:
  kernel: {choice: [rbf, poly]}
  C: {log_uniform: [0.001, 1000.0]}
  gamma: {log_uniform: [0.0001, 1.0]}
  degree: {int_uniform: [2, 5], when: {kernel: poly}}
"""
CONTINUOUS = "model: svm\ndataset: digits\nparameters:\n  C: {log_uniform: [0.001, 1000.0]}\n"


def make_space(folder: Path, text: str = FINITE, **search: object) -> Space:
    file = folder / "space.yaml"
    file.write_text(text)
    return override(read_space(file), Overrides(search=search))


def made_up(config: Config) -> float:
    """Best where C is 1 and gamma 0.01; for spaces without them, where the batches are large."""
    if "C" not in config:
        return float(config["batch_size"])
    return -(math.log10(float(config["C"])) ** 2) - (math.log10(float(config["gamma"])) + 2) ** 2


def run(proposals: Proposals, trials: int) -> list[Config]:
    """Ask and tell in turn, as one worker would, with a made-up objective."""
    configs = []
    for _ in range(trials):
        proposal = proposals.next()
        if proposal is None:
            break
        configs.append(proposal.config)
        row = {"status": "completed", "val_accuracy": made_up(proposal.config)}
        proposals.tell(proposal.number, row)
    return configs


@pytest.mark.parametrize("name", SAMPLERS)
class TestEverySampler:
    def test_finite_space_is_used_up_without_duplicates(
        self, name: SamplerName, tmp_path: Path
    ) -> None:
        configs = run(Proposals(make_space(tmp_path, sampler=name), "cpu"), 1000)
        assert len(configs) == SIZE
        assert len({config_key(config) for config in configs}) == SIZE

    def test_same_seed_proposes_same_trials(self, name: SamplerName, tmp_path: Path) -> None:
        space = make_space(tmp_path, sampler=name, seed=7)
        assert run(Proposals(space, "cpu"), 15) == run(Proposals(space, "cpu"), 15)

    def test_inactive_parameter_is_absent(self, name: SamplerName, tmp_path: Path) -> None:
        configs = run(Proposals(make_space(tmp_path, sampler=name), "cpu"), SIZE)
        # Where it is not searched, the model's default stands there, as a constant.
        sgd = [config for config in configs if config["optimizer"] == "sgd"]
        assert len(sgd) == 6
        assert all(config["architecture"] == "resnet18" for config in sgd)

    def test_points_come_first(self, name: SamplerName, tmp_path: Path) -> None:
        text = FINITE + "points:\n  - {batch_size: [4, 2], epochs: 2, optimizer: sgd}\n"
        configs = run(Proposals(make_space(tmp_path, text, sampler=name), "cpu"), SIZE)
        assert [config["batch_size"] for config in configs[:2]] == [4, 2]
        assert len(configs) == SIZE


@pytest.mark.parametrize("name", sorted(set(SAMPLERS) - {"grid"}))  # which lists no such space
def test_parameter_that_cannot_matter_is_absent(name: SamplerName, tmp_path: Path) -> None:
    configs = run(Proposals(make_space(tmp_path, MIXED, sampler=name), "cpu"), 15)
    assert len(configs) == 15
    assert all(("degree" in config) == (config["kernel"] == "poly") for config in configs)


def test_grid_is_shuffled_where_a_scheduler_compares_trials(tmp_path: Path) -> None:
    text = (
        "model: resnet\ndataset: digits\nparameters:\n  batch_size: {choice: [16, 32, 64, 128]}\n"
    )
    plain = run_sizes(make_space(tmp_path, text, sampler="grid"))
    shuffled = run_sizes(make_space(tmp_path, text, sampler="grid", scheduler="asha", seed=3))
    assert plain == sorted(plain)
    assert sorted(shuffled) == plain != shuffled


def run_sizes(space: Space) -> list[int]:
    proposals = Proposals(space, "cpu")
    asked = [proposals.next() for _ in range(4)]
    return [int(proposal.config["batch_size"]) for proposal in asked if proposal]


def test_stopped_and_failed_trials_do_not_pass_for_complete_ones(tmp_path: Path) -> None:
    """Ray's OptunaSearch tells a stopped trial as complete, with its truncated value."""
    proposals = Proposals(make_space(tmp_path, CONTINUOUS, sampler="tpe"), "cpu")
    for number, (value, status) in enumerate(
        [(0.9, "completed"), (0.5, "stopped"), (None, "failed")]
    ):
        assert proposals.next() is not None
        proposals.report(number, {"step": 1, "val_accuracy": 0.5})
        proposals.tell(number, {"status": status, "val_accuracy": value})
    assert proposals._study is not None
    states = [trial.state.name for trial in proposals._study.trials]
    assert states == ["COMPLETE", "PRUNED", "FAIL"]


GOALS = """
objective: [{metric: val_accuracy}, {metric: wall_time_s}]
constraints: [parameters < 100]
"""


@pytest.mark.parametrize("name", ["random", "qmc", "tpe", "gp", "nsga2"])
def test_a_sampler_is_told_every_objective_and_constraint(
    name: SamplerName, tmp_path: Path
) -> None:
    proposals = Proposals(make_space(tmp_path, CONTINUOUS + GOALS, sampler=name), "cpu")
    for number in range(12):
        proposal = proposals.next()
        assert proposal is not None
        small = number < 8
        measured = {"val_accuracy": 0.1 * number, "wall_time_s": 3.0, "parameters": 9 + 91 * small}
        proposals.report(number, {"step": 1, **measured})
        status = "stopped" if number % 4 == 3 else "completed"
        proposals.tell(number, {"status": status, **measured})
    assert proposals._study is not None
    told = proposals._study.trials
    assert [trial.values for trial in told[:4]] == [[0, 3], [0.1, 3], [0.2, 3], None]
    assert [trial.state.name for trial in told[2:4]] == ["COMPLETE", "PRUNED"]
    assert [value > 0 for trial in told for value in trial.constraints.values()] == (
        [True] * 8 + [False] * 4
    )


def test_a_stopped_trial_is_pruned_although_its_latency_is_not_known(tmp_path: Path) -> None:
    goals = "objective: [{metric: val_accuracy}, {metric: latency_batch_256_s}]\n"
    limits = "constraints: [latency_batch_1_s <= 0.001]\n"
    proposals = Proposals(make_space(tmp_path, CONTINUOUS + goals + limits, sampler="tpe"), "cpu")
    known: dict[str, float | None] = {"val_accuracy": 0.9}
    known |= {"latency_batch_1_s": 0.1, "latency_batch_256_s": 0.2}
    unknown = {**known, "latency_batch_1_s": None, "latency_batch_256_s": None}
    rows = [("completed", known), ("stopped", unknown), ("completed", unknown)]
    for number in range(15):  # more than tpe begins with at random
        assert proposals.next() is not None
        status, measured = rows[min(number, 2)]
        proposals.tell(number, {"status": status, **measured})
    assert proposals._study is not None
    states = [trial.state.name for trial in proposals._study.trials]
    assert states == ["COMPLETE", "PRUNED", *["FAIL"] * 13]


def test_tpe_proposes_what_satisfies_the_constraints(tmp_path: Path) -> None:
    text = CONTINUOUS + "constraints: [wall_time_s <= 1]\n"
    proposals = Proposals(make_space(tmp_path, text, sampler="tpe"), "cpu")
    seconds = []
    for number in range(60):  # the larger C, the more accurate and the slower
        proposal = proposals.next()
        assert proposal is not None
        C = float(proposal.config["C"])
        seconds.append(C)
        proposals.tell(
            number, {"status": "completed", **{"val_accuracy": math.log10(C), "wall_time_s": C}}
        )
    assert sum(second <= 1 for second in seconds[40:]) > sum(s <= 1 for s in seconds[:20])


@pytest.mark.parametrize("name", ["tpe", "gp", "cmaes", "nsga2"])
def test_a_sampler_that_learns_comes_closer_than_it_began(
    name: SamplerName, tmp_path: Path
) -> None:
    configs = run(Proposals(make_space(tmp_path, MIXED, sampler=name, trials=40), "cpu"), 40)
    values = [made_up(config) for config in configs]
    assert sum(values[-10:]) > sum(values[:10])


def test_qmc_covers_every_stretch_of_a_range(tmp_path: Path) -> None:
    """16 points of a Sobol sequence fall into 16 equal parts; random ones leave a third empty."""
    configs = run(Proposals(make_space(tmp_path, MIXED, sampler="qmc"), "cpu"), 16)
    sixteenths = {int(16 * (math.log10(float(config["C"])) + 3) / 6) for config in configs}
    assert len(sixteenths) == 16


def test_tpe_begins_with_the_points_of_qmc(tmp_path: Path) -> None:
    of = {
        name: run(Proposals(make_space(tmp_path, MIXED, sampler=name), "cpu"), 8)
        for name in ("tpe", "qmc")
    }
    assert of["tpe"][:6] == of["qmc"][:6]
    assert of["tpe"] != of["qmc"]


ONE_BRANCH = """
model: svm
dataset: digits
parameters:
  kernel: {choice: [linear, rbf]}
  C: {choice: [0.1, 1.0, 10.0]}
  gamma: {log_uniform: [0.0001, 1.0], when: {kernel: rbf}}
"""


class BestWhereUsedUp:
    """Says that the linear kernel, with three values of C, is by far the best."""

    def __init__(self, proposals: Proposals) -> None:
        self.proposals = proposals
        self.found: list[Config] = []

    def run(self, trials: int) -> None:
        while len(self.found) < trials and (proposal := self.proposals.next()) is not None:
            self.found.append(proposal.config)
            value = 0.99 if proposal.config["kernel"] == "linear" else 0.1
            self.proposals.tell(proposal.number, {"status": "completed", "val_accuracy": value})


def test_tpe_models_a_conditional_parameter_together_with_those_beside_it(tmp_path: Path) -> None:
    """Not by itself: the best degree of a polynomial depends on its C."""
    space = make_space(tmp_path, MIXED, sampler="tpe")
    make = SAMPLERS["tpe"]
    assert make is not None
    study = optuna.create_study(sampler=make(space), direction="maximize")
    for _ in range(12):
        asked = study.ask()
        config = {
            name: space.parameters[name].ask(asked, name) for name in ("kernel", "C", "gamma")
        }
        if config["kernel"] == "poly":
            config["degree"] = space.parameters["degree"].ask(asked, "degree")
        study.tell(asked, made_up(config))
    together = study.sampler.infer_relative_search_space(study, study.trials[-1])
    assert set(together) == {"kernel", "C", "gamma", "degree"}


@pytest.mark.parametrize("name", ["random", "qmc", "tpe", "nsga2"])
def test_a_branch_that_is_used_up_does_not_hold_the_sampler(
    name: SamplerName, tmp_path: Path
) -> None:
    search = BestWhereUsedUp(Proposals(make_space(tmp_path, ONE_BRANCH, sampler=name), "cpu"))
    search.run(40)
    assert len({config_key(config) for config in search.found}) == 40


def test_a_range_of_one_number_is_used_up_after_it(tmp_path: Path) -> None:
    text = CONTINUOUS.replace("[0.001, 1000.0]", "[1.0, 1.0000000000000002]")
    search = Proposals(make_space(tmp_path, text, sampler="random"), "cpu")
    found = list(iter(search.next, None))
    assert 1 <= len(found) <= 2


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("cmaes", CONTINUOUS, "cmaes needs at least 2 numbers .* finds C"),
        ("cmaes", CONTINUOUS.replace("log_uniform: [0.001, 1000.0]", "choice: [1, 2]"), "none"),
        (
            "gp",
            "model: svm\ndataset: digits\npoints: [{C: 1.0}, {C: 2.0}]\nsearch: {sampler: grid}\n",
            "list of points",
        ),
        (
            "qmc",
            "model: svm\ndataset: digits\npoints: [{C: 1.0}, {C: 2.0}]\nsearch: {sampler: grid}\n",
            "list of points",
        ),
    ],
)
def test_a_space_that_a_sampler_cannot_work_on_is_refused(
    name: SamplerName, text: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=f"`sampler`: .*{said}"):
        make_space(tmp_path, text, sampler=name)


def test_what_a_sampler_leaves_to_another_is_said(tmp_path: Path) -> None:
    assert helper(make_space(tmp_path, MIXED, sampler="tpe"), "cpu") is None
    gp, cmaes = (helper(make_space(tmp_path, MIXED, sampler=n), "cpu") for n in ("gp", "cmaes"))
    assert gp == "gp: degree (not in every configuration) proposed by tpe, one by one"
    assert cmaes is not None
    assert cmaes.startswith("cmaes: kernel, degree (not in every configuration, or a choice)")
