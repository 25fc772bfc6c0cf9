"""States that come from nodes: the newest, whole or not at all, two a trial; without Ray."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from ray.exceptions import NodeDiedError

from tune_mnist.errors import InputError
from tune_mnist.searching.history.resume import newest_whole, saved_states
from tune_mnist.searching.on_ray.saving import states as states_module
from tune_mnist.searching.on_ray.saving.states import NodeStates, StatesFromNodes
from tune_mnist.store.files.sealing import check_sealed, seal
from tune_mnist.training.saved_state import write_state

Carry = Callable[[Path, object, Path, str], None]


def carried(folder: Path, sender: object, target: Path, what: str) -> None:
    """Bring a state as `carry` does; its content is the folder's name on the node."""
    write_state({"content": torch.tensor(int(folder.name))}, target)
    seal(target)
    check_sealed(target, what)


def at(number: int) -> dict[str, str]:
    """Return where a state is, which is known by a number."""
    return {"node": "n", "folder": f"/on/the/node/{number}"}


@pytest.fixture(autouse=True)
def node(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(states_module, "sender_on", lambda node: f"sender on {node}")
    monkeypatch.setattr(states_module, "carry", carried)


@pytest.fixture
def states(tmp_path: Path) -> Iterator[StatesFromNodes]:
    found = StatesFromNodes(tmp_path, "run")
    yield found
    found.stop(10)


def contents(folder: Path, number: int) -> list[int]:
    """Return the states of a trial, newest first."""
    found = []
    for state in saved_states(folder).get(number, ()):
        with suppress(FileNotFoundError):  # removed meanwhile
            found.append(int(torch.load(state / "state.pt", weights_only=True)["content"]))
    return found


def wait_for(true: Callable[[], bool]) -> None:
    waiting = threading.Event()
    for _ in range(1000):
        if true():
            return
        waiting.wait(0.01)
    raise AssertionError("has not happened within 10 s")


def test_the_last_two_states_of_a_trial_are_kept(states: StatesFromNodes, tmp_path: Path) -> None:
    for number in range(4):
        states.offer("00007", at(number))
        wait_for(lambda: [number] == contents(tmp_path, 7)[:1])  # noqa: B023  # called at once
    wait_for(lambda: contents(tmp_path, 7) == [3, 2])


def test_the_newest_state_is_fetched_of_each_trial_in_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched, go_on = [], threading.Event()

    def slow(folder: Path, sender: object, target: Path, what: str) -> None:
        fetched.append(int(folder.name))
        assert go_on.wait(10)
        carried(folder, sender, target, what)

    monkeypatch.setattr(states_module, "carry", slow)
    states = StatesFromNodes(tmp_path, "run")
    states.offer("00000", at(0))
    wait_for(lambda: fetched == [0])
    for number in (1, 2, 3):
        states.offer("00001", at(number))
        states.offer("00000", at(10 + number))
    go_on.set()
    states.stop(10)
    assert fetched == [0, 3, 13]


def test_the_states_of_a_trial_that_has_ended_are_removed_and_none_follows(
    states: StatesFromNodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of earlier runs and attempts too; a state that is on its way does not arrive."""
    earlier = tmp_path / "earlier-run" / "00007.2" / "checkpoint_000004"
    carried(Path("/3"), "", earlier, "saved state")
    states.offer("00007", at(0))
    wait_for(lambda: sorted(contents(tmp_path, 7)) == [0, 3])
    on_its_way, go_on = threading.Event(), threading.Event()

    def slow(folder: Path, sender: object, target: Path, what: str) -> None:
        on_its_way.set()
        assert go_on.wait(10)
        carried(folder, sender, target, what)

    monkeypatch.setattr(states_module, "carry", slow)
    states.offer("00007", at(1))
    assert on_its_way.wait(10)
    states.drop(7)
    go_on.set()
    states.offer("00070", at(70))
    wait_for(lambda: contents(tmp_path, 70) == [70])
    assert contents(tmp_path, 7) == []
    assert states.problems() == []


def torn(folder: Path, sender: object, target: Path, what: str) -> None:
    carried(folder, sender, target, what)
    (target / "state.pt").write_bytes(b"half")
    check_sealed(target, what)


def never_whole(folder: Path, sender: object, target: Path, what: str) -> None:
    target.mkdir(parents=True)
    (target / "state.pt").write_bytes(b"torn before it was sealed")
    seal(target)


def lost(folder: Path, sender: object, target: Path, what: str) -> None:
    raise NodeDiedError("gone")


def full(folder: Path, sender: object, target: Path, what: str) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize(
    ("broken", "said"),
    [(torn, ["damaged"]), (full, ["No space left"]), (lost, []), (never_whole, [])],
)
def test_a_state_that_does_not_arrive_whole_does_not_appear(
    broken: Carry, said: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    states = StatesFromNodes(tmp_path, "run")
    states.offer("00007", at(0))
    wait_for(lambda: contents(tmp_path, 7) == [0])
    monkeypatch.setattr(states_module, "carry", broken)
    states.offer("00007", at(1))
    states.stop(10)
    assert contents(tmp_path, 7) == [0]
    assert [path.name for path in (tmp_path / "run" / "00007").iterdir()] == ["checkpoint_000000"]
    problems = states.problems()
    assert [trial for trial, _ in problems] == ["00007"] * len(said)
    assert all(text in problem for text, (_, problem) in zip(said, problems, strict=True))


def test_a_state_that_was_damaged_later_is_passed_over_for_an_older_one(tmp_path: Path) -> None:
    newest = None
    for number in range(2):
        newest = tmp_path / "run" / "00007" / f"checkpoint_{number:06d}"
        carried(Path(f"/{number}"), "", newest, "saved state")
    assert newest is not None
    assert newest_whole(saved_states(tmp_path)[7]) == newest
    seal_of = (newest / "files.json").read_text()
    write_state({"content": torch.tensor(5)}, newest)  # whole, and not what came
    assert (newest / "files.json").read_text() == seal_of
    found = newest_whole(saved_states(tmp_path)[7])
    assert found == newest.with_name("checkpoint_000000")
    with pytest.raises(InputError, match="is missing or damaged"):
        check_sealed(newest, "saved state")


def test_a_node_keeps_the_last_two_states_and_the_one_that_is_being_fetched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(states_module, "this_node", lambda: "n")
    states = NodeStates()

    def save() -> Path:
        def one(folder: Path) -> None:
            write_state({"content": torch.tensor(0)}, folder)

        return Path(states.write(one)["folder"])

    fetched = save()
    seal(fetched)
    saved = [save() for _ in range(3)]
    assert [one.is_dir() for one in (fetched, *saved)] == [True, False, True, True]
    seal(saved[-1])
    last = [save() for _ in range(3)]
    assert [one.is_dir() for one in (fetched, saved[-1], *last)] == [False, True, False, True, True]
    states.forget()
    assert not any(one.is_dir() for one in (saved[-1], *last))
