"""A client that no longer calls loses its trial to another one."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.actions.asking.toy import begun, train
from tune_mnist.actions.asking import ConflictError, complete, report, suggest
from tune_mnist.actions.status import check, replay
from tune_mnist.store.reader import read_reports, read_trials

TIMEOUT_S = 1.5


def wait() -> None:
    time.sleep(TIMEOUT_S + 0.1)


def test_its_trial_is_suggested_again_and_it_is_refused(tmp_path: Path) -> None:
    root = begun(tmp_path, trial_timeout_s=TIMEOUT_S)
    [one] = suggest(root, "s", "lost").trials
    report(root, "s", one.trial, "lost", {"step": 1, "val_accuracy": 0.1})
    wait()
    assert suggest(root, "s", "new").trials == (one,)
    for call in (
        lambda: complete(root, "s", one.trial, "lost", {"val_accuracy": 0.2}),
        lambda: report(root, "s", one.trial, "lost", {"step": 2, "val_accuracy": 0.2}),
    ):
        with pytest.raises(ConflictError, match=r"to another client, because .* not called for"):
            call()
    complete(root, "s", one.trial, "new", {"val_accuracy": 0.3})
    with pytest.raises(ConflictError, match="completed already, with another result"):
        complete(root, "s", one.trial, "lost", {"val_accuracy": 0.2})
    curve = read_reports(root, search="s").to_pylist()
    assert [measured["val_accuracy"] for measured in curve] == [0.3]  # the lost one's is dropped
    assert suggest(root, "s", "lost").trials[0].trial != one.trial
    assert not check(root).contradictions


def test_it_may_complete_late_if_nobody_has_taken_the_trial(tmp_path: Path) -> None:
    root = begun(tmp_path, trial_timeout_s=TIMEOUT_S)
    [one] = suggest(root, "s", "late").trials
    wait()
    assert suggest(root, "s", "late").trials == (one,)  # it has called again
    assert suggest(root, "s", "other").trials != (one,)
    wait()
    assert complete(root, "s", one.trial, "late", {"val_accuracy": 0.2}).status == "completed"


def test_a_report_is_a_call(tmp_path: Path) -> None:
    root = begun(tmp_path, trial_timeout_s=TIMEOUT_S)
    [one] = suggest(root, "s", "slow").trials
    for step in range(1, 4):
        time.sleep(TIMEOUT_S / 2)
        report(root, "s", one.trial, "slow", {"step": step, "val_accuracy": 0.1})
    assert suggest(root, "s", "other").trials != (one,)


def test_without_a_limit_nobody_is_lost(tmp_path: Path) -> None:
    root = begun(tmp_path, trials=2)
    [one] = suggest(root, "s", "silent").trials
    last = train(root, "other")
    assert (last.trials, last.ended) == ((), None)  # it may come free, or be completed
    complete(root, "s", one.trial, "silent", {"val_accuracy": 0.2})
    assert suggest(root, "s", "other").ended == "done"


def test_no_more_trials_than_may_run_side_by_side(tmp_path: Path) -> None:
    root = begun(tmp_path, trial_timeout_s=TIMEOUT_S, max_concurrent=2)
    assert len(suggest(root, "s", "a", 5).trials) == 2
    assert suggest(root, "s", "b").trials == ()
    wait()
    assert len(suggest(root, "s", "b").trials) == 1
    train(root, "b")
    assert read_trials(root, search="s").num_rows == 6
    assert replay(root, "s").reproduced == 6
