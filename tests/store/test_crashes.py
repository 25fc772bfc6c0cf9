"""A process is really killed at every step of its work: what a reader and a writer find then."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from tests.store.example_trials import PARAMETERS, report, trial
from tune_mnist.store.reader import read_reports, read_trials
from tune_mnist.store.writer import Writer

# Forks a child for each step of the work. The child kills itself just before that step: opening a
# file aside, renaming or removing. The last child finishes its work.
KILLER = """
import os, signal, sys
from pathlib import Path
from tests.store.example_trials import PARAMETERS, report, trial
from tune_mnist.store.plans import SearchRecord
from tune_mnist.store.writer import Writer

STEPS = {"os.rename", "os.remove"}

def die_at(step, root):
    left = step
    def hook(event, args):
        nonlocal left
        aside = event == "open" and str(args[0]).endswith("aside")
        if event in STEPS or aside:
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(hook)

def work(root, step, task):
    writer = Writer(root, "svm", PARAMETERS)
    writer.write_search(SearchRecord())
    for number in range(3):
        writer.append_trial(trial(f"t{number}"), [report(1), report(2)])
    die_at(step, root)
    if task == "append":
        writer.append_trial(trial("t3"), [report(1), report(2)])
    else:
        writer.compact()

for step in range(100):
    child = os.fork()
    if child == 0:
        work(Path(sys.argv[1]) / str(step), step, sys.argv[2])
        os._exit(0)
    if os.waitpid(child, 0)[1] != signal.SIGKILL:
        break
"""


def killed(folder: Path, task: str) -> list[Path]:
    """Return the stores that the killed writers left, in order of the steps."""
    subprocess.run([sys.executable, "-c", KILLER, str(folder), task], check=True, timeout=120)
    stores = sorted(folder.iterdir(), key=lambda path: int(path.name))
    return stores[:-1]  # the last one was not killed


@pytest.fixture(scope="module")
def killed_in_compaction(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    stores = killed(tmp_path_factory.mktemp("compaction"), "compact")
    assert len(stores) == 2 * (2 + 3 + 3)  # aside and rename, three files out of sight, then gone
    return stores


@pytest.fixture(scope="module")
def killed_in_append(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    stores = killed(tmp_path_factory.mktemp("append"), "append")
    assert len(stores) == 2 * 2
    return stores


def test_a_kill_in_compaction_loses_and_doubles_no_row(killed_in_compaction: list[Path]) -> None:
    for root in killed_in_compaction:
        assert sorted(read_trials(root)["trial"].to_pylist()) == ["t0", "t1", "t2"]
        assert Counter(read_reports(root)["trial"].to_pylist()) == {"t0": 2, "t1": 2, "t2": 2}


def test_a_kill_in_append_loses_no_earlier_row(killed_in_append: list[Path]) -> None:
    for root in killed_in_append:
        assert read_trials(root)["trial"].to_pylist() == ["t0", "t1", "t2"]


def test_a_trial_that_can_be_read_has_its_reports(
    killed_in_append: list[Path], killed_in_compaction: list[Path]
) -> None:
    for root in killed_in_append + killed_in_compaction:
        reports = Counter(read_reports(root)["trial"].to_pylist())
        assert {reports[name] for name in read_trials(root)["trial"].to_pylist()} == {2}


def test_the_next_writer_of_the_store_tidies_for_plain_readers(
    killed_in_compaction: list[Path],
) -> None:
    for root in killed_in_compaction:
        Writer(root, "another", PARAMETERS).close()
        assert sorted(pd.read_parquet(root / "trials")["trial"]) == ["t0", "t1", "t2"]
        assert [path.name for path in (root / ".writers").iterdir()] == [".doorway"]


def test_a_resumed_search_appends_the_lost_trial_once(killed_in_append: list[Path]) -> None:
    for root in killed_in_append:
        with Writer(root, "svm", PARAMETERS, resume=True) as writer:
            writer.compact()
            writer.append_trial(trial("t4"), [report(1)])
            writer.append_trial(trial("t3"), [report(1), report(2)])
            writer.compact()
        assert sorted(read_trials(root)["trial"].to_pylist()) == ["t0", "t1", "t2", "t3", "t4"]
        assert Counter(read_reports(root)["trial"].to_pylist()) == Counter(
            {"t0": 2, "t1": 2, "t2": 2, "t3": 2, "t4": 1}
        )


def test_a_killed_writer_keeps_every_row_it_returned_from(tmp_path: Path) -> None:
    script = f"""
from pathlib import Path
from itertools import count
from tests.store.example_trials import PARAMETERS, report, trial
from tune_mnist.store import writer
from tune_mnist.store.plans import SearchRecord
writer.MERGE_AT = 7
store = writer.Writer(Path({str(tmp_path)!r}), "svm", PARAMETERS)
store.write_search(SearchRecord())
for number in count():
    store.append_trial(trial(f"t{{number}}"), [report(1)])
    print(number, flush=True)
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        while int(process.stdout.readline()) < 40:
            pass
        process.send_signal(signal.SIGKILL)
        told = [int(line) for line in process.stdout if line.endswith(b"\n")]
    trials = read_trials(tmp_path)["trial"].to_pylist()
    assert trials == [f"t{number}" for number in range(len(trials))]
    assert len(trials) > max(told, default=40)
    Writer(tmp_path, "svm", PARAMETERS, resume=True).close()


def test_a_reader_sees_every_finished_trial_once_while_they_are_merged(tmp_path: Path) -> None:
    script = f"""
from pathlib import Path
from tests.store.example_trials import PARAMETERS, report, trial
from tune_mnist.store import writer
from tune_mnist.store.plans import SearchRecord
writer.MERGE_AT = 3
with writer.Writer(Path({str(tmp_path)!r}), "svm", PARAMETERS) as store:
    store.write_search(SearchRecord())
    print("ready", flush=True)
    for number in range(60):
        store.append_trial(trial(f"t{{number}}"), [report(1)])
        if number % 20 == 0:
            store.compact()
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        seen = 0
        while process.poll() is None:
            trials = read_trials(tmp_path, columns=["trial"])["trial"].to_pylist()
            assert sorted(trials) == sorted(f"t{number}" for number in range(len(trials)))
            assert len(trials) >= seen
            seen = len(trials)
    assert (process.returncode, len(read_trials(tmp_path))) == (0, 60)


def test_two_processes_write_two_searches_of_one_store(tmp_path: Path) -> None:
    script = """
import sys
from pathlib import Path
from tests.store.example_trials import trial, write
write(Path(sys.argv[1]), sys.argv[2], [trial(f"t{i}") for i in range(20)], compact=True)
"""
    command = [sys.executable, "-c", script, str(tmp_path)]
    processes = [subprocess.Popen([*command, f"svm-{number}"]) for number in range(4)]
    assert [process.wait(60) for process in processes] == [0] * 4
    assert Counter(read_trials(tmp_path)["search"].to_pylist()) == {
        f"svm-{number}": 20 for number in range(4)
    }
