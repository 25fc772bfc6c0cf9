"""The store agrees with a dictionary, whatever is appended, merged, crashed and reopened.

Two searches share a store, each with its own writer. A crash stops a writer at a random call of the
operating system that changes files, and nothing is cleaned up. After every step, readers must find
exactly what the dictionary holds.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.faults.breaking import breaking
from tests.store.example_trials import PARAMETERS, proposal, read_proposals, report, trial
from tune_mnist.errors import InputError
from tune_mnist.store.plans import SearchRecord
from tune_mnist.store.reader import read_reports, read_trials, top_trials
from tune_mnist.store.writer import Writer

SEARCHES = ("one", "two")
search = st.sampled_from(SEARCHES)
step = st.integers(0, 25)


class Killed(BaseException):
    """The process has died."""


class Store(RuleBasedStateMachine):
    """What the store must hold: search to trial to accuracy, and search to number of proposals."""

    @initialize()
    def begin(self) -> None:
        self.root = Path(tempfile.mkdtemp())
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(os, "fsync", lambda descriptor: None)  # no power cut is tested here
        self.patch.setattr("tune_mnist.store.writer.MERGE_AT", 3)
        self.writers = {name: Writer(self.root, name, PARAMETERS) for name in SEARCHES}
        for writer in self.writers.values():
            writer.write_search(SearchRecord())
        self.trials: dict[str, dict[str, float]] = {name: {} for name in SEARCHES}
        self.proposals = dict.fromkeys(SEARCHES, 0)

    def teardown(self) -> None:
        for writer in self.writers.values():
            writer.close()
        self.patch.undo()
        shutil.rmtree(self.root)

    def reopen(self, name: str) -> None:
        self.writers[name] = Writer(self.root, name, PARAMETERS, resume=True)

    def crash(self, name: str) -> None:
        """Do what the kernel does when a process dies, then start again."""
        self.writers[name]._files.lock.close()
        self.reopen(name)

    @rule(name=search, number=st.integers(0, 12), accuracy=st.floats(0, 1))
    def append(self, name: str, number: int, accuracy: float) -> None:
        self.writers[name].append_trial(trial(f"t{number}", accuracy), [report(1)])
        self.trials[name].setdefault(f"t{number}", accuracy)

    @rule(name=search, number=st.integers(0, 12), at=step)
    def crash_in_append(self, name: str, number: int, at: int) -> None:
        try:
            with breaking(at, Killed(), dead=True):
                self.writers[name].append_trial(trial(f"t{number}", 0.5), [report(1)])
        except Killed:
            self.crash(name)
            kept = read_trials(self.root, search=name)["trial"].to_pylist()
            if f"t{number}" not in kept:
                return
        self.trials[name].setdefault(f"t{number}", 0.5)

    @rule(name=search, at=step)
    def crash_in_compaction(self, name: str, at: int) -> None:
        try:
            with breaking(at, Killed(), dead=True):
                self.writers[name].compact()
        except Killed:
            self.crash(name)

    @rule(name=search)
    def compact(self, name: str) -> None:
        self.writers[name].compact()

    @rule(name=search)
    def propose(self, name: str) -> None:
        self.writers[name].append_proposal(proposal(self.proposals[name]))
        self.proposals[name] += 1

    @rule(name=search)
    def close_and_reopen(self, name: str) -> None:
        self.writers[name].close()
        self.reopen(name)

    @rule(name=search)
    def a_second_writer_is_refused(self, name: str) -> None:
        with pytest.raises(InputError, match="is being written by process"):
            Writer(self.root, name, PARAMETERS, resume=True)

    @invariant()
    def readers_find_what_the_dictionary_has(self) -> None:
        rows = read_trials(self.root, columns=["search", "trial", "val_accuracy"]).to_pylist()
        expected = [(s, t, a) for s, found in self.trials.items() for t, a in found.items()]
        assert sorted(tuple(row.values()) for row in rows) == sorted(expected)
        reports = read_reports(self.root).select(["search", "trial"]).to_pylist()
        owners = Counter(tuple(row.values()) for row in reports)
        assert {owners[s, t] for s, t, _ in expected} <= {1}
        best = top_trials(self.root, top=3)["val_accuracy"].to_pylist()
        assert best == sorted((a for *_, a in expected), reverse=True)[:3]
        for name in SEARCHES:
            numbers = [line.number for line in read_proposals(self.root, name)]
            assert numbers == list(range(self.proposals[name]))


TestStore = Store.TestCase
TestStore.settings = settings(
    max_examples=20, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
