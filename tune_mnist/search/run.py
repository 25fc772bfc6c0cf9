"""Run a plan on Ray Tune: every finished trial goes into the store, the winner comes back."""

from __future__ import annotations

import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Literal

from ray import tune
from ray.tune import Stopper, Trainable
from ray.tune.experiment import Trial
from ray.tune.trainable.function_trainable import wrap_function

from tune_mnist.datasets import Dataset
from tune_mnist.search.confirm import ConfirmSearcher
from tune_mnist.search.memory import Memory
from tune_mnist.search.plan import Plan
from tune_mnist.search.proposals import Proposals
from tune_mnist.search.recorder import Observer, Recorder, Row, trial_name
from tune_mnist.search.schedulers import SCHEDULERS
from tune_mnist.search.searcher import ProposalSearcher
from tune_mnist.search.shared_gram import SharedGram, shared_gram
from tune_mnist.search.trainable import Shared, run_trial
from tune_mnist.search.trainings import Trainings
from tune_mnist.search.warm_start import WarmStart
from tune_mnist.spaces import Space, trained_rungs
from tune_mnist.store.writer import Writer

Reason = Literal["done", "time budget", "target", "interrupted"]

_RAY_RUNS = nullcontext()


@dataclass
class Outcome:
    """How a search ended.

    Args:
        counts: finished trials by status.
        reused: how many of them an earlier search had finished.
        best: the row of the completed trial that is best in the first objective and
            satisfies every constraint; None without one.
        reason: what ended it: all its trials done, the time budget, the target, or Ctrl-C.
        unfinished: trials that were running when it ended, and are not in the store.
        gram_s: wall time of what SVM trials share, in no trial's own time.
    """

    counts: dict[str, int] = field(default_factory=dict)
    reused: int = 0
    best: Row | None = None
    reason: Reason = "done"
    unfinished: int = 0
    gram_s: float = 0.0


class _Ending:
    """Decides when the whole search ends: asked by Tune at every step of its loop."""

    def __init__(self, space: Space, target: float | None, seconds: float | None) -> None:
        self._space = space
        self._objective = space.objective
        self._target = target
        self._deadline = None if seconds is None else time.monotonic() + seconds
        self.outcome = Outcome()

    def add(self, row: Row) -> None:
        """Count a finished trial, and keep it if it is the best."""
        outcome, name = self.outcome, self._objective.metric
        outcome.counts[row["status"]] = outcome.counts.get(row["status"], 0) + 1
        outcome.reused += "/" in (row.get("shared_with") or "")
        if row["status"] != "completed" or not self._space.feasible(row):
            return
        if outcome.best is None or self._better(row[name], outcome.best[name]):
            outcome.best = row
        if self._target is not None and not self._better(self._target, row[name]):
            self._end("target")

    def _better(self, value: float, other: float) -> bool:
        return value > other if self._objective.mode == "max" else value < other

    def interrupt(self, *_: Any) -> None:
        """End the search at the next step: a signal handler."""
        self._end("interrupted")

    def _end(self, reason: Reason) -> None:
        if self.outcome.reason == "done":
            self.outcome.reason = reason

    def reached(self) -> bool:
        """Return whether the search is over."""
        if self._deadline is not None and time.monotonic() >= self._deadline:
            self._end("time budget")
        return self.outcome.reason != "done"


def run_search(
    plan: Plan,
    data: Dataset,
    writer: Writer,
    observer: Observer,
    *,
    memory: Memory | None = None,
    warm: WarmStart | None = None,
    searcher: ConfirmSearcher | None = None,
    session: AbstractContextManager[object] = _RAY_RUNS,
    named_actors: bool = False,
) -> Outcome:
    """Run the plan's trials on Ray; Ctrl-C ends it and keeps what finished.

    Args:
        plan: from `plan_search`; Ray must have at least its CPUs and GPUs.
        data: put once into Ray's object store, shared by all trials.
        writer: receives a row the moment a trial finishes.
        observer: watches, in this thread.
        memory: finished trials of the store, which are not run again; None runs every trial.
        warm: what earlier searches tell the sampler; None for a cold start.
        searcher: hands out the trials instead of the plan's sampler.
        session: runs Ray; entered only if there is a trial to run.
        named_actors: one actor a trial, under the trial's name, for Ray's dashboard. A process
            keeps its first name, so none is reused and each trial costs about a second more.
    """
    search = plan.space.search
    ending = _Ending(plan.space, search.target, search.time_budget_s)
    data_facts = {"dataset": data.name, "data_hash": data.content_hash, "split": data.split}
    recorder = Recorder(plan, writer, observer, data_facts, ending.add)
    trainings = Trainings(
        Proposals(
            plan.space,
            plan.device,
            first=(*(warm.first if warm else ()), *(memory.order if memory else ())),
            observed=warm.observations if warm else (),
        ),
        trials=plan.trials,
        memory=memory,
        on_reuse=recorder.reuse,
        over=ending.reached,
    )
    trials = searcher or ProposalSearcher(trainings, plan.space.objective)
    outcome = ending.outcome
    if trials.left():
        with _gram(plan, data, observer) as gram, session:
            _train(plan, data, trials, recorder, ending, gram, named_actors)
    writer.compact()
    return outcome


def _train(
    plan: Plan,
    data: Dataset,
    searcher: ProposalSearcher | ConfirmSearcher,
    recorder: Recorder,
    ending: _Ending,
    gram: SharedGram | None,
    named_actors: bool,
) -> None:
    search, outcome = plan.space.search, ending.outcome
    with (
        tempfile.TemporaryDirectory(prefix="tune_mnist-") as folder,
        _on_signals(ending.interrupt),
    ):
        if gram:
            outcome.gram_s = gram.seconds.result()
        gram_dir = gram.folder if gram else None
        shared = Shared(
            data,
            plan.space.model,
            search.seed,
            plan.device,
            gram_dir,
            rungs=trained_rungs(plan.space),
            save_every_s=0 if search.scheduler == "pbt" else None,
        )
        tuner = _tuner(plan, shared, searcher, recorder, ending, folder, named_actors)
        began = len(tuner.fit())
        if gram:
            gram.remove()
    outcome.unfinished = began + outcome.reused - sum(outcome.counts.values())


@contextmanager
def _gram(plan: Plan, data: Dataset, observer: Observer) -> Iterator[SharedGram | None]:
    if plan.engine is None or plan.engine[0] != "shared-gram":
        yield None
        return
    observer.preparing(plan.engine[1])
    with shared_gram(data, plan.cpus) as gram:
        yield gram


def _tuner(
    plan: Plan,
    shared: Shared,
    searcher: ProposalSearcher | ConfirmSearcher,
    recorder: Recorder,
    ending: _Ending,
    folder: str,
    named_actors: bool,
) -> tune.Tuner:
    space = plan.space
    trainable = tune.with_parameters(run_trial, shared=shared)
    return tune.Tuner(
        tune.with_resources(_named(trainable) if named_actors else trainable, _bundle(plan)),
        tune_config=tune.TuneConfig(
            search_alg=searcher,
            scheduler=SCHEDULERS[space.search.scheduler](space),
            num_samples=-1,  # the searcher ends the search
            max_concurrent_trials=_at_once(plan),
            reuse_actors=not named_actors,  # a trivial trial costs 0.07 s instead of 1.04 s
            trial_name_creator=_readable_name,
            trial_dirname_creator=trial_name,
        ),
        run_config=tune.RunConfig(
            storage_path=folder, stop=_StopAll(ending), callbacks=[recorder], verbose=0
        ),
    )


def _at_once(plan: Plan) -> int | None:
    """Return how many trials Tune may have begun: of a population all, most of them paused."""
    return plan.trials if plan.space.search.scheduler == "pbt" else plan.concurrency


class _StopAll(Stopper):
    """Asks `_Ending` at every step of Tune's loop."""

    def __init__(self, ending: _Ending) -> None:
        self._ending = ending

    def __getstate__(self) -> dict[str, Any]:
        return {}  # see Recorder

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        return self._ending.reached()


def _bundle(plan: Plan) -> Callable[[dict[str, Any]], tune.PlacementGroupFactory]:
    def bundle(trial: dict[str, Any]) -> tune.PlacementGroupFactory:
        amounts = plan.bundle(trial["hyperparameters"])
        return tune.PlacementGroupFactory([{key.upper(): n for key, n in amounts.items() if n}])

    return bundle


def _readable_name(trial: Trial) -> str:
    """Return "00012-rbf-C=10-gamma=scale"."""
    words = [
        str(value)
        if isinstance(value, str) and name != "gamma"
        else f"{name}={value:.4g}"
        if isinstance(value, float)
        else f"{name}={value}"
        for name, value in trial.config["hyperparameters"].items()
    ]
    return "-".join([trial_name(trial), *words])


def _named(trainable: Callable[[dict[str, Any]], None]) -> type[Trainable]:
    """Return the trainable as a class whose actors bear their trial's name."""

    class NamedTrial(wrap_function(trainable)):  # type: ignore[misc]  # a class made at run time
        def __repr__(self) -> str:
            return str(self.trial_name or "trial")

    return NamedTrial


@contextmanager
def _on_signals(handler: Any) -> Iterator[None]:
    """Call `handler` on SIGINT and SIGTERM inside the block (in the main thread only)."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {name: signal.signal(name, handler) for name in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for name, old in before.items():
            signal.signal(name, old)
