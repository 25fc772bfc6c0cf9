"""Ask and tell on a bucket: two machines serve one search, call after call."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle
from pathlib import Path

from tests.actions.asking.toy import accuracy, space
from tune_mnist.actions.asking import begin, complete, report, suggest
from tune_mnist.actions.status import check, replay
from tune_mnist.store.files.place import opened
from tune_mnist.store.reader import read_trials


def test_two_machines_answer_alternately(machine: Callable[[str], Path]) -> None:
    servers = cycle([machine("one"), machine("two")])

    def serving() -> Path:
        return opened(next(servers))  # as a service does at each request

    assert begin(serving(), "s", space(trials=3)).is_new
    assert not begin(serving(), "s", space(trials=3)).is_new
    while not (told := suggest(serving(), "s", "a")).ended:
        assert suggest(serving(), "s", "a") == told
        [one] = told.trials
        value = accuracy(one.config)
        report(serving(), "s", one.trial, "a", {"step": 1, "val_accuracy": value})
        for _ in range(2):
            complete(serving(), "s", one.trial, "a", {"val_accuracy": value})
    root = serving()
    assert read_trials(root, search="s")["trial"].to_pylist() == ["00000", "00001", "00002"]
    assert not check(root).contradictions
    assert replay(root, "s").reproduced == 3
