"""A search is killed before every other system call while it saves the model of a better trial."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.store.example_trials import PARAMETERS, report, trial
from tests.store.models.kept import finish, kept_models, whole_models
from tune_mnist.store.plans import SearchRecord
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
from tests.store.example_trials import PARAMETERS, trial
from tests.store.models.kept import finish, kept_models
from tune_mnist.store.writer import Writer

start, folder = Path(sys.argv[1]), Path(sys.argv[2])
number = 0
while True:
    root = shutil.copytree(start, folder / str(number))

    def prepare():
        writer = Writer(root, "svm", PARAMETERS, resume=True)
        models = kept_models(writer)
        return lambda: finish(writer, models, trial("t3", 0.99))

    if not killed_before_call(number, prepare):
        break
    number += 2
print(number // 2)
"""


@pytest.fixture(scope="module")
def one_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store whose best trial of three, t1, has its model."""
    root = tmp_path_factory.mktemp("one")
    with Writer(root, "svm", PARAMETERS) as writer:
        writer.write_search(SearchRecord(search="svm"))
        models = kept_models(writer)
        for number, accuracy in enumerate((0.9, 0.95, 0.8)):
            finish(writer, models, trial(f"t{number}", accuracy))
    assert whole_models(root) == {"t1"}
    return root


def test_a_kill_leaves_no_half_model_and_loses_no_trial(one_model: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", KILLER, str(one_model), str(tmp_path)]
    kills = int(subprocess.run(command, check=True, timeout=300, stdout=subprocess.PIPE).stdout)
    print(f"{kills} kills")
    assert kills >= 60
    roots = [tmp_path / str(2 * number) for number in range(kills + 1)]
    states = {state(root): root for root in roots}
    assert set(states) == {
        (False, False),  # the better trial is not there yet, nor its model
        (False, True),  # its model is there first
        (True, True),
    }
    for root in states.values():
        resume(root)


def state(root: Path) -> tuple[bool, bool]:
    """Return whether the better trial is stored, and its model; every model is whole."""
    trials = set(read_trials(root)["trial"].to_pylist())
    models = whole_models(root)
    best = "t3" if "t3" in trials else "t1"
    assert {"t0", "t1", "t2"} <= trials
    assert best in models
    return "t3" in trials, "t3" in models


def resume(root: Path) -> None:
    with Writer(root, "svm", PARAMETERS, resume=True) as writer:
        assert not writer.candidates.exists()
        finish(writer, kept_models(writer), trial("t4", 0.999))
        writer.append_trial(trial("t3", 0.99), [report(1), report(2)])
    assert whole_models(root) == {"t4"}
    assert Counter(read_trials(root)["trial"].to_pylist()) == dict.fromkeys(
        ("t0", "t1", "t2", "t3", "t4"), 1
    )
    assert set(Counter(read_reports(root)["trial"].to_pylist()).values()) == {2}
