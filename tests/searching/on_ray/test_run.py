"""A search on real Ray: what reaches the store, and how a search ends."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import ray
from ray import tune
from ray.air.execution._internal.actor_manager import RayActorManager

from tests.searching.conftest import RESNET, SVM, Searched
from tune_mnist.datasets import Dataset
from tune_mnist.errors import Fault, InputError
from tune_mnist.searching.observer import Observer, Row
from tune_mnist.searching.on_ray import events, tuner
from tune_mnist.searching.on_ray.events import TrialEvents
from tune_mnist.spaces import Config
from tune_mnist.store.files.place import bring_model
from tune_mnist.store.reader import read_reports, read_trials
from tune_mnist.store.writer import StoreError, Writer
from tune_mnist.training.saved.files import read_facts

Search = Callable[..., Searched]

LONG = RESNET.replace("epochs: 2", "epochs: 500")
FACTS = ("seed", "split", "versions", "device", "host", "data_hash", "code_hash", "engine")
"""Columns of a row that say where and with what it was measured."""


def test_every_configuration_becomes_a_row_and_the_best_one_keeps_its_model(
    search: Search, few_digits: Dataset, tmp_path: Path
) -> None:
    outcome, rows = search(SVM)
    assert outcome.counts == {"completed": 6}
    assert sorted((row["config.kernel"], row["config.C"]) for row in rows) == sorted(
        (kernel, C) for kernel in ("linear", "rbf") for C in (0.1, 1.0, 10.0)
    )
    for row in rows:  # each says where and with what it was measured
        for name in FACTS:
            assert row[name] not in (None, ""), name
        assert row["wall_time_s"] == pytest.approx(row["setup_s"] + row["fit_s"] + row["eval_s"])
    assert outcome.best is not None
    assert outcome.best["val_accuracy"] == max(row["val_accuracy"] for row in rows)
    saved = saved_accuracies(tmp_path / "results", few_digits)
    assert saved == {outcome.best["trial"]: outcome.best["val_accuracy"]}
    assert not any((tmp_path / "results" / ".models").iterdir())


def saved_accuracies(root: Path, data: Dataset, search: str = "s") -> dict[str, float]:
    """Return the validation accuracy of each saved model of a search, by trial."""
    found = {}
    for folder in (root / "models" / f"search={search}").iterdir():
        facts = read_facts(bring_model(root, search, folder.name))
        found[folder.name] = float(np.mean(np.array(facts.predicted) == data.val.labels))
    return found


def test_a_trial_that_another_training_measured_has_its_model_too(
    search: Search, fewer_digits: Dataset, tmp_path: Path
) -> None:
    """Two trials are one training; another search reuses both and trains nothing."""
    text = RESNET.replace("{choice: [0.01, 0.001]}", "0.01")
    text = text.replace("epochs: 2", "epochs: {choice: [1, 2]}")
    outcome, rows = search(text, keep_models=2)
    assert outcome.shared == 1
    expected = {row["trial"]: row["val_accuracy"] for row in rows}
    assert saved_accuracies(tmp_path / "results", fewer_digits) == expected
    again, rows = search(text, "again", remember=True, keep_models=2)
    assert again.reused == 2
    expected = {row["trial"]: row["val_accuracy"] for row in rows}
    assert saved_accuracies(tmp_path / "results", fewer_digits, "again") == expected


def test_svms_on_a_shared_matrix_score_as_those_on_their_own(search: Search) -> None:
    _, alone = search(SVM, "alone")
    outcome, shared = search(SVM, "shared", engine="shared-gram")
    assert {row["engine"] for row in shared} == {"shared-gram"}
    assert outcome.gram_s > 0
    scores = [
        {row["config"]: (row["val_accuracy"], row["test_accuracy"]) for row in rows}
        for rows in (alone, shared)
    ]
    assert scores[0] == scores[1]


def test_same_seed_gives_the_same_trials_and_each_epoch_is_a_report(
    search: Search, tmp_path: Path
) -> None:
    text = RESNET.replace("{choice: [0.01, 0.001]}", "{log_uniform: [0.001, 0.1]}")
    text = text.replace("grid", "tpe")
    first, second = (search(text, name, seed=3)[1] for name in ("a", "b"))
    assert [(row["config"], row["val_accuracy"], row["test_accuracy"]) for row in first] == [
        (row["config"], row["val_accuracy"], row["test_accuracy"]) for row in second
    ]
    for row in first:
        reports = read_reports(tmp_path / "results", search="a").to_pylist()
        own = [report for report in reports if report["trial"] == row["trial"]]
        assert [report["step"] for report in own] == [1, 2]
        assert [report["test_accuracy"] is None for report in own] == [True, False]


class KillsFirst(Observer):
    """Kills the process of the first trial that reports."""

    killed = False

    def trial_reported(self, trial: str, measurement: Row) -> None:
        if not self.killed:
            self.killed = True
            os.kill(measurement["pid"], signal.SIGKILL)


def test_a_failed_and_a_killed_trial_are_kept_with_their_errors_and_the_search_goes_on(
    search: Search,
) -> None:
    text = RESNET.replace("epochs: 2", "epochs: 4").replace("0.01, ", "1.0e+30, 0.01, ")
    outcome, rows = search(text, observer=KillsFirst(), trials=3)
    assert outcome.counts == {"completed": 1, "failed": 2}
    by_rate = {row["config.learning_rate"]: row for row in rows}
    assert "diverged" in by_rate[1e30]["error"]
    assert by_rate[1e30]["val_accuracy"] is None
    assert [row for row in rows if "process died" in (row["error"] or "")]


def test_asha_keeps_the_curve_of_a_stopped_trial_and_never_tests_it(search: Search) -> None:
    text = RESNET.replace("batch_size: 64", "batch_size: 16\n  optimizer: adam")
    text = text.replace("[0.01, 0.001]", "[0.001, 1.0e-9, 2.0e-9]").replace(
        "epochs: 2", "epochs: 3"
    )
    text += "points:\n  - {learning_rate: 0.001}\n"  # first, so that the others lag behind it
    outcome, rows = search(text, scheduler="asha", trials=3)
    stopped = [row for row in rows if row["status"] == "stopped"]
    assert stopped
    assert all(row["test_accuracy"] is None and row["val_accuracy"] is not None for row in stopped)
    assert outcome.best is not None


def test_a_trial_that_breaks_a_constraint_never_wins(search: Search) -> None:
    outcome, rows = search(SVM + "constraints: [parameters > 15000]\n")  # linear ones are smaller
    assert outcome.best is not None
    assert outcome.best["parameters"] > 15000
    assert outcome.best["val_accuracy"] < max(row["val_accuracy"] for row in rows)


@pytest.mark.parametrize(
    ("scheduler", "values"),
    [
        ("asha", "10.0, 1.0e-4, 2.0e-4, 3.0e-4"),
        ("hyperband", "10.0, 1.0e-4, 2.0e-4, 3.0e-4, 4.0e-4"),  # some skip the first rungs
        ("median", "10.0, 1.0, 2.0, 1.0e-4"),  # with this seed the last comes last
    ],
)
def test_an_svm_climbs_its_rungs(
    search: Search, tmp_path: Path, scheduler: str, values: str
) -> None:
    text = SVM.replace("linear, rbf", "rbf").replace("0.1, 1.0, 10.0", values)
    text += "fidelity: {parameter: train_fraction, rungs: [0.25, 0.5, 1.0]}\n"
    text += "points: [{kernel: rbf, C: 10.0}]\n"  # first, so that the others lag behind it
    _, rows = search(text, scheduler=scheduler, seed=2)
    reports = read_reports(tmp_path / "results", search="s").to_pylist()
    for row in rows:
        climbed = [one["fidelity"] for one in reports if one["trial"] == row["trial"]]
        assert climbed == [0.25, 0.5, 1.0][: len(climbed)]
        assert (len(climbed) == 3) == (row["status"] == "completed")
    assert [row["config.C"] for row in rows if row["status"] == "stopped"]


def test_asha_of_several_objectives_stops_the_dominated(search: Search) -> None:
    text = RESNET.replace("batch_size: 64", "batch_size: 8")
    text = text.replace("[0.01, 0.001]", "[0.01, 1.0e-9]") + "points: [{learning_rate: 0.01}]\n"
    text += "objective: [{metric: val_accuracy}, {metric: parameters}]\n"
    outcome, rows = search(text, scheduler="asha")
    by_rate = {row["config.learning_rate"]: row["status"] for row in rows}
    assert by_rate == {0.01: "completed", 1e-9: "stopped"}
    assert outcome.best is not None


def test_the_target_ends_a_search(search: Search) -> None:
    outcome, rows = search(SVM, target=0.5)
    assert (outcome.reason, len(rows)) == ("target", 1)


def test_the_time_budget_ends_a_search_and_counts_what_was_cut(search: Search) -> None:
    began = time.monotonic()
    outcome, rows = search(LONG, time_budget_s=3, max_concurrent=2)
    assert (outcome.reason, rows, outcome.unfinished) == ("time budget", [], 2)
    # No trial has reported, and Tune cannot interrupt one. Seconds are claimed elsewhere: here the
    # machine may be busy.
    assert time.monotonic() - began < 30


class InterruptsAfterFirst(Observer):
    """Presses Ctrl-C when the first trial has finished."""

    def trial_finished(self, row: Row) -> None:
        os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_keeps_what_finished(search: Search) -> None:
    outcome, rows = search(SVM, observer=InterruptsAfterFirst())
    assert outcome.reason == "interrupted"
    assert 1 <= len(rows) < 6


def test_as_many_trials_without_a_better_one_end_a_search(search: Search) -> None:
    outcome, rows = search(SVM.replace("[0.1, 1.0, 10.0]", "[1.0, 1.1, 1.2, 1.3]"), plateau=2)
    assert outcome.reason == "plateau"
    assert len(rows) < 8


def test_a_trial_that_was_killed_is_tried_again(search: Search) -> None:
    text = RESNET.replace("epochs: 2", "epochs: 4")
    outcome, rows = search(text, observer=KillsFirst(), retries=1)
    assert outcome.counts == {"completed": 2}
    assert [(row["trial"], row["attempt"], row["status"]) for row in rows] == [
        ("00000", 1, "failed"),
        ("00000", 2, "completed"),
        ("00001", 1, "completed"),
    ]


def test_a_trial_that_hangs_is_ended_and_its_bundle_is_free_again(search: Search) -> None:
    text = RESNET.replace("{choice: [0.01, 0.001]}", "0.01")
    text = text.replace("epochs: 2", "epochs: {choice: [1, 500]}").replace(", trials: 2", "")
    outcome, rows = search(text, trial_timeout_s=15, share=False)
    assert outcome.counts == {"completed": 1, "failed": 1}
    hanging = next(row for row in rows if row["status"] == "failed")
    assert hanging["error"] == "took more than 15 s, and was ended"
    assert hanging["wall_time_s"] < 15 + 5


def test_a_trial_that_is_stopped_is_ended_by_the_search(
    search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGSTOP stops the clock of its own process too; the next trial gets its bundle."""
    monkeypatch.setattr(events, "LATE_S", 3.0)

    def stop_the_first(self: Observer, trial: str, config: Config) -> None:
        if trial == "00000":
            for child in psutil.Process().children(recursive=True):
                if child.name().startswith("ray::ImplicitFunc"):
                    child.suspend()

    monkeypatch.setattr(Observer, "trial_started", stop_the_first)
    _, rows = search(RESNET, max_concurrent=1, trial_timeout_s=10)
    stopped, following = sorted(rows, key=lambda row: str(row["trial"]))
    assert stopped["error"] == "took more than 10 s, and was ended"
    assert following["started"] >= stopped["finished"]


def test_a_store_that_takes_no_more_rows_ends_the_search_with_one_line(
    search: Search, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    append = Writer.append_trial

    def full(writer: Writer, row: Row, reports: list[Row]) -> None:
        if row["trial"] != "00000":
            raise StoreError([Fault("results", "", "no space left on device", "free some")])
        append(writer, row, reports)

    monkeypatch.setattr(Writer, "append_trial", full)
    with pytest.raises(InputError, match="no space left on device"):
        search(SVM)
    assert [row["trial"] for row in read_trials(tmp_path / "results").to_pylist()] == ["00000"]


def test_a_full_temporary_folder_ends_the_search_with_one_line(
    search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: tune.Tuner) -> None:
        raise OSError("Error writing bytes to file. Detail: No space left on device")

    monkeypatch.setattr(tune.Tuner, "fit", full)
    with pytest.raises(InputError, match=r"no more files of Ray Tune.*No space left"):
        search(SVM)


def test_a_process_that_dies_between_two_trials_is_not_the_next_one_s_failure(
    search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tune gives the dead process its next trial, which then fails before it has begun."""
    complete = TrialEvents.on_trial_complete
    killed: list[str] = []

    def kill_then_complete(
        self: TrialEvents, iteration: int, trials: list[Any], trial: Any, **more: Any
    ) -> None:
        if not killed:
            killed.append(trial.trial_id)
            ray.kill(trial.temporary_state.ray_actor)
            time.sleep(1)
        complete(self, iteration, trials, trial, **more)

    monkeypatch.setattr(TrialEvents, "on_trial_complete", kill_then_complete)
    _, rows = search(SVM, trials=3)
    assert killed
    assert [(row["trial"], row["status"]) for row in rows] == [
        ("00000", "completed"),
        ("00001", "completed"),
        ("00002", "completed"),
    ]


def test_no_process_is_killed_while_it_starts(
    search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ray starts two processes at once on two CPUs; trials end before the others have started."""

    def short(trial: dict[str, Any], shared: object) -> None:
        time.sleep(0.02)
        tune.report({"step": 1, "val_accuracy": 0.5, "test_accuracy": 0.5, "wall_time_s": 0.02})

    started: list[object] = []
    add_actor = RayActorManager.add_actor

    def counted(self: RayActorManager, *arguments: Any, **named: Any) -> Any:
        started.append(arguments)
        return add_actor(self, *arguments, **named)

    monkeypatch.setattr(tuner, "run_trial", short)
    monkeypatch.setattr(RayActorManager, "add_actor", counted)
    costs = ", ".join(str(number / 10) for number in range(1, 81))
    text = SVM.replace("[0.1, 1.0, 10.0]", f"[{costs}]").replace("[linear, rbf]", "[linear]")
    _, rows = search(text + "resources: {cpu: 0.5}\n", max_concurrent=4)
    assert len(rows) == 80
    assert len(started) == 4


def test_a_free_process_takes_the_trial_whose_own_cannot_start(search: Search) -> None:
    """Somebody else has one of the two CPUs, so the second trial's process would wait for ever."""

    class Other:
        def ready(self) -> bool:
            return True

    other: Any = ray.remote(num_cpus=1)(Other).remote()
    assert ray.get(other.ready.remote())
    text = SVM.replace("[0.1, 1.0, 10.0]", "[0.1, 1.0]").replace("[linear, rbf]", "[linear]")
    outcome, _ = search(text, max_concurrent=2)
    ray.kill(other)
    assert outcome.counts == {"completed": 2}


def test_searches_that_begin_in_the_same_second_share_no_folder_of_tune(
    search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two jobs on one node would otherwise take each other's half-written files away."""
    monkeypatch.setattr("ray.tune.utils.date_str", lambda: "one second")
    for name in ("first", "second"):
        search(SVM, name, trials=1)
    node: Any = ray._private.worker._global_node
    begun = Path(node.get_session_dir_path()) / "artifacts" / "one second"
    assert len(list(begun.iterdir())) == 2
