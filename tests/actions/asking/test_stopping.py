"""Schedulers stop trials that are trained elsewhere as they stop our own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.actions.asking.toy import PARAMETERS, epochs, space
from tune_mnist.actions.asking import ConflictError, begin, complete, report, suggest
from tune_mnist.actions.status import check, replay
from tune_mnist.errors import InputError
from tune_mnist.store.reader import read_trials


def begun(tmp_path: Path, scheduler: str) -> Path:
    given = space({**PARAMETERS, "epochs": 4}, scheduler=scheduler, trials=8)
    begin(tmp_path, "s", given)
    return tmp_path


def next_trial(root: Path, client: str = "a") -> str:
    return suggest(root, "s", client).trials[0].trial


def lag(root: Path, client: str) -> int:
    """Train badly until a trial is stopped; return at which epoch. Hyperband spares some."""
    for value in (0.1, 0.09, 0.08, 0.07):
        trial = next_trial(root, client)
        for reached in (1, 2, 3):
            if epochs(root, client, trial, [value] * reached)[-1]:
                assert epochs(root, client, trial, [value] * reached)[-1]  # asked once more
                assert complete(root, "s", trial, client).status == "stopped"
                return reached
        complete(root, "s", trial, client, failed="too bad")
    raise AssertionError("no trial was stopped")


@pytest.mark.parametrize("scheduler", ["asha", "hyperband", "median"])
def test_a_trial_that_lags_is_stopped_and_stored_with_its_last_measurement(
    tmp_path: Path, scheduler: str
) -> None:
    root = begun(tmp_path, scheduler)
    for _ in range(4):
        trial = next_trial(root)
        assert epochs(root, "a", trial, [0.5, 0.6, 0.7, 0.8]) == [False] * 4
        result = {"val_accuracy": 0.8, "fidelity": 4, "test_accuracy": 0.8}
        assert complete(root, "s", trial, "a", result).status == "completed"
    reached = lag(root, "b")
    [row] = read_trials(root, search="s", equal={"status": "stopped"}).to_pylist()
    assert row["val_accuracy"] <= 0.1
    assert row["fidelity"] == reached
    assert row["test_accuracy"] is None
    assert not check(root).contradictions
    assert replay(root, "s").reproduced == replay(root, "s").proposals


def test_trials_side_by_side_are_compared_too(tmp_path: Path) -> None:
    root = begun(tmp_path, "asha")
    trials = {client: next_trial(root, client) for client in "abc"}
    assert epochs(root, "a", trials["a"], [0.9]) == [False]
    assert epochs(root, "b", trials["b"], [0.8]) == [True]
    assert epochs(root, "c", trials["c"], [0.95]) == [False]


def test_who_trains_on_although_told_to_stop_has_completed(tmp_path: Path) -> None:
    root = begun(tmp_path, "asha")
    good, bad = next_trial(root, "a"), next_trial(root, "b")
    epochs(root, "a", good, [0.9])
    assert epochs(root, "b", bad, [0.1]) == [True]
    part = {"val_accuracy": 0.2, "fidelity": 2, "test_accuracy": 0.2}
    with pytest.raises(InputError, match="test_accuracy: of a trial that was stopped early"):
        complete(root, "s", bad, "b", part)
    whole = {"val_accuracy": 0.95, "fidelity": 4}
    assert complete(root, "s", bad, "b", whole).status == "completed"


def test_fractions_of_the_images_are_rungs_too(tmp_path: Path) -> None:
    given = {**space(scheduler="asha"), "fidelity": {"parameter": "train_fraction"}}
    begin(tmp_path, "s", given)
    good, bad = next_trial(tmp_path, "a"), next_trial(tmp_path, "b")
    first = {"step": 1, "fidelity": 1 / 9}
    assert not report(tmp_path, "s", good, "a", {**first, "val_accuracy": 0.9}).stop
    assert report(tmp_path, "s", bad, "b", {**first, "val_accuracy": 0.1}).why == "asha"


def test_what_a_scheduler_needs_must_be_said(tmp_path: Path) -> None:
    root = begun(tmp_path, "asha")
    trial = next_trial(root)
    with pytest.raises(InputError, match="fidelity: is missing"):
        report(root, "s", trial, "a", {"step": 1, "val_accuracy": 0.1})
    with pytest.raises(InputError, match="val_accuracy: is missing"):
        report(root, "s", trial, "a", {"step": 1, "fidelity": 1})


def test_steps_ascend(tmp_path: Path) -> None:
    root = begun(tmp_path, "none")
    trial = next_trial(root)
    report(root, "s", trial, "a", {"step": 3, "val_accuracy": 0.1})
    with pytest.raises(InputError, match="step: 2 comes after 3"):
        report(root, "s", trial, "a", {"step": 2, "val_accuracy": 0.1})
    with pytest.raises(ConflictError, match="another measurement of step 3"):
        report(root, "s", trial, "a", {"step": 3, "val_accuracy": 0.2})


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"scheduler": "pbt"}, "pbt changes trainings while they run"),
        ({"scheduler": "asha"}, "asha stops trials between measurements"),
        ({"retries": 1}, "search.retries: is not ours to do"),
    ],
)
def test_what_cannot_be_done_elsewhere_is_refused(
    tmp_path: Path, change: dict[str, Any], line: str
) -> None:
    with pytest.raises(InputError, match=line):
        begin(tmp_path, "s", space(**change))
    assert not (tmp_path / "searches").exists()


def test_a_scheduler_needs_an_objective_that_reports_have(tmp_path: Path) -> None:
    given = space({**PARAMETERS, "epochs": 4}, scheduler="asha")
    with pytest.raises(InputError, match="compares measurements on the way, which have no fit_s"):
        begin(tmp_path, "s", {**given, "objective": {"metric": "fit_s"}})
