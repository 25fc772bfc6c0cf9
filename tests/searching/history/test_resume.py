"""A resumed search continues where it stopped, and its proposals can be made again."""

from __future__ import annotations

import os
import re
import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console

from tests.searching.conftest import RESNET, SVM, Searched, plan_text
from tests.searching.history.killed import SPACE, begin, plan_of
from tests.searching.history.killed import resume as continue_to_the_end
from tests.store.example_trials import read_proposals
from tune_mnist.actions.preparing import prepare_plan
from tune_mnist.actions.requests import SearchRequest
from tune_mnist.actions.search import recorded
from tune_mnist.actions.search import run as run_prepared
from tune_mnist.actions.status import replay as replay_search
from tune_mnist.cli.live import LiveView
from tune_mnist.datasets import Dataset
from tune_mnist.errors import InputError
from tune_mnist.models.registry import parameter_types
from tune_mnist.searching.history.contradictions import contradictions
from tune_mnist.searching.history.resume import Earlier, earlier_runs, replay, saved_states
from tune_mnist.searching.history.warm_start import past_rows, warm_start
from tune_mnist.searching.observer import Observer, Row
from tune_mnist.searching.proposing.proposals import Proposals
from tune_mnist.spaces import Overrides, override
from tune_mnist.store.plans import SearchRecord, read_search
from tune_mnist.store.reader import read_trials
from tune_mnist.store.writer import Writer

Search = Callable[..., Searched]

LEARNING = SVM.replace("[0.1, 1.0, 10.0]", "[0.1, 0.3, 1.0, 3.0, 10.0]").replace("grid", "tpe")


class Interrupts(Observer):
    """Presses Ctrl-C once something has been seen of as many trials."""

    def __init__(self, after: int) -> None:
        self.left = after

    def trial_finished(self, row: Row) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGINT)


def outcomes(rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return sorted((row["trial"], row["config"], row["val_accuracy"]) for row in rows)


@pytest.mark.parametrize("sampler", ["grid", "tpe"])
def test_an_interrupted_search_ends_as_one_that_was_not(search: Search, sampler: str) -> None:
    settings: dict[str, Any] = {"sampler": sampler, "trials": 6}
    _, whole = search(LEARNING, "whole", **settings)
    first, some = search(LEARNING, "cut", observer=Interrupts(3), **settings)
    outcome, rows = search(LEARNING, "cut", resume=True, **settings)
    assert first.reason == "interrupted"
    assert 3 <= len(some) < 6
    assert outcome.counts == {"completed": 6}
    assert outcomes(rows) == outcomes(whole)


RUNGS = (
    SVM.replace("linear, rbf", "rbf")
    + "fidelity: {parameter: train_fraction, rungs: [0.25, 0.5, 1.0]}\n"
    + "points: [{kernel: rbf, C: 10.0}]\n"  # first, so that the others lag behind it
)


@pytest.mark.parametrize(
    ("scheduler", "values", "before"),
    [("asha", "10.0, 1.0e-4, 2.0e-4, 3.0e-4", 1), ("median", "10.0, 1.0, 2.0, 1.0e-4", 3)],
)
def test_a_scheduler_still_knows_who_ran_before_the_interruption(
    search: Search, scheduler: str, values: str, before: int
) -> None:
    text = RUNGS.replace("0.1, 1.0, 10.0", values)
    settings: dict[str, Any] = {"scheduler": scheduler, "seed": 2}
    whole, rows = search(text, "whole", **settings)
    _, some = search(text, "cut", observer=Interrupts(before), **settings)
    outcome, again = search(text, "cut", resume=True, **settings)
    assert len(some) == before
    assert whole.counts["stopped"] >= 1
    assert outcome.counts == whole.counts
    assert outcomes(again) == outcomes(rows)


def test_a_scheduler_knows_a_trial_that_the_store_answers(search: Search) -> None:
    text = RUNGS.replace("0.1, 1.0, 10.0", "10.0, 1.0e-4, 2.0e-4, 3.0e-4")
    settings: dict[str, Any] = {"scheduler": "asha", "seed": 2}
    search(text, "first", trials=1, **settings)
    outcome, rows = search(text, "second", remember=True, **settings)
    assert outcome.reused == 1
    assert outcome.counts["stopped"] >= 1
    assert rows[0]["status"] == "completed"


def test_trials_is_the_number_in_total(search: Search) -> None:
    search(LEARNING, trials=2)
    _, rows = search(LEARNING, resume=True, trials=5)
    assert len(rows) == 5
    assert len({row["config"] for row in rows}) == 5


def test_what_ran_side_by_side_is_proposed_again(search: Search, tmp_path: Path) -> None:
    search(LEARNING + "resources: {cpu: 0.5}\n", trials=9, max_concurrent=4)
    earlier = earlier_runs(tmp_path / "results", "s")
    again, reproduced = replay(Proposals(earlier.space, "cpu"), earlier)
    assert reproduced == len(again) == 9
    asked = read_trials(tmp_path / "results", search="s").to_pylist()
    seen = {int(row["trial"]): row["proposed_after"] for row in asked}
    assert [proposal.seen for proposal in again] == [seen[number] for number in range(9)]


class InterruptsAfterEpoch(Observer):
    """Presses Ctrl-C when the first trial has reported twice."""

    reports = 0

    def trial_reported(self, trial: str, measurement: Row) -> None:
        self.reports += 1
        if self.reports == 2:
            os.kill(os.getpid(), signal.SIGINT)


def test_a_trial_goes_on_from_its_last_saved_state(
    search: Search, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tune_mnist.searching.on_ray.run.SAVE_EVERY_S", 0.0)
    text = RESNET.replace("epochs: 2", "epochs: 6").replace(", trials: 2", ", trials: 1")
    _, whole = search(text, "whole")
    search(text, "cut", observer=InterruptsAfterEpoch())
    earlier = earlier_runs(tmp_path / "results", "cut")
    [number] = earlier.states
    checkpoint = earlier.state(number)
    _, rows = search(text, "cut", resume=True)
    assert checkpoint is not None
    assert checkpoint.name.startswith("checkpoint_")
    assert outcomes(rows) == outcomes(whole)
    assert rows[0]["test_accuracy"] == whole[0]["test_accuracy"]
    assert not (tmp_path / "results" / ".checkpoints" / "cut").exists()


def test_a_warm_started_search_is_proposed_again_with_its_constraints(
    search: Search, tmp_path: Path
) -> None:
    text = LEARNING.replace("{choice: [0.1, 0.3, 1.0, 3.0, 10.0]}", "{log_uniform: [0.01, 100.0]}")
    text += "constraints: [wall_time_s <= 60]\n"
    search(text, "past", trials=8, seed=3)
    space = plan_text(tmp_path, text, trials=8).space
    rows = past_rows(tmp_path / "results", "past", space)
    warm = warm_start(rows, space, "cpu", rows[0]["data_hash"])
    search(text, "warm", warm=warm, trials=8)
    again = replay_search(tmp_path / "results", "warm")
    assert (again.reproduced, again.proposals) == (8, 8)


def test_a_search_that_another_process_resumed_meanwhile_is_not_resumed(
    few_digits: Dataset, tmp_path: Path
) -> None:
    """Also where the other one has come no further than the record: it may run more trials now."""
    plan, root = plan_of(tmp_path, "tpe"), tmp_path / "results"
    begin(root, plan, few_digits)
    request = SearchRequest(space="svm", results=root, resume="s")
    late, other = (prepare_plan(plan, few_digits, request) for _ in range(2))
    with Writer(root, "s", parameter_types(), resume=True) as writer:
        writer.write_search(recorded(other))
    with pytest.raises(InputError, match="was continued by another process meanwhile"):
        run_prepared(late)
    assert len(read_search(root, "s").resumed) == 1
    assert len(read_trials(root, search="s")) == 6


ENDLESS = SPACE.replace("{choice: [0.1, 0.3, 1.0, 3.0, 10.0]}", "{log_uniform: [0.1, 10.0]}")
ENDLESS = ENDLESS.replace("sampler: grid", "sampler: random")


def test_a_resume_with_more_trials_proposes_what_the_first_request_would_have(
    few_digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The population of nsga2 follows the trials."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    few = plan_of(tmp_path, "nsga2", 20, ENDLESS)
    begin(tmp_path / "calm", few, few_digits)
    cut = shutil.copytree(tmp_path / "calm", tmp_path / "cut")
    continue_to_the_end(tmp_path / "calm", few, few_digits)
    more = plan_of(tmp_path, "nsga2", 22, ENDLESS)
    more = replace(more, space=override(more.space, Overrides(search={"trials": 200})))
    request = SearchRequest(space="svm", results=cut, resume="s", allow_change=True)
    record = recorded(prepare_plan(more, few_digits, request))
    with Writer(cut, "s", parameter_types(), resume=True) as writer:
        writer.write_search(record)
    continue_to_the_end(cut, more, few_digits)
    calm, again = (read_proposals(root, "s") for root in (tmp_path / "calm", cut))
    assert (len(calm), len(again)) == (20, 22)
    assert again[:20] == calm
    assert replay_search(cut, "s").reproduced == 22


def test_a_resume_asked_for_fewer_trials_than_have_finished_ends_at_once_and_says_so(
    few_digits: Dataset, tmp_path: Path
) -> None:
    root, printed = tmp_path / "results", StringIO()
    begin(root, plan_of(tmp_path, "tpe"), few_digits)
    request = SearchRequest(space="svm", results=root, resume="s")
    prepared = prepare_plan(plan_of(tmp_path, "tpe", trials=5), few_digits, request)
    with LiveView(prepared, Console(file=printed, width=200)) as view:
        outcome = run_prepared(prepared, view).outcome
    assert prepared.notes[-1] == ("s: 6 trials have finished already, and `trials=5` adds none")
    assert (outcome.reason, outcome.counts) == ("done", {"completed": 6})
    assert len(read_trials(root, search="s")) == 6
    # It begins with what the first run has left, the best included.
    assert re.match(r"so far: 0 running · 6 of 6 done · best 90.00% · linear", printed.getvalue())
    assert contradictions(root, "s") == ([], 6)


def test_a_resume_runs_only_as_many_pending_trials_as_were_asked_for(
    few_digits: Dataset, tmp_path: Path
) -> None:
    begin(tmp_path, plan_of(tmp_path, "tpe"), few_digits)
    continue_to_the_end(tmp_path, plan_of(tmp_path, "tpe", trials=7), few_digits)
    trials = read_trials(tmp_path, search="s")["trial"].to_pylist()
    assert sorted(map(int, trials)) == [0, 1, 2, 3, 4, 5, 7]


def test_a_record_of_an_earlier_version_says_for_how_many_trials_it_was_set_up() -> None:
    space = {"search": {"trials": 40}}
    assert SearchRecord.model_validate({"space": space}).first_trials == 40
    asked = {"space": space, "request": {"trials": 20}}
    assert SearchRecord.model_validate(asked).first_trials == 20
    assert SearchRecord.model_validate({**asked, "first_trials": None}).first_trials is None


def test_an_older_whole_state_is_taken_where_the_newest_is_torn(tmp_path: Path) -> None:
    kept = tmp_path / "run" / "00003.2" / "checkpoint_000001"
    torn = tmp_path / "run" / "00003.2" / "checkpoint_000002"
    alone = tmp_path / "run" / "00004" / "checkpoint_000000"
    for age, folder in enumerate((kept, torn, alone)):
        folder.mkdir(parents=True)
        torch.save({"epoch": age}, folder / "state.pt")
        os.utime(folder / "state.pt", (age, age))
    for folder in (torn, alone):
        (folder / "state.pt").write_bytes(b"PK")
    states = saved_states(tmp_path)
    assert states == {3: [torn, kept], 4: [alone]}
    earlier = Earlier("cut", SearchRecord(), [], [], {}, {}, states)
    assert [earlier.state(number) for number in (3, 4, 5)] == [kept, None, None]
