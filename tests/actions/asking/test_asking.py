"""A search whose trials are trained elsewhere, from its beginning to its end."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.actions.asking.toy import accuracy, begun, epochs, space, train
from tune_mnist.actions.asking import (
    ConflictError,
    UnknownError,
    begin,
    complete,
    report,
    resume,
    stop,
    suggest,
)
from tune_mnist.actions.asking.held import KIND
from tune_mnist.actions.status import check, replay, status
from tune_mnist.analysis.results import load_results
from tune_mnist.errors import InputError
from tune_mnist.store.plans import read_search
from tune_mnist.store.reader import read_reports, read_trials

SAMPLERS = ["random", "qmc", "tpe", "gp", "cmaes", "nsga2"]


def rows(root: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = read_trials(root, search="s").to_pylist()
    return found


def is_consistent(root: Path) -> bool:
    again = replay(root, "s")
    return not check(root).contradictions and again.reproduced == again.proposals


class TestEverySampler:
    @pytest.mark.parametrize("sampler", SAMPLERS)
    def test_trains_as_many_trials_as_asked_for_and_replays(
        self, tmp_path: Path, sampler: str
    ) -> None:
        root = begun(tmp_path, sampler=sampler, trials=8)
        assert train(root).ended == "done"
        assert [row["trial"] for row in rows(root)] == [f"{n:05d}" for n in range(8)]
        assert is_consistent(root)
        assert replay(root, "s").proposals == 8

    def test_a_grid_ends_with_its_last_configuration(self, tmp_path: Path) -> None:
        parameters = {"a": {"choice": [1, 2]}, "b": {"choice": ["x", "y"], "when": {"a": 2}}}
        begin(tmp_path, "s", space(parameters, sampler="grid", trials=None))
        assert train(tmp_path).ended == "done"
        assert [json.loads(row["config"]) for row in rows(tmp_path)] == [
            {"a": 1},
            {"a": 2, "b": "x"},
            {"a": 2, "b": "y"},
        ]
        assert is_consistent(tmp_path)


def test_a_row_says_what_the_client_measured_and_nothing_that_we_cannot_know(
    tmp_path: Path,
) -> None:
    root = begun(tmp_path)
    [one] = suggest(root, "s", "a").trials
    said = {"val_accuracy": 0.5, "val_loss": 2, "parameters": 7, "device": "a TPU", "host": "far"}
    complete(root, "s", one.trial, "a", {**said, "wall_time_s": 12.5, "seed": one.seed})
    [row] = rows(root)
    assert {name: row[name] for name in said} == said
    assert (row["model"], row["dataset"], row["status"]) == ("external/toy", "toy", "completed")
    assert (row["wall_time_s"], row["seed"], row["config.width"]) == (12.5, 0, one.config["width"])
    unknown = ("data_hash", "split", "code_hash", "versions", "git_commit", "engine", "cpus")
    assert [row[name] for name in unknown] == [None] * len(unknown)


def test_without_a_wall_time_the_time_since_the_suggestion_counts(tmp_path: Path) -> None:
    root = begun(tmp_path)
    [one] = suggest(root, "s", "a").trials
    complete(root, "s", one.trial, "a", {"val_accuracy": 0.5})
    [row] = rows(root)
    assert row["wall_time_s"] == (row["finished"] - row["started"]).total_seconds()


def test_it_is_shown_like_any_other(tmp_path: Path) -> None:
    root = begun(tmp_path, trials=3)
    assert [one.state for one in status(root)] == ["running (trained elsewhere)"]
    assert load_results(root).searches["state"].to_list() == ["running"]
    train(root)
    assert [(one.state, one.finished) for one in status(root)] == [("done", 3)]
    shown = load_results(root)
    assert shown.searches["ended_by"].to_list() == ["done"]
    best = max(accuracy(json.loads(row["config"])) for row in rows(root))
    assert shown.searches["best_val_accuracy"].to_list() == [best]


def test_beginning_is_idempotent_and_another_space_conflicts(tmp_path: Path) -> None:
    first = begin(tmp_path, "s", space())
    again = begin(tmp_path, "s", space())
    assert (first.is_new, again.is_new) == (True, False)
    assert first.record == again.record
    with pytest.raises(ConflictError, match="'s' is another search"):
        begin(tmp_path, "s", space(trials=7))
    assert begin(tmp_path, None, space()).record.search.startswith("external-toy-toy-")


def test_the_same_client_gets_the_same_trials_until_it_completes_them(tmp_path: Path) -> None:
    root = begun(tmp_path)
    first = suggest(root, "s", "a", 2)
    assert suggest(root, "s", "a", 2) == first
    assert suggest(root, "s", "a").trials == first.trials[:1]
    [other] = suggest(root, "s", "b").trials
    assert other.trial not in {one.trial for one in first.trials}
    assert suggest(root, "s", "a", 3).trials[:2] == first.trials
    complete(root, "s", first.trials[0].trial, "a", {"val_accuracy": 0.5})
    assert first.trials[0] not in suggest(root, "s", "a", 3).trials
    assert is_consistent(root)


def test_a_result_is_stored_once_and_another_one_refused(tmp_path: Path) -> None:
    root = begun(tmp_path)
    [one] = suggest(root, "s", "a").trials
    told = complete(root, "s", one.trial, "a", {"val_accuracy": 0.5})
    assert complete(root, "s", one.trial, "a", {"val_accuracy": 0.5}) == told
    with pytest.raises(ConflictError, match="completed already, with another result"):
        complete(root, "s", one.trial, "a", {"val_accuracy": 0.6})
    with pytest.raises(ConflictError, match="completed already"):
        complete(root, "s", one.trial, "a", failed="no")
    with pytest.raises(ConflictError, match="completed already; ask"):
        report(root, "s", one.trial, "a", {"step": 1, "val_accuracy": 0.5})
    assert len(rows(root)) == 1


def test_a_failed_trial_has_its_reason_and_counts(tmp_path: Path) -> None:
    root = begun(tmp_path, trials=1)
    [one] = suggest(root, "s", "a").trials
    for _ in range(2):
        assert complete(root, "s", one.trial, "a", failed="out of memory").status == "failed"
    [row] = rows(root)
    assert (row["error"], row["val_accuracy"]) == ("out of memory", None)
    assert suggest(root, "s", "a").ended == "done"


@pytest.mark.parametrize(
    ("search", "trials", "why"),
    [
        ({"target": 0.000001}, 1, "target"),
        ({"plateau": 2, "sampler": "grid"}, 3, "plateau"),
        ({"time_budget_s": 0.000001, "trials": None}, 0, "time budget"),
    ],
)
def test_it_ends_as_our_own_searches_do(
    tmp_path: Path, search: dict[str, Any], trials: int, why: str
) -> None:
    falling = {"lr": {"choice": [0.9, 0.8, 0.7, 0.6]}}
    begin(tmp_path, "s", space(falling, **search))
    assert train(tmp_path).ended == why
    assert len(rows(tmp_path)) == trials
    ended = read_search(tmp_path, "s").ended
    assert ended is not None
    assert ended.reason == why


def test_a_trial_that_ran_when_the_search_ended_is_told_to_stop_and_kept(tmp_path: Path) -> None:
    root = begun(tmp_path, target=0.9)
    [slow] = suggest(root, "s", "slow").trials
    [quick] = suggest(root, "s", "quick").trials
    complete(root, "s", quick.trial, "quick", {"val_accuracy": 0.95})
    assert suggest(root, "s", "slow").ended == "target"
    answer = report(root, "s", slow.trial, "slow", {"step": 1, "val_accuracy": 0.5})
    assert (answer.stop, answer.why) == (True, "target")
    assert complete(root, "s", slow.trial, "slow").status == "stopped"
    assert not check(root).contradictions


def test_constraints_are_counted(tmp_path: Path) -> None:
    given = {**space(trials=2, target=0.9), "constraints": ["parameters <= 100"]}
    begin(tmp_path, "s", given)
    for size, ended in ((1000, None), (10, "target")):
        [one] = suggest(tmp_path, "s", "a").trials
        with pytest.raises(InputError, match="parameters: is missing"):
            complete(tmp_path, "s", one.trial, "a", {"val_accuracy": 0.95})
        complete(tmp_path, "s", one.trial, "a", {"val_accuracy": 0.95, "parameters": size})
        assert suggest(tmp_path, "s", "a").ended == ended


def test_stopped_searches_suggest_nothing_until_they_are_resumed(tmp_path: Path) -> None:
    root = begun(tmp_path)
    [one] = suggest(root, "s", "a").trials
    assert stop(root, "s") == stop(root, "s")
    assert suggest(root, "s", "a").ended == "stopped"
    assert report(root, "s", one.trial, "a", {"step": 1, "val_accuracy": 0.5}).why == "stopped"
    assert resume(root, "s").ended is None
    assert suggest(root, "s", "a").trials == (one,)
    assert train(root).ended == "done"
    with pytest.raises(ConflictError, match="has ended"):
        resume(root, "s")
    assert is_consistent(root)


def test_the_leases_of_a_finished_search_are_gone(tmp_path: Path) -> None:
    root = begun(tmp_path, trials=2)
    train(root)
    suggest(root, "s", "a")
    assert [file.name for file in (root / KIND).glob("*.json")] == []


def test_reports_become_the_trials_curve(tmp_path: Path) -> None:
    root = begun(tmp_path)
    [one] = suggest(root, "s", "a").trials
    for _ in range(2):  # the second time is a repeated call
        assert epochs(root, "a", one.trial, [0.3, 0.4]) == [False, False]
    with pytest.raises(ConflictError, match="another measurement of step 2"):
        report(root, "s", one.trial, "a", {"step": 2, "val_accuracy": 0.1})
    complete(root, "s", one.trial, "a", {"val_accuracy": 0.5, "fidelity": 3})
    curve = read_reports(root, search="s").to_pylist()
    assert [(m["step"], m["fidelity"], m["val_accuracy"]) for m in curve] == [
        (1, 1.0, 0.3),
        (2, 2.0, 0.4),
        (3, 3.0, 0.5),
    ]


def test_unknown_searches_and_trials(tmp_path: Path) -> None:
    root = begun(tmp_path)
    for search in ("other", "../s", ""):
        with pytest.raises(UnknownError, match="not in the store"):
            suggest(root, search, "a")
    for trial in ("00000", "0", "../x", "999999", ""):
        with pytest.raises(UnknownError, match="no trial of 's'"):
            complete(root, "s", trial, "a", {"val_accuracy": 0.5})


def test_it_needs_no_ray() -> None:
    code = "import sys, tune_mnist.actions.asking; sys.exit('ray' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
