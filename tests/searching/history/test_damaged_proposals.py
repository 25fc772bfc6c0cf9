"""A search whose list of proposals was damaged ends as one whose list was not."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.searching.conftest import SVM, plan_text
from tune_mnist.datasets import Dataset
from tune_mnist.errors import SkippedWarning
from tune_mnist.searching.history.known import Known
from tune_mnist.searching.history.proposed import Proposed, proposed
from tune_mnist.searching.history.resume import earlier_runs
from tune_mnist.searching.observer import Observer
from tune_mnist.searching.on_ray.run import SearchRun
from tune_mnist.searching.on_ray.trainings import Training, Trainings
from tune_mnist.searching.planning.plan import Plan
from tune_mnist.spaces import parameter_types
from tune_mnist.store.layout import checkpoints_folder, proposals_file
from tune_mnist.store.proposals import Proposal, ProposalList, read_list
from tune_mnist.store.reader import read_trials
from tune_mnist.store.writer import Writer

SPACE = SVM.replace("[0.1, 1.0, 10.0]", "[0.1, 0.3, 1.0, 3.0, 10.0]")
LATE = (3, 6)
"""These trials run on while the others end, so they have no row when the search is killed."""


@pytest.fixture(autouse=True)
def no_power_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """None is tested here, and waiting for the disk is most of the time."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


def plan_of(folder: Path, sampler: str) -> Plan:
    return plan_text(folder, SPACE, sampler=sampler, trials=10)


def end(writer: Writer, trainings: Trainings, training: Training) -> None:
    """Let a trial end, with a made-up accuracy."""
    one = training.proposal
    row: dict[str, Any] = {
        "trial": f"{one.number:05d}",
        "attempt": training.attempt,
        "status": "completed",
        "model": "svm",
        "config": one.config,
        "proposed_after": one.seen,
        "val_accuracy": 0.9 - 0.01 * float(one.config["C"]) * (one.config["kernel"] == "rbf"),
        "wall_time_s": 1.0,
        "parameters": 1,
    }
    writer.append_trial(row, [])
    trainings.finished(one.number, row, [])


def begin(root: Path, plan: Plan, data: Dataset) -> None:
    """Run a search until it is killed: 8 proposals, of which two are still running."""
    with Writer(root, "s", parameter_types()) as writer:
        writer.write_search(plan.record("s", data))
        trainings = SearchRun(plan, data, writer, Observer())._trainings(Known())
        for _ in range(8):
            training = trainings.next()
            assert training is not None
            if training.proposal.number not in LATE:
                end(writer, trainings, training)


def resume(root: Path, plan: Plan, data: Dataset) -> tuple[str, ...]:
    """Resume the search until it is done; return what is said of its list."""
    earlier = earlier_runs(root, "s")
    with Writer(root, "s", parameter_types(), resume=True) as writer:
        trainings = SearchRun(plan, data, writer, Observer())._trainings(Known(earlier=earlier))
        while training := trainings.next():
            end(writer, trainings, training)
    return earlier.notes


def damage(root: Path, *numbers: int) -> None:
    file = proposals_file(root, "s")
    lines = file.read_bytes().splitlines(keepends=True)
    for number in numbers:
        lines[number] = lines[number].replace(b'"C": ', b'"C": 7')
    file.write_bytes(b"".join(lines))


def ran(root: Path) -> list[tuple[str, str]]:
    rows = read_trials(root, search="s").to_pylist()
    return sorted((row["trial"], row["config"]) for row in rows)


@pytest.mark.parametrize("sampler", ["grid", "tpe"])
def test_a_search_whose_list_was_damaged_ends_as_one_whose_was_not(
    tmp_path: Path, few_digits: Dataset, sampler: str
) -> None:
    plan = plan_of(tmp_path, sampler)
    begin(tmp_path / "killed", plan, few_digits)
    calm = shutil.copytree(tmp_path / "killed", tmp_path / "calm")
    assert resume(calm, plan, few_digits) == ()
    for numbers in [(0,), (3,), (2, 3, 4), (6, 7), range(8)]:
        root = shutil.copytree(tmp_path / "killed", tmp_path / f"damaged-{numbers}")
        damage(root, *numbers)
        with pytest.warns(SkippedWarning, match="line .* differs from its checksum"):
            said = resume(root, plan, few_digits)
        assert ran(root) == ran(calm)
        of_row, again = set(numbers) - set(LATE), set(numbers) & set(LATE)
        assert any("taken from their trials" in note for note in said) == bool(of_row)
        assert any("proposed again" in note for note in said) == bool(again)
        listed = read_list(root, "s")
        assert not listed.damaged
        assert [one.number for one in listed.proposals] == list(range(10))
        assert len({json.dumps(one.config) for one in listed.proposals}) == 10


def test_a_lost_proposal_is_never_replaced_by_one_that_is_in_the_list(
    tmp_path: Path, few_digits: Dataset
) -> None:
    plan = plan_of(tmp_path, "tpe")
    begin(tmp_path, plan, few_digits)
    damage(tmp_path, 3)
    other = plan_text(tmp_path, SPACE, sampler="tpe", trials=10, seed=5)  # it proposes otherwise
    with pytest.warns(SkippedWarning):
        resume(tmp_path, other, few_digits)
    assert len({config for _, config in ran(tmp_path)}) == len(ran(tmp_path)) == 10


def test_nobody_continues_from_the_state_of_a_lost_proposal(
    tmp_path: Path, few_digits: Dataset
) -> None:
    plan = plan_of(tmp_path, "tpe")
    begin(tmp_path, plan, few_digits)
    states = [
        checkpoints_folder(tmp_path, "s") / "run" / f"{number:05d}" / "checkpoint_000000"
        for number in LATE
    ]
    for state in states:
        state.mkdir(parents=True)
        (state / "state.pt").write_bytes(b"")
    damage(tmp_path, LATE[0])
    with pytest.warns(SkippedWarning):
        resume(tmp_path, plan, few_digits)
    assert [state.exists() for state in states] == [False, True]


def test_without_a_checksum_the_trial_knows_better_what_was_proposed() -> None:
    changed, kept = Proposal(0, {"C": 3.0}, 0), Proposal(1, {"C": 5.0}, 1)
    row = {"trial": "00000", "config": '{"C": 1.0}', "proposed_after": 0, "schedule": None}
    found, notes = proposed(ProposalList((changed, kept), unsealed=frozenset({0, 1})), [row])
    assert found == [Proposed(0, {"C": 1.0}, 0), Proposed(1, {"C": 5.0}, 1)]
    assert notes == ("proposals 0: damaged in the store; taken from their trials",)
    found, notes = proposed(ProposalList((changed, kept)), [row])
    assert ([one.config for one in found], notes) == ([{"C": 3.0}, {"C": 5.0}], ())
