"""What every sampler promises: distinct configurations of the space, the same for the same seed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tune_mnist.search.proposals import Proposals
from tune_mnist.search.samplers import SAMPLERS
from tune_mnist.spaces import Config, SamplerName, Space, config_key, override, read_space

FINITE = """
model: svm
dataset: digits
parameters:
  kernel: {choice: [linear, rbf, poly]}
  C: {choice: [0.1, 1.0]}
  gamma: {choice: [scale, 0.001], when: {kernel: [rbf, poly]}}
  degree: {choice: [2, 3], when: {kernel: poly}}
"""
SIZE = 2 + 4 + 8
CONTINUOUS = "model: svm\ndataset: digits\nparameters:\n  C: {log_uniform: [0.001, 1000.0]}\n"


def make_space(folder: Path, text: str = FINITE, **search: object) -> Space:
    file = folder / "space.yaml"
    file.write_text(text)
    return override(read_space(file), search=search)


def run(proposals: Proposals, trials: int) -> list[Config]:
    """Ask and tell in turn, as one worker would, with a made-up objective."""
    configs = []
    for _ in range(trials):
        proposal = proposals.next()
        if proposal is None:
            break
        configs.append(proposal.config)
        value = float(proposal.config["C"]) / 10 + (proposal.config["kernel"] == "rbf")
        proposals.tell(proposal.number, value, pruned=False)
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
        assert run(Proposals(space, "cpu"), 10) == run(Proposals(space, "cpu"), 10)

    def test_inactive_parameter_is_absent(self, name: SamplerName, tmp_path: Path) -> None:
        configs = run(Proposals(make_space(tmp_path, sampler=name), "cpu"), SIZE)
        assert all(("degree" in config) == (config["kernel"] == "poly") for config in configs)

    def test_points_come_first(self, name: SamplerName, tmp_path: Path) -> None:
        text = FINITE + "points:\n  - {kernel: poly, C: 1.0, gamma: scale, degree: [3, 2]}\n"
        configs = run(Proposals(make_space(tmp_path, text, sampler=name), "cpu"), SIZE)
        assert [config.get("degree") for config in configs[:2]] == [3, 2]
        assert len(configs) == SIZE


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
    for number, (value, pruned) in enumerate([(0.9, False), (0.5, True), (None, False)]):
        assert proposals.next() is not None
        proposals.report(number, 1, 0.5)
        proposals.tell(number, value, pruned=pruned)
    assert proposals._study is not None
    states = [trial.state.name for trial in proposals._study.trials]
    assert states == ["COMPLETE", "PRUNED", "FAIL"]
