"""A full, read-only or forbidden disk, at any step: one clear error, and nothing is lost."""

from __future__ import annotations

import errno
import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.breaking import breaking
from tests.store.example_trials import PARAMETERS, proposal, report, trial, write
from tune_mnist.store.plans import SearchRecord, read_search
from tune_mnist.store.proposals import Proposal, read_list
from tune_mnist.store.reader import read_reports, read_trials
from tune_mnist.store.writer import StoreError, Writer

MESSAGE = (
    "{}: .* could not be written: {}; what was written before is whole; "
    "make .* resume the search svm"
)


LONG = Proposal(1, {"kernel": "C" * 5000}, 0)


def append(writer: Writer) -> None:
    writer.append_trial(trial("t3"), [report(1), report(2)])


TASKS: dict[str, Callable[[Writer], None]] = {
    "append": append,
    "compact": lambda writer: writer.compact(),
    "propose": lambda writer: writer.append_proposal(LONG),
    "end": lambda writer: writer.end_search("done"),
}


def refusal(writer: Writer, task: str) -> str | None:
    """Return the writer's error if it cannot do the task, None if it can."""
    try:
        TASKS[task](writer)
    except StoreError as error:
        return str(error)
    return None


@pytest.fixture(scope="module")
def three_trials(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("three")
    with Writer(root, "svm", PARAMETERS) as writer:
        writer.write_search(SearchRecord(seed=7))
        writer.append_proposal(proposal(0))
        for number in range(3):
            writer.append_trial(trial(f"t{number}"), [report(1), report(2)])
    return root


def check_whole(root: Path, more: set[str]) -> None:
    """Assert that three trials are there once, with their measurements, and at most `more`."""
    trials = read_trials(root)["trial"].to_pylist()
    assert {"t0", "t1", "t2"} <= set(trials) <= {"t0", "t1", "t2", *more}
    assert len(set(trials)) == len(trials)
    reports = Counter(read_reports(root)["trial"].to_pylist())
    assert {reports[name] for name in trials} == {2}
    assert read_search(root, "svm").seed == 7
    assert read_list(root, "svm").proposals[0] == proposal(0)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES])
@pytest.mark.parametrize("task", TASKS)
def test_each_refused_step_is_one_clear_error_and_can_be_repeated(
    three_trials: Path, tmp_path: Path, task: str, code: int
) -> None:
    for step in range(200):
        root = shutil.copytree(three_trials, tmp_path / str(step))
        with Writer(root, "svm", PARAMETERS, resume=True) as writer:
            with breaking(step, OSError(code, os.strerror(code))) as happened:
                said = refusal(writer, task)
            assert said is None or re.fullmatch(MESSAGE.format(root, os.strerror(code)), said)
            check_whole(root, {"t3"})
            TASKS[task](writer)
            append(writer)
        check_whole(root, {"t3"})
        assert "t3" in read_trials(root)["trial"].to_pylist()
        if not happened():
            break
    assert 3 < step < 199


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 512 KiB; mounting it takes root."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", tmp_path], check=True)
    yield tmp_path
    subprocess.run(["umount", tmp_path], check=True)


def fill(disk: Path, left: int) -> Path:
    """Fill the disk until only this many bytes are free."""
    filler = disk / "filler"
    with filler.open("wb") as file:
        free = os.statvfs(disk)
        file.write(bytes(max(0, free.f_bavail * free.f_frsize - left)))
    return filler


@pytest.mark.skipif(os.geteuid() != 0, reason="a disk is mounted; the test above needs none")
def test_a_full_disk_is_one_clear_error_and_the_store_works_again_when_there_is_room(
    small_disk: Path,
) -> None:
    said: set[str | None] = set()
    with Writer(small_disk, "svm", PARAMETERS) as writer:
        writer.write_search(SearchRecord(seed=7))
        writer.append_proposal(proposal(0))
        for number in range(3):
            writer.append_trial(trial(f"t{number}"), [report(1), report(2)])
        for left in range(0, 80 * 1024, 4096):
            filler = fill(small_disk, left)
            said |= {refusal(writer, task) for task in TASKS}
            check_whole(small_disk, {"t3"})
            filler.unlink()
        append(writer)
    check_whole(small_disk, {"t3"})
    whole = MESSAGE.format(small_disk, "No space left on device")
    assert len(said) == 1 + len(TASKS)  # each was refused at least once, always in these words
    assert all(line is None or re.fullmatch(whole, line) for line in said)
    assert sorted(read_trials(small_disk)["trial"].to_pylist()) == ["t0", "t1", "t2", "t3"]


@pytest.mark.skipif(os.geteuid() != 0, reason="a disk is mounted; the test above needs none")
def test_a_read_only_disk_is_read_and_refused_in_one_line(small_disk: Path) -> None:
    write(small_disk, "svm", [trial("t0")])
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    for name in ("svm", "third"):
        with pytest.raises(
            StoreError, match=r"cannot be written: .*Read-only file system.*`results`"
        ):
            Writer(small_disk, name, PARAMETERS, resume=True)
    assert len(read_trials(small_disk)) == 1
    subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
    with Writer(small_disk, "svm", PARAMETERS, resume=True) as writer:
        append(writer)
    assert len(read_trials(small_disk)) == 2
