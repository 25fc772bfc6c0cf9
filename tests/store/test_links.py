"""Links, pipes and devices in somebody's store: none is followed, opened, emptied or removed."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from tests.store.example_trials import PARAMETERS, read_proposals, report, trial, write
from tune_mnist.actions.status import status
from tune_mnist.errors import InputError, SkippedWarning
from tune_mnist.searching.history.resume import earlier_runs
from tune_mnist.store.layout import live_files, rows_folder
from tune_mnist.store.plans import read_search, read_searches
from tune_mnist.store.proposals import Proposal
from tune_mnist.store.reader import read_reports, read_trials, top_trials
from tune_mnist.store.writer import Writer

READERS: dict[str, Callable[[Path], pa.Table]] = {
    "trials": read_trials,
    "top": lambda root: top_trials(root, top=9),
    "reports": read_reports,
}


@pytest.fixture
def store(tmp_path: Path) -> Path:
    root = tmp_path / "store"
    write(root, "svm", [trial("00000"), trial("00001")])
    with Writer(root, "svm", PARAMETERS, resume=True) as writer:
        writer.append_proposal(Proposal(0, {}, 0))
    return root


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return somebody's folder; it must look the same afterwards."""
    folder = tmp_path / "home"
    for name in ("work/lock", "work/thesis.txt", "keys", "svm/lock", "svm/run/trial/x"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"mine: {name}")
    return folder


@pytest.fixture
def _not_for_ever() -> Iterator[None]:
    """End a test that waits at a pipe."""

    def late(*_: object) -> None:
        raise TimeoutError("it waited at a pipe")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(20)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def resume(root: Path) -> None:
    with Writer(root, "svm", PARAMETERS, resume=True) as writer:
        writer.append_proposal(Proposal(1, {}, 0))
        writer.append_trial(trial("t2"), [report(1)])
        writer.end_search("done")
        writer.compact()


def content(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


LINKS = {
    ".writers": "home",
    ".writers/svm": "home/svm",
    ".writers/dead": "home/work",
    ".writers/.doorway": "home/keys",
    ".writers/svm/lock": "home/keys",
    ".checkpoints": "home",
    ".checkpoints/svm": "home/svm",
    ".checkpoints/svm/run": "home/svm/run",
    ".quarantine": "home",
    ".quarantine/svm": "home/svm",
    "searches": "home",
    "searches/svm.json": "home/keys",
    "searches/svm.proposals.jsonl": "home/keys",
    "trials": "home",
    "reports/search=svm": "home/svm",
}


def replace(path: Path) -> None:
    """Move what is there out of the way of something else."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        path.rename(path.with_name(f".was-{path.name}"))


@pytest.mark.parametrize("name", LINKS)
def test_a_resumed_search_touches_nothing_behind_a_link(store: Path, home: Path, name: str) -> None:
    replace(store / name)
    (store / name).symlink_to(os.path.relpath(home.parent / LINKS[name], (store / name).parent))
    before = content(home)
    if name.startswith(".quarantine"):
        live_files(rows_folder(store, "trials", "svm"))[0].write_bytes(b"torn")
    with pytest.raises(InputError, match=f"{store / name}: is a symbolic link"):
        resume(store)
    assert content(home) == before


@pytest.mark.usefixtures("_not_for_ever")
@pytest.mark.parametrize("name", sorted(LINKS.keys() - {".writers/dead"}))  # no writer's folder
def test_a_pipe_in_its_place_is_refused_in_one_line(store: Path, name: str) -> None:
    replace(store / name)
    os.mkfifo(store / name)
    if name.startswith(".quarantine"):
        live_files(rows_folder(store, "trials", "svm"))[0].write_bytes(b"torn")
    with pytest.raises(InputError, match=f"{store / name}: is neither a file nor a folder"):
        resume(store)


@pytest.mark.usefixtures("_not_for_ever")
@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("kind", ["a link", "a pipe", "a device"])
def test_readers_name_it_and_read_the_others(store: Path, reader: str, kind: str) -> None:
    folder = rows_folder(store, "reports" if reader == "reports" else "trials", "svm")
    file = live_files(folder)[0]
    replace(file)
    if kind == "a pipe":
        os.mkfifo(file)
    else:
        file.symlink_to(f".was-{file.name}" if kind == "a link" else "/dev/zero")
    with pytest.warns(SkippedWarning, match=f"{file}: left out: is "):
        assert READERS[reader](store)["trial"].to_pylist() == ["00001"]


def test_a_search_behind_a_link_is_named_and_the_others_are_read(store: Path, home: Path) -> None:
    write(store, "other", [trial("t9")])
    for path in (rows_folder(store, "trials", "svm"), store / "searches" / "svm.json"):
        replace(path)
        path.symlink_to(home / "svm")
    with pytest.warns(SkippedWarning, match="is a symbolic link"):
        assert read_trials(store)["trial"].to_pylist() == ["t9"]
    with pytest.warns(SkippedWarning, match=r"svm\.json: left out: is a symbolic link"):
        assert list(read_searches(store)) == ["other"]
    with pytest.raises(InputError, match="is a symbolic link"):
        read_search(store, "svm")


def test_proposals_and_states_behind_a_link_are_not_read(store: Path, home: Path) -> None:
    state = store / ".checkpoints" / "svm" / "run"
    state.parent.mkdir(parents=True)
    state.symlink_to(home)
    with pytest.raises(InputError, match="run: is a symbolic link"):
        earlier_runs(store, "svm")
    proposals = store / "searches" / "svm.proposals.jsonl"
    replace(proposals)
    proposals.symlink_to(home / "keys")
    with pytest.raises(InputError, match="is a symbolic link"):
        read_proposals(store, "svm")


def test_asking_who_writes_opens_no_link(store: Path, home: Path) -> None:
    (store / ".writers" / "svm").mkdir()
    (store / ".writers" / "svm" / "lock").touch()
    (store / ".writers" / ".doorway").unlink()
    (store / ".writers" / ".doorway").symlink_to(home / "keys")
    before = content(home)
    with pytest.raises(InputError, match="is a symbolic link"):
        status(store)
    assert content(home) == before


def test_a_half_written_file_that_is_a_link_is_removed_and_not_written_through(
    store: Path, home: Path
) -> None:
    aside = store / ".writers" / "svm" / "aside"
    aside.parent.mkdir()
    aside.symlink_to(home / "keys")
    before = content(home)
    resume(store)
    assert content(home) == before
    assert not aside.is_symlink()


def test_the_store_itself_may_be_behind_a_link(store: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(store)
    resume(tmp_path / "link")
    assert len(read_trials(tmp_path / "link")) == 3


def test_a_dead_writers_folder_loses_no_file_that_is_not_a_writers(store: Path) -> None:
    stray = store / ".writers" / "dead" / "thesis.txt"
    stray.parent.mkdir()
    stray.write_text("mine")
    (store / ".writers" / "notes.txt").write_text("mine")
    resume(store)
    assert stray.read_text() == (store / ".writers" / "notes.txt").read_text() == "mine"
