"""Ray Tune's events: each finished trial goes into the store, then to whoever learns from it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import ray
from ray.tune import Callback
from ray.tune.experiment import Trial

from tune_mnist.errors import InputError
from tune_mnist.searching.history.memory import Past
from tune_mnist.searching.observer import Observer, Row
from tune_mnist.searching.on_ray.confirm_searcher import ConfirmSearcher
from tune_mnist.searching.on_ray.failure import Failure, failure_of
from tune_mnist.searching.on_ray.recorder import Attempt, Recorder, contained, trial_name
from tune_mnist.searching.on_ray.saving.fetching import bring_models, not_timed
from tune_mnist.searching.on_ray.saving.states import StatesFromNodes
from tune_mnist.searching.on_ray.session.nodes import node_of
from tune_mnist.searching.on_ray.session.ray_session import logs_folder
from tune_mnist.searching.on_ray.session.room import Waiting
from tune_mnist.searching.on_ray.session.watching import check_alive
from tune_mnist.searching.on_ray.trainings import MOVES, Trainings
from tune_mnist.searching.on_ray.tuner import trial_folder_name
from tune_mnist.searching.on_ray.watching.metrics import SearchMetrics
from tune_mnist.searching.stopping.ending import Ending
from tune_mnist.spaces import Config
from tune_mnist.store.proposals import Proposal

STALLED_S = 60.0
"""After so many seconds without a running trial, something is wrong with Ray or the machine."""

LATE_S = 30.0
"""A trial ends itself at its limit. One that cannot, since it is stopped for example, is ended so
many seconds later: before its own clock begins it may compile code and read the data."""


class TrialEvents(Callback):
    """Passes on what happens to the trials: store first, then sampler, ending and observer.

    Args:
        recorder: stores the rows.
        ending: counts them, and ends the search where the store takes no more or Ray has died.
        observer: watches.
        limit_s: seconds after which a trial ends itself; None for no limit.
        waits: notices what a search on a cluster waits for; None on a Ray of our own.

    Attributes:
        late_s: seconds after a trial's limit at which this process ends it; inf while the trials
            wait for what they share.
        trainings: learn how each trial went; None for a confirmation, which has none.
        confirmation: whose trials these are, if they are one's.
        states: fetches the states that trials save on their nodes; None where Tune keeps them.
        ended: how many of Tune's trials have ended.
    """

    def __init__(
        self,
        recorder: Recorder,
        ending: Ending,
        observer: Observer,
        limit_s: float | None,
        waits: Waiting | None = None,
    ) -> None:
        self._recorder = recorder
        self._ending = ending
        self._observer = observer
        self._limit_s = limit_s
        self._waits = waits
        self._running: dict[str, Attempt] = {}
        self._metrics: SearchMetrics | None = None  # until Ray runs
        self._idle_since: float | None = None  # on the monotonic clock; None before the first look
        self.trainings: Trainings | None = None
        self.confirmation: ConfirmSearcher | None = None
        self.states: StatesFromNodes | None = None
        self.ended = 0
        self.late_s = LATE_S

    def __getstate__(self) -> dict[str, Any]:
        """Return nothing: Tune pickles its callbacks for a restore that we never do."""
        return {}

    @contextmanager
    def measured_by(self, metrics: SearchMetrics) -> Iterator[None]:
        """Feed the metrics inside the block, while Ray runs."""
        self._metrics = metrics
        try:
            yield
        finally:
            self._metrics = None
            metrics.running(0)

    def restart_clocks(self, waited_s: float, waited: Callable[[Config], bool]) -> None:
        """Begin the time of the running trials now that have waited for what they share.

        Args:
            waited_s: so many seconds; a trial on another node may wait longer.
            waited: whether a trial of this configuration has.
        """
        for attempt in list(self._running.values()):
            if waited(attempt.config):
                attempt.restart_clock()
        self.late_s = LATE_S + 2 * waited_s

    def look(self) -> None:
        """End what is late, and tell the observer if no trial starts: why, or that Ray may know.

        Raises: InputError: the cluster has had no room for a trial for too long.
        """
        if self._metrics:
            self._metrics.show()
        if self._limit_s is not None:
            for attempt in list(self._running.values()):
                if attempt.ran_s() > self._limit_s + self.late_s:
                    _kill(attempt)
        for name, problem in self.states.problems() if self.states else ():
            self._observer.state_not_kept(name, problem)
        if self._waits and (reason := self._waits.look(bool(self._running))):
            self._observer.waiting(reason)
        now = time.monotonic()
        if self._running or self._idle_since is None:
            self._idle_since = now
        elif now - self._idle_since >= STALLED_S and not (self._waits and self._waits.said):
            self._idle_since = math.inf
            self._observer.stalled(STALLED_S, logs_folder())

    def kill_running(self) -> None:
        """End the running trials' processes: Tune asks them to stop, and waits for seconds."""
        for attempt in list(self._running.values()):
            _kill(attempt)

    def answered(self, proposal: Proposal, past: Past) -> None:
        """Store a trial that needs no training: another has measured it."""
        try:
            row = self._recorder.answer(proposal, past)
        except InputError as error:
            self._ending.lose(error)
            return
        self._count(row)

    def on_trial_start(self, iteration: int, trials: list[Trial], trial: Trial, **_: Any) -> None:
        """Note when the trial began; one of a population comes back, perhaps changed."""
        config = trial.config["hyperparameters"]
        new = Attempt(trial, config)
        attempt = self._running.setdefault(trial.trial_id, new)
        attempt.config, attempt.turn = config, new.turn
        self._count_running()
        if self._waits:
            attempt.node = node_of(trial.temporary_state.ray_actor)
        self._observer.trial_started(trial_name(trial), config)

    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: Row, **_: Any
    ) -> None:
        """Keep the measurement until the trial finishes."""
        attempt = self._running[trial.trial_id]
        # A trial that took over another continues from that one's epoch.
        before = [one for one in attempt.measurements if one["step"] < result["step"]]
        attempt.measurements = [*before, result]
        if self.states and "state" in result:
            self.states.offer(trial_folder_name(trial), result["state"])
        if self.trainings:
            self.trainings.report(attempt.number, result)
        self._observer.trial_reported(trial_name(trial), result)

    def on_trial_complete(
        self, iteration: int, trials: list[Trial], trial: Trial, **_: Any
    ) -> None:
        """Store a trial that completed or that the scheduler stopped."""
        attempt = self._running.pop(trial.trial_id)
        self._count_running()
        if not attempt.measurements:  # Tune ends such trials without an error (docs/ray_notes.md)
            self._fail(attempt, Failure("the trial ended without reporting anything"))
            return
        self.ended += 1
        candidates = self._recorder.candidates
        for problem in bring_models(attempt.measurements, candidates, attempt.node):
            self._observer.model_not_kept(trial_name(trial), problem)
        for problem in not_timed(attempt.measurements):
            self._observer.not_timed(trial_name(trial), problem)
        try:
            row = self._recorder.finished(attempt)
        except InputError as error:
            self._ending.lose(error)
            return
        self._count(row)
        if self.states:
            self.states.drop(attempt.number)
        if self.trainings:
            self.trainings.finished(attempt.number, row, contained(row, attempt))

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **_: Any) -> None:
        """Store a trial that failed, with its error."""
        # A process that dies between two trials fails the next one before it begins.
        begun = trial.trial_id in self._running
        attempt = self._running.pop(trial.trial_id, Attempt(trial, trial.config["hyperparameters"]))
        self._count_running()
        if self._ending.lost:  # then the fault is not the trial's
            return
        failure = failure_of(trial, attempt.ran_s(), self._limit_s)
        if failure.cause in ("died", "timed out"):
            try:
                check_alive()
            except InputError as lost:
                self._ending.lose(lost)
                return
            node = attempt.node
            if failure.cause == "died" and (not begun or (node and not node.alive())):
                if self._moved(attempt):
                    self.ended += 1
                    self._observer.trial_moved(trial_name(trial), node.host if node else None)
                    return
                died = "its node died" if node else "its process died before it began"
                failure = Failure(f"{died}, {MOVES + 1} times in a row", "died")
        self._fail(attempt, failure)

    def _moved(self, attempt: Attempt) -> bool:
        """Let a trial run again whose node has died; return whether it does."""
        if self.trainings:
            return self.trainings.move(attempt.number)
        return self.confirmation is not None and self.confirmation.move(attempt.trial.trial_id)

    def _fail(self, attempt: Attempt, failure: Failure) -> None:
        self.ended += 1
        try:
            row = self._recorder.failed(attempt, failure)
        except InputError as error:
            self._ending.lose(error)
            return
        retried = self.trainings is not None and self.trainings.retries(attempt.number, failure)
        self._count(row, is_last=not retried)
        if self.states and not retried:
            self.states.drop(attempt.number)
        if self.trainings:
            self.trainings.failed(attempt.number, failure)

    def _count(self, row: Row, *, is_last: bool = True) -> None:
        if is_last:
            self._ending.add(row)
        if self._metrics:
            self._metrics.stored(row)
        self._observer.trial_finished(row)

    def _count_running(self) -> None:
        if self._metrics:
            self._metrics.running(len(self._running))


def _kill(attempt: Attempt) -> None:
    """Kill a trial's process, unless it is paused and has none; one that is stopped dies in 5 s."""
    actor = attempt.trial.temporary_state.ray_actor
    if actor is not None:
        ray.kill(actor)
