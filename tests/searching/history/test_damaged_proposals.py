"""A search whose list of proposals was damaged ends as one whose list was not."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.searching.conftest import plan_text
from tests.searching.history.killed import LATE, SPACE, begin, plan_of, resume
from tune_mnist.datasets import Dataset
from tune_mnist.errors import SkippedWarning
from tune_mnist.searching.history.contradictions import contradictions
from tune_mnist.searching.history.proposed import Proposed, proposed
from tune_mnist.store.layout import checkpoints_folder, proposals_file
from tune_mnist.store.plans import SearchRecord
from tune_mnist.store.proposals import Proposal, ProposalList, read_list
from tune_mnist.store.reader import read_trials


@pytest.fixture(autouse=True)
def no_power_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """None is tested here, and waiting for the disk is most of the time."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


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
        assert contradictions(root, "s") == ([], 10)
        listed = read_list(root, "s")
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
    found, notes = proposed(
        ProposalList((changed, kept), unsealed=frozenset({0, 1})), [row], SearchRecord()
    )
    assert found == [Proposed(0, {"C": 1.0}, 0), Proposed(1, {"C": 5.0}, 1)]
    assert notes == ("proposals 0: damaged in the store; taken from their trials",)
    found, notes = proposed(ProposalList((changed, kept)), [row], SearchRecord())
    assert ([one.config for one in found], notes) == ([{"C": 3.0}, {"C": 5.0}], ())
