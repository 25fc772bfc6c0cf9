"""A writer is killed before every system call of an append, a merge, a proposal and an end."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.store.example_trials import PARAMETERS, proposal, read_proposals, report, trial
from tune_mnist.store.plans import SearchRecord, read_search
from tune_mnist.store.reader import read_reports, read_trials
from tune_mnist.store.writer import Writer

# Its own process, because pytest has threads and a fork would lose them.
KILLER = """
import os, shutil, sys
from pathlib import Path
os.fsync = lambda descriptor: None  # the kernel survives, so what was written is there
import pyarrow
pyarrow.set_cpu_count(1)
from tests.faults.stepping import killed_before_call
from tests.store.example_trials import PARAMETERS, proposal, report, trial
from tune_mnist.store.writer import Writer

TASKS = {
    "append": lambda writer: writer.append_trial(trial("t3"), [report(1), report(2)]),
    "compact": lambda writer: writer.compact(),
    "propose": lambda writer: writer.append_proposal(proposal(1)),
    "end": lambda writer: writer.end_search("done"),
}
start, folder, task = Path(sys.argv[1]), Path(sys.argv[2]), TASKS[sys.argv[3]]
number = 0
while True:
    root = shutil.copytree(start, folder / str(number))

    def prepare():
        writer = Writer(root, "svm", PARAMETERS, resume=True)
        return lambda: task(writer)

    if not killed_before_call(number, prepare):
        break
    number += 1
print(number)
"""


@pytest.fixture(scope="module")
def three_trials(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("three")
    with Writer(root, "svm", PARAMETERS) as writer:
        writer.write_search(SearchRecord(seed=7))
        writer.append_proposal(proposal(0))
        for number in range(3):
            writer.append_trial(trial(f"t{number}"), [report(1), report(2)])
    return root


@pytest.mark.parametrize("task", ["append", "compact", "propose", "end"])
def test_a_kill_before_any_system_call_loses_and_doubles_nothing(
    three_trials: Path, tmp_path: Path, task: str
) -> None:
    command = [sys.executable, "-c", KILLER, str(three_trials), str(tmp_path), task]
    kills = int(subprocess.run(command, check=True, timeout=300, stdout=subprocess.PIPE).stdout)
    assert kills > 5
    stores = {contents(tmp_path / str(number)): tmp_path / str(number) for number in range(kills)}
    states = {state(root) for root in stores.values()}
    print(f"{task}: {kills} kills, {len(stores)} different stores")
    assert all({"t0", "t1", "t2"} <= trials for trials, _, _ in states)
    expected = {"append": 2, "compact": 1, "propose": 2, "end": 2}
    assert len(states) == expected[task]  # done or not done, never half done


def contents(root: Path) -> frozenset[tuple[str, bytes]]:
    """Return every file of the store with its bytes, except the lock."""
    files = (path for path in root.rglob("*") if path.is_file() and path.name != "lock")
    return frozenset((str(path.relative_to(root)), path.read_bytes()) for path in files)


def state(root: Path) -> tuple[frozenset[str], int, bool]:
    """Return what a reader finds: trials, number of proposals, and whether the search has ended.

    The next writer of the search must then be able to do all of it, once.
    """
    trials = read_trials(root)["trial"].to_pylist()
    reports = Counter(read_reports(root)["trial"].to_pylist())
    assert {reports[name] for name in trials} == {2}
    found = (
        frozenset(trials),
        len(read_proposals(root, "svm")),
        read_search(root, "svm").ended is not None,
    )
    with Writer(root, "svm", PARAMETERS, resume=True) as writer:
        writer.append_trial(trial("t3"), [report(1), report(2)])
        writer.compact()
    assert Counter(read_trials(root)["trial"].to_pylist()) == dict.fromkeys(
        ("t0", "t1", "t2", "t3"), 1
    )
    assert set(Counter(read_reports(root)["trial"].to_pylist()).values()) == {2}
    return found
