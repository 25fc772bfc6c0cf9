"""Who holds the store's locks: it is named, waited for only so long, and never disturbed."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.store.example_trials import PARAMETERS, proposal, report, trial, write
from tune_mnist.actions.status import status
from tune_mnist.cli import run
from tune_mnist.errors import InputError
from tune_mnist.searching.history.confirmation import confirmation_of
from tune_mnist.store.lock import living_writer
from tune_mnist.store.reader import read_trials
from tune_mnist.store.writer import StoreError, Writer

HOLDS = """
import sys, time
from pathlib import Path
from tune_mnist.store.lock import doorway
with doorway(Path(sys.argv[1])):
    print("in", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def store(tmp_path: Path) -> Path:
    root = tmp_path / "store"
    write(root, "svm", [trial("00000")])
    with Writer(root, "svm", PARAMETERS, resume=True) as writer:
        writer.append_proposal(proposal(0))
    return root


@pytest.fixture
def holder(store: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[str]]:
    """A process that stays in the doorway."""
    monkeypatch.setattr("tune_mnist.store.lock.WAIT_S", 0.2)
    command = [sys.executable, "-c", HOLDS, str(store)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "in\n"
        yield process
        process.kill()


def files(root: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_who_stays_in_the_doorway_is_named_and_nothing_is_written(
    store: Path, holder: subprocess.Popen[str], capsys: pytest.CaptureFixture[str]
) -> None:
    before = files(store)
    who = rf"\.doorway: is held by process {holder.pid} on \S+ for more than 0.2 s; end that"
    for name in ("svm", "new"):
        with pytest.raises(InputError, match=who):
            Writer(store, name, PARAMETERS, resume=True)
    search = ["search", "svm", "--dataset", "digits", "--trials", "1", "--name", "new"]
    assert run([*search, "--results", str(store)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"process {holder.pid} on" in line
    assert files(store) == before


def test_a_program_that_names_itself_nowhere_is_another_process(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tune_mnist.store.lock.WAIT_S", 0.1)
    with (store / ".writers" / ".doorway").open("rb") as door:
        fcntl.flock(door, fcntl.LOCK_EX)
        with pytest.raises(InputError, match="is held by another process for more than"):
            Writer(store, "new", PARAMETERS)
    Writer(store, "new", PARAMETERS).close()


@pytest.mark.usefixtures("holder")
def test_readers_wait_at_the_doorway_only_for_a_search_with_a_lock(store: Path) -> None:
    assert [one.state for one in status(store)] == ["interrupted"]
    (store / ".writers" / "svm").mkdir()
    (store / ".writers" / "svm" / "lock").touch()
    with pytest.raises(InputError, match="is held by process"):
        status(store)


def test_a_writer_that_cannot_enter_the_doorway_closes_all_the_same(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tune_mnist.store.lock.WAIT_S", 0.1)
    writer = Writer(store, "new", PARAMETERS)
    with (store / ".writers" / ".doorway").open("rb") as door:
        fcntl.flock(door, fcntl.LOCK_EX)
        writer.close()
    assert living_writer(store, "new") is None
    Writer(store, "new", PARAMETERS, resume=True).close()
    assert [path.name for path in (store / ".writers").iterdir()] == [".doorway"]


@pytest.fixture
def read_only(store: Path) -> Iterator[Path]:
    """The store on a read-only disk, with a dead writer's lock in it; mounting takes root."""
    (store / ".writers" / "svm").mkdir()
    (store / ".writers" / "svm" / "lock").write_text("process 7 on elsewhere")
    subprocess.run(["mount", "--bind", store, store], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", store], check=True)
    yield store
    subprocess.run(["umount", store], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="a disk is mounted")
def test_a_read_only_store_with_a_lock_in_it_is_read_by_every_command(
    read_only: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.html"
    for command in (
        ["status"],
        ["status", "--check"],
        ["leaderboard"],
        ["leaderboard", "--html", str(page)],
        ["importance"],
    ):
        assert run([*command, "--results", str(read_only)]) == 0, command
        assert capsys.readouterr().err == ""
    assert page.exists()
    assert [one.state for one in status(read_only)] == ["interrupted"]
    assert confirmation_of(read_only, "svm", top=1, seeds=2).trials == ("00000",)


@pytest.mark.skipif(os.geteuid() != 0, reason="a disk is mounted")
def test_a_read_only_store_with_a_lock_in_it_refuses_a_writer_in_one_line(read_only: Path) -> None:
    for name in ("svm", "new"):
        with pytest.raises(StoreError, match=r"cannot be written: .*Read-only file system"):
            Writer(read_only, name, PARAMETERS, resume=True)


def test_who_writes_is_named_on_a_disk_that_cannot_be_written(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Writer(store, "svm", PARAMETERS, resume=True):
        before = files(store)
        assert living_writer(store, "svm") == f"process {os.getpid()} on {os.uname().nodename}"
        assert files(store) == before


def test_stray_files_beside_the_locks_are_left_alone_and_harm_nothing(store: Path) -> None:
    stray = {
        store / ".writers" / name: name.encode()
        for name in ("notes.txt", "a b/lock", "dead/notes.txt", "svm/notes.txt", "svm/x/y")
    }
    for file, content in stray.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    for folder in ("locked/lock", "dead/aside", "svm/aside.parquet"):
        (store / ".writers" / folder).mkdir(parents=True)
    assert [one.state for one in status(store)] == ["interrupted"]
    with Writer(store, "svm", PARAMETERS, resume=True) as writer:
        writer.append_trial(trial("00001"), [report(1)])
        writer.compact()
    Writer(store, "new", PARAMETERS).close()
    assert len(read_trials(store)) == 2
    assert all(file.read_bytes() == content for file, content in stray.items())
    assert (store / ".writers" / "dead" / "aside").is_dir()
    assert not (store / ".writers" / "svm" / "lock").exists()


def test_a_folder_in_the_place_of_a_lock_is_one_line(store: Path) -> None:
    (store / ".writers" / "svm" / "lock").mkdir(parents=True)
    with pytest.raises(StoreError, match=r"Is a directory: '.*/svm/lock'"):
        Writer(store, "svm", PARAMETERS, resume=True)
    assert [one.state for one in status(store)] == ["interrupted"]
