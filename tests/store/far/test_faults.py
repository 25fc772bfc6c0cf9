"""A writer of an object store dies between any two requests, or comes back after its lease."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.store.example_trials import PARAMETERS, proposal, read_proposals, report, trial
from tests.store.far.conftest import Machine
from tests.store.far.stopping import Killed, before_each_change, dies_at, dying_at
from tune_mnist.errors import InputError
from tune_mnist.store.files import lease as lease_module
from tune_mnist.store.files.place import opened
from tune_mnist.store.plans import SearchRecord, read_search
from tune_mnist.store.reader import read_reports, read_trials
from tune_mnist.store.writer import SearchTakenError, StoreError, Writer

TASKS: dict[str, Callable[[Writer], None]] = {
    "append": lambda writer: writer.append_trial(trial("t3"), [report(1), report(2)]),
    "compact": lambda writer: writer.compact(),
    "propose": lambda writer: writer.append_proposal(proposal(1)),
    "end": lambda writer: writer.end_search("done"),
    "repair": lambda writer: writer.repair_proposals([proposal(0)]),
    "close": lambda writer: writer.close(),
}


@pytest.fixture
def leases_end_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease_module, "LASTS_S", 0.0)


def three_trials(root: Path) -> Writer:
    writer = Writer(root, "svm", PARAMETERS)
    writer.write_search(SearchRecord(search="svm", seed=7))
    writer.append_proposal(proposal(0))
    for number in range(3):
        writer.append_trial(trial(f"t{number}"), [report(1), report(2)])
    return writer


def resumed(root: Path) -> Writer:
    return Writer(root, "svm", PARAMETERS, resume=True)


def stored(root: Path) -> Counter[str]:
    """Return how often each trial is there, after a check that it is measured twice."""
    trials: Counter[str] = Counter(read_trials(root)["trial"].to_pylist())
    reports = Counter(read_reports(root)["trial"].to_pylist())
    assert {reports[name] for name in trials} == {2}
    return trials


@pytest.mark.usefixtures("leases_end_at_once")
@pytest.mark.parametrize("task", TASKS)
def test_a_death_between_any_two_requests_loses_and_doubles_nothing(
    memory_address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, task: str
) -> None:
    deaths = 0
    for step in range(100):
        address = f"{memory_address}-{step}"
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / f"first-{step}"))
        dead = three_trials(opened(address))
        if not dies_at(step, dead, TASKS[task]):
            break
        deaths += 1
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / f"second-{step}"))
        found = stored(opened(address))
        assert set(found.values()) == {1}
        assert set(found) - {"t3"} == {"t0", "t1", "t2"}
        assert len(read_proposals(opened(address), "svm")) in (1, 2)
        with resumed(opened(address)) as writer:
            writer.append_trial(trial("t3"), [report(1), report(2)])
            writer.append_proposal(proposal(2))
            writer.compact()
            writer.end_search("done")
        assert stored(opened(address)) == dict.fromkeys(("t0", "t1", "t2", "t3"), 1)
        assert len(read_reports(opened(address))) == 8
        assert read_search(opened(address), "svm").seed == 7
        assert read_proposals(opened(address), "svm")[-1] == proposal(2)
    assert (
        deaths == {"append": 2, "compact": 4, "propose": 1, "end": 1, "repair": 3, "close": 1}[task]
    )


@pytest.mark.usefixtures("leases_end_at_once")
@pytest.mark.parametrize("held_before", range(3))
def test_a_writer_that_comes_back_doubles_nothing_and_says_so(
    machine: Machine, held_before: int
) -> None:
    """The old writer is held before its n-th request; the new one takes over; the old goes on."""
    old = three_trials(machine("a"))
    new: list[Writer] = []

    def take_over(number: int) -> None:
        if number == held_before and not new:
            new.append(resumed(machine("b")))
            new[0].append_trial(trial("t3", 0.5), [report(1), report(2)])

    def go_on() -> None:
        for name in ("t3", "t4", "t5"):
            old.append_trial(trial(name), [report(1), report(2)])

    with before_each_change(take_over), pytest.raises(SearchTakenError) as caught:
        go_on()
    [line] = str(caught.value).splitlines()
    assert "has taken the search over" in line
    with pytest.raises(StoreError, match="has taken the search over"):
        old.append_trial(trial("t6"), [])
    for task in ("propose", "end", "compact"):
        with pytest.raises(StoreError, match="has taken the search over"):
            TASKS[task](old)
    old.close()
    with new[0] as writer:
        for name in ("t3", "t4", "t5"):
            writer.append_trial(trial(name, 0.5), [report(1), report(2)])
        writer.append_proposal(proposal(1))
        writer.compact()
        writer.end_search("done")
    assert stored(machine("c")) == dict.fromkeys(("t0", "t1", "t2", "t3", "t4", "t5"), 1)
    assert len(read_reports(machine("c"))) == 12
    assert read_proposals(machine("c"), "svm") == [proposal(0), proposal(1)]


def test_a_fresh_lease_refuses_a_writer_on_another_machine(machine: Machine) -> None:
    refusal = r"'svm' is being written by process \d+ on .*has died"
    with three_trials(machine("a")), pytest.raises(InputError, match=refusal):
        resumed(machine("b"))
    resumed(machine("b")).close()


@pytest.mark.usefixtures("leases_end_at_once")
def test_a_late_merge_of_the_old_writer_changes_nothing(machine: Machine) -> None:
    old = three_trials(machine("a"))
    with resumed(machine("b")) as new:
        new.append_trial(trial("t3"), [report(1), report(2)])
        old._files.check = lambda: None  # type: ignore[method-assign]  # it looked just before
        old.compact()
        old.close()
        new.append_trial(trial("t4"), [report(1), report(2)])
        new.compact()
    assert stored(machine("c")) == dict.fromkeys(("t0", "t1", "t2", "t3", "t4"), 1)
    assert len(read_reports(machine("c"))) == 10


def test_a_renewed_lease_stays_with_its_writer(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease_module, "RENEWED_EVERY_S", 0.02)
    with three_trials(machine("a")) as writer:
        renewed = writer._files._lease._count  # type: ignore[attr-defined]
        while writer._files._lease._count < renewed + 3:  # type: ignore[attr-defined]
            pass
        writer._files.check()
        writer.end_search("done")


class Store(RuleBasedStateMachine):
    """Whatever is appended, merged, killed and taken over: the store is as a dictionary."""

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.address = f"memory://{self.folder.name}"
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(os, "fsync", lambda descriptor: None)
        self.patch.setattr(lease_module, "LASTS_S", 0.0)
        self.patch.setattr("tune_mnist.store.writer.MERGE_AT", 3)
        self.patch.setattr("tune_mnist.store.files.objects.PIECES", 3)
        self.machines = 0
        self.writer = Writer(self.root(), "svm", PARAMETERS)
        self.writer.write_search(SearchRecord(search="svm"))
        self.old: list[Writer] = []
        self.trials: dict[str, float] = {}
        self.proposals = 0

    def root(self) -> Path:
        """Return the store as another machine sees it."""
        self.machines += 1
        self.patch.setenv("XDG_CACHE_HOME", str(self.folder / str(self.machines)))
        return opened(self.address)

    def teardown(self) -> None:
        for writer in (self.writer, *self.old):
            writer.close()
        self.patch.undo()
        shutil.rmtree(self.folder)

    def take_over(self) -> None:
        self.old.append(self.writer)
        self.writer = resumed(self.root())

    @rule(number=st.integers(0, 12), accuracy=st.floats(0, 1))
    def append(self, number: int, accuracy: float) -> None:
        self.writer.append_trial(trial(f"t{number}", accuracy), [report(1)])
        self.trials.setdefault(f"t{number}", accuracy)

    @rule(number=st.integers(0, 12), at=st.integers(0, 8))
    def die_in_append(self, number: int, at: int) -> None:
        try:
            with dying_at(at):
                self.writer.append_trial(trial(f"t{number}", 0.5), [report(1)])
        except Killed:
            self.take_over()
            if f"t{number}" not in read_trials(self.root())["trial"].to_pylist():
                return
        self.trials.setdefault(f"t{number}", 0.5)

    @rule(at=st.integers(0, 8))
    def die_in_compaction(self, at: int) -> None:
        try:
            with dying_at(at):
                self.writer.compact()
        except Killed:
            self.take_over()

    @rule(number=st.integers(0, 12))
    def an_old_writer_comes_back(self, number: int) -> None:
        self.take_over()
        old = self.old[-1]
        if (f"t{number}", 1) not in old._done:
            with pytest.raises(StoreError, match="taken the search over"):
                old.append_trial(trial(f"t{number}", 0.1), [report(1)])
        with pytest.raises(StoreError, match="taken the search over"):
            old.append_proposal(proposal(99))

    @rule()
    def propose(self) -> None:
        self.writer.append_proposal(proposal(self.proposals))
        self.proposals += 1

    @rule()
    def compact(self) -> None:
        self.writer.compact()

    @rule()
    def close_and_reopen(self) -> None:
        self.writer.close()
        self.writer = resumed(self.root())

    @invariant()
    def readers_find_what_the_dictionary_has(self) -> None:
        root = self.root()
        rows = read_trials(root, columns=["trial", "val_accuracy"]).to_pylist()
        assert sorted((r["trial"], r["val_accuracy"]) for r in rows) == sorted(self.trials.items())
        owners = Counter(read_reports(root)["trial"].to_pylist())
        assert {owners[name] for name in self.trials} <= {1}
        numbers = [line.number for line in read_proposals(root, "svm")]
        assert numbers == list(range(self.proposals))


TestStore = Store.TestCase
TestStore.settings = settings(
    max_examples=10, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
)
