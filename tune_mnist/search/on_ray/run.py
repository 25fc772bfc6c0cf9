"""Run a plan on Ray Tune: every finished trial goes into the store, the winner comes back."""

from __future__ import annotations

import math
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial
from ray import tune
from ray.tune import Trainable
from ray.tune.experiment import Trial
from ray.tune.schedulers import TrialScheduler
from ray.tune.trainable.function_trainable import wrap_function

from tune_mnist.datasets import Dataset
from tune_mnist.errors import InputError
from tune_mnist.search.history.confirmation import ConfirmSearcher
from tune_mnist.search.history.memory import Memory, Past
from tune_mnist.search.history.resume import Earlier, replay, unfinished
from tune_mnist.search.on_ray.ending import Ending, Outcome, StopAll
from tune_mnist.search.on_ray.ray_session import TURN
from tune_mnist.search.on_ray.recorder import Observer, Recorder, trial_name
from tune_mnist.search.on_ray.schedulers import SCHEDULERS, remember
from tune_mnist.search.on_ray.searcher import ProposalSearcher
from tune_mnist.search.on_ray.shared_gram import SharedGram, shared_gram
from tune_mnist.search.on_ray.trainable import Shared, run_trial
from tune_mnist.search.on_ray.trainings import Trainings
from tune_mnist.search.planning.plan import Plan
from tune_mnist.search.proposing.proposals import Proposal, Proposals
from tune_mnist.spaces import Config, Space, trained_rungs
from tune_mnist.store.writer import Writer

SAVE_EVERY_S = 15.0
"""Between two saved states of a ResNet: what a crash costs at most, beside its running epoch."""

_RAY_RUNS = nullcontext()


def run_search(
    plan: Plan,
    data: Dataset,
    writer: Writer,
    observer: Observer,
    *,
    memory: Memory | None = None,
    first: Sequence[Config] = (),
    observed: Sequence[FrozenTrial] = (),
    earlier: Earlier | None = None,
    searcher: ProposalSearcher | ConfirmSearcher | None = None,
    session: AbstractContextManager[object] = _RAY_RUNS,
    named_actors: bool = False,
    began: float | None = None,
) -> Outcome:
    """Run the plan's trials on Ray; Ctrl-C ends it and keeps what finished.

    Args:
        plan: from `plan_search`; Ray must have at least its CPUs and GPUs.
        data: put once into Ray's object store, shared by all trials.
        writer: receives a row the moment a trial finishes.
        observer: watches, in this thread.
        memory: finished trials of the store, which are not run again; None runs every trial.
        first: configurations that a sampler which learns is given before it proposes its own.
        observed: finished trials of earlier searches that the sampler is told (`warm_start.py`).
        earlier: what earlier runs of this same search have done, to go on from there.
        searcher: hands out the trials instead of the plan's sampler.
        session: runs Ray; entered only if there is a trial to run.
        named_actors: one actor a trial, under the trial's name, for Ray's dashboard. A process
            keeps its first name, so none is reused and each trial costs about a second more.
        began: when the time budget began to run, on the monotonic clock; None for now.
    Raises: InputError: the store takes no more rows, or Ray has died; what is stored is whole.
    """
    ending = Ending(plan.space, time.monotonic() if began is None else began)
    data_facts = {"dataset": data.name, "data_hash": data.content_hash, "split": data.split}
    recorder = Recorder(plan, writer, observer, data_facts, ending)
    scheduler = SCHEDULERS[plan.space.search.scheduler](plan.space)
    if searcher is None:
        fresh = Proposals(plan.space, plan.device, first, observed)
        trainings = _trainings(plan, fresh, scheduler, writer, recorder, ending, memory, earlier)
        searcher = ProposalSearcher(trainings, plan.space, ending.seconds_left)
    outcome = ending.outcome
    with _on_signals(ending.interrupt):
        if searcher.left():
            with _gram(plan, data, observer, ending) as gram, session:
                _train(
                    plan, data, searcher, scheduler, recorder, ending, gram, named_actors, writer
                )
    if ending.lost:
        raise ending.lost
    writer.compact()
    if not outcome.unfinished:
        shutil.rmtree(writer.checkpoints, ignore_errors=True)
    return outcome


def _trainings(
    plan: Plan,
    proposals: Proposals,
    scheduler: TrialScheduler,
    writer: Writer,
    recorder: Recorder,
    ending: Ending,
    memory: Memory | None,
    earlier: Earlier | None,
) -> Trainings:
    """Return what the search has to train, from where an earlier run left off if there is one."""

    def answer(proposal: Proposal, past: Past) -> None:
        recorder.answer(proposal, past)
        remember(scheduler, plan.space, proposal.number, past)

    trainings = Trainings(
        proposals,
        plan.space,
        trials=plan.trials,
        shares=bool(plan.lengths),
        memory=memory,
        on_proposal=lambda proposal: writer.append_proposal(asdict(proposal)),
        on_answer=answer,
        over=ending.reached,
    )
    recorder.follow(trainings)
    if earlier:
        again, _ = replay(proposals, earlier)
        for row in earlier.rows:
            ending.add(row)
            remember(scheduler, plan.space, int(row["trial"]), earlier.past(row))
        trainings.go_on(len(earlier.rows), unfinished(earlier, again))
    return trainings


def _train(
    plan: Plan,
    data: Dataset,
    searcher: ProposalSearcher | ConfirmSearcher,
    scheduler: TrialScheduler,
    recorder: Recorder,
    ending: Ending,
    gram: SharedGram | None,
    named_actors: bool,
    writer: Writer,
) -> None:
    search, outcome = plan.space.search, ending.outcome
    with _folder(plan, writer) as folder:
        if gram:
            gram.seconds.add_done_callback(lambda built: _gram_built(built, recorder, ending))
        shared = Shared(
            data,
            plan.space.model,
            search.seed,
            plan.device,
            gram.folder if gram else None,
            rungs=trained_rungs(plan.space),
            lengths=plan.lengths,
            save_every_s=_save_every_s(plan.space),
        )
        tuner = _tuner(plan, shared, searcher, scheduler, recorder, ending, folder, named_actors)
        began = len(tuner.fit())
        if gram:
            with suppress(CancelledError):
                outcome.gram_s = gram.seconds.result()  # or what went wrong
            gram.remove()
    outcome.unfinished = began - recorder.ended


def _save_every_s(space: Space) -> float | None:
    """Return the least seconds between two saved states; None where there is nothing to save."""
    if space.search.scheduler == "pbt":
        return 0.0  # a trial may take over another's state at each report
    return SAVE_EVERY_S if space.model == "resnet" else None


@contextmanager
def _folder(plan: Plan, writer: Writer) -> Iterator[Path]:
    """Give Tune a folder: in the store where trials save states that a later run goes on from."""
    if plan.space.model == "resnet":
        writer.checkpoints.mkdir(parents=True, exist_ok=True)
        yield writer.checkpoints
        return
    with tempfile.TemporaryDirectory(prefix="tune_mnist-") as folder:
        yield Path(folder)


@contextmanager
def _gram(
    plan: Plan, data: Dataset, observer: Observer, ending: Ending
) -> Iterator[SharedGram | None]:
    if plan.engine is None or plan.engine[0] != "shared-gram":
        yield None
        return
    observer.preparing(plan.engine[1])
    with shared_gram(data, plan.cpus, ending.reached) as gram:
        yield gram


def _gram_built(built: Future[float], recorder: Recorder, ending: Ending) -> None:
    """Let the clocks of the trials that waited begin, or end the search: called in its thread."""
    error = built.exception()
    if error is None:
        recorder.restart_clocks()
    elif isinstance(error, InputError):
        ending.lose(error)


def _tuner(
    plan: Plan,
    shared: Shared,
    searcher: ProposalSearcher | ConfirmSearcher,
    scheduler: TrialScheduler,
    recorder: Recorder,
    ending: Ending,
    folder: Path,
    named_actors: bool,
) -> tune.Tuner:
    trainable = tune.with_parameters(run_trial, shared=shared)
    return tune.Tuner(
        tune.with_resources(_named(trainable) if named_actors else trainable, _bundle(plan)),
        tune_config=tune.TuneConfig(
            search_alg=searcher,
            scheduler=scheduler,
            num_samples=-1,  # the searcher ends the search
            max_concurrent_trials=_at_once(plan),
            reuse_actors=not named_actors,  # a trivial trial costs 0.07 s instead of 1.04 s
            trial_name_creator=_readable_name,
            trial_dirname_creator=_folder_name,
        ),
        run_config=tune.RunConfig(
            storage_path=str(folder),
            stop=StopAll(ending, recorder),
            callbacks=[recorder],
            verbose=0,
        ),
    )


def _at_once(plan: Plan) -> int | None:
    """Return how many trials Tune may have begun: of a population all, most of them paused."""
    return plan.trials if plan.space.search.scheduler == "pbt" else plan.concurrency


def _bundle(plan: Plan) -> Callable[[dict[str, Any]], tune.PlacementGroupFactory]:
    """Return what gives a trial its resources; those of a population take turns with them.

    Tune has all of them begun, so its own limit on how many run does not hold.
    """
    turns = []
    if plan.space.search.scheduler == "pbt":
        # A bundle by itself, for the turn may lie on another node than the trial.
        turns = [{TURN: math.floor(1e4 / plan.concurrency) / 1e4}]  # Ray counts ten thousandths

    def bundle(trial: dict[str, Any]) -> tune.PlacementGroupFactory:
        amounts = plan.bundle(trial["hyperparameters"], trial.get("share", 1))
        own = {key.upper(): n for key, n in amounts.items() if n}
        return tune.PlacementGroupFactory([own, *turns])

    return bundle


def _folder_name(trial: Trial) -> str:
    attempt = trial.config.get("attempt", 1)
    return trial_name(trial) if attempt == 1 else f"{trial_name(trial)}.{attempt}"


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
