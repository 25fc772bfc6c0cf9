"""Saved states of trials go with a store that is far away."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.store.example_trials import PARAMETERS
from tests.store.far.conftest import Machine
from tune_mnist.store.files import lease as lease_module
from tune_mnist.store.files.place import bring_states
from tune_mnist.store.layout import checkpoints_folder
from tune_mnist.store.writer import Writer


def save(writer: Writer, trial: str, step: int, content: bytes) -> Path:
    """Save a state as Tune lays it out."""
    file = writer.checkpoints / "run" / trial / f"checkpoint_{step:06d}" / "state.pt"
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    return file


def brought(root: Path) -> dict[str, bytes]:
    """Return the states that a machine gets, by trial and step."""
    bring_states(root, "resnet")
    folder = checkpoints_folder(root, "resnet")
    files = sorted(folder.glob("*/*/*/state.pt"))
    return {"/".join(file.parts[-3:-1]): file.read_bytes() for file in files}


def resumed(root: Path) -> Writer:
    return Writer(root, "resnet", PARAMETERS, resume=True)


def test_states_are_where_the_search_is_resumed(machine: Machine) -> None:
    with resumed(machine("a")) as writer:
        save(writer, "00000", 0, b"first")
        save(writer, "00000", 1, b"second")
    assert brought(machine("b")) == {
        "00000/checkpoint_000000": b"first",
        "00000/checkpoint_000001": b"second",
    }


def test_states_are_kept_while_the_search_runs(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tune_mnist.store.files.states.KEPT_EVERY_S", 0.02)
    root = machine("a")
    with resumed(root) as writer:
        file = save(writer, "00000", 0, b"half")
        while brought(machine("b")) != {"00000/checkpoint_000000": b"half"}:
            pass
        file.write_bytes(b"whole state")
        while brought(machine("b")) != {"00000/checkpoint_000000": b"whole state"}:
            pass


def test_what_is_removed_by_the_next_run_is_removed_from_the_store(machine: Machine) -> None:
    with resumed(machine("a")) as writer:
        save(writer, "00000", 0, b"first")
        save(writer, "00001", 0, b"other")
    root = machine("b")
    assert len(brought(root)) == 2
    with resumed(root) as writer:
        (writer.checkpoints / "run" / "00000" / "checkpoint_000000" / "state.pt").unlink()
    assert brought(machine("c")) == {"00001/checkpoint_000000": b"other"}


def test_a_writer_that_was_taken_over_changes_no_state(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease_module, "LASTS_S", 0.0)
    old = resumed(machine("a"))
    kept = save(old, "00000", 0, b"first")
    old._files._states.keep()  # type: ignore[attr-defined]
    with resumed(machine("b")):
        kept.unlink()
        save(old, "00001", 0, b"late")
        old.close()
    assert brought(machine("c")) == {"00000/checkpoint_000000": b"first"}
