"""Run a plan on Ray Tune: every finished trial goes into the store, the winner comes back."""

from __future__ import annotations

import math
import secrets
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tune_mnist.datasets import Dataset
from tune_mnist.errors import InputError, input_error
from tune_mnist.provenance import versions
from tune_mnist.searching.history.keeping import KeptModels
from tune_mnist.searching.history.known import Known
from tune_mnist.searching.history.memory import Past
from tune_mnist.searching.history.resume import newest_whole, replay, saved_states
from tune_mnist.searching.observer import Observer
from tune_mnist.searching.on_ray.confirm_searcher import ConfirmSearcher
from tune_mnist.searching.on_ray.ending import StopAll
from tune_mnist.searching.on_ray.events import TrialEvents
from tune_mnist.searching.on_ray.failure import errors_end_one_trial
from tune_mnist.searching.on_ray.node_gram import node_grams
from tune_mnist.searching.on_ray.own_code import own_code
from tune_mnist.searching.on_ray.recorder import Recorder
from tune_mnist.searching.on_ray.saving.states import LAST_WITHIN_S, StatesFromNodes, this_node
from tune_mnist.searching.on_ray.scheduling.processes import starting_processes_kept
from tune_mnist.searching.on_ray.scheduling.schedulers import SCHEDULERS, remember
from tune_mnist.searching.on_ray.scratch import remove_leftovers, scratch_folder
from tune_mnist.searching.on_ray.searcher import ProposalSearcher
from tune_mnist.searching.on_ray.session.ray_session import ray_session
from tune_mnist.searching.on_ray.session.room import Waiting
from tune_mnist.searching.on_ray.session.watching import while_ray_lives
from tune_mnist.searching.on_ray.shared_gram import SharedGram, shared_gram
from tune_mnist.searching.on_ray.trainable import Shared
from tune_mnist.searching.on_ray.trainings import Hooks, Trainings
from tune_mnist.searching.on_ray.tuner import TuneParts, tuner
from tune_mnist.searching.on_ray.watching.metrics import SearchMetrics
from tune_mnist.searching.on_ray.watching.sign_in import signing_in
from tune_mnist.searching.planning.plan import Plan, views, with_engines
from tune_mnist.searching.proposing.proposals import Proposals
from tune_mnist.searching.stopping.ending import Ending, Outcome
from tune_mnist.spaces import trained_rungs
from tune_mnist.store.proposals import Proposal
from tune_mnist.store.writer import Writer
from tune_mnist.training.model import find_model

SAVE_EVERY_S = 15.0
"""Seconds between two saved states of a ResNet: a crash costs these and its running epoch."""


_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class SearchRun:
    """One run of a search, from its first trial to its outcome.

    Ctrl-C ends it and keeps what has finished.

    Args:
        plan: from `plan_search`; a Ray that runs already must have its CPUs and GPUs.
        data: put once into Ray's object store, shared by all trials.
        writer: receives a row the moment a trial finishes.
        observer: watches; called in the thread that runs Tune, or in this one before it starts.
        dashboard: whether Ray's dashboard is started. Each trial then gets a process under its
            own name, which costs about a second more.
        began: when the time budget began to run, on the monotonic clock; None for now.
    """

    def __init__(
        self,
        plan: Plan,
        data: Dataset,
        writer: Writer,
        observer: Observer,
        *,
        dashboard: bool = False,
        began: float | None = None,
    ) -> None:
        self._plan = plan
        self._data = data
        self._writer = writer
        self._observer = observer
        self._dashboard = dashboard
        self._saves = any(find_model(model).resumable for model in plan.space.models)
        # Two runs that begin in the same second would otherwise share Tune's folders.
        self._run_name = f"run-{secrets.token_hex(4)}"
        self._scheduler = SCHEDULERS[plan.space.search.scheduler](plan.space, plan.device)
        self._ending = Ending(plan.space, time.monotonic() if began is None else began)
        self._models = KeptModels(writer, plan.space.goal, plan.keep_models)
        self._recorder = Recorder(plan, data, writer, self._models)
        limit_s = plan.space.search.trial_timeout_s
        waits = Waiting(plan) if plan.cluster else None
        self._events = TrialEvents(self._recorder, self._ending, observer, limit_s, waits)

    def search(self, known: Known) -> Outcome:
        """Run the plan's trials, except those that the store has already.

        Raises: InputError: the store takes no more rows, or Ray has died; what is stored is whole.
        """
        trainings = self._trainings(known)
        space, seconds_left = self._plan.space, self._ending.seconds_left
        return self._run(ProposalSearcher(trainings, space, seconds_left))

    def confirm(self, searcher: ConfirmSearcher) -> Outcome:
        """Run what the searcher of a confirmation hands out. Raises: as `search`.

        It keeps a model of each configuration, since it compares these. No trial saves states: one
        that was interrupted begins again.
        """
        self._saves = False
        self._events.confirmation = searcher
        self._models.apart()
        self._models.remember(searcher.finished())
        return self._run(searcher)

    def _trainings(self, known: Known) -> Trainings:
        """Return what there is to train, from where an earlier run stopped if there was one."""
        space = self._plan.space
        sampled = known.earlier.sampled(space) if known.earlier else space
        proposals = Proposals(sampled, self._plan.device, known.first, known.observed)
        hooks = Hooks(
            proposed=self._writer.append_proposal,
            answered=self._answered,
            over=self._ending.reached,
            state=self._state,
        )
        trainings = Trainings(proposals, self._plan, known.memory, hooks)
        self._events.trainings = trainings
        if earlier := known.earlier:
            again, _ = replay(proposals, earlier)
            if not earlier.whole:
                self._writer.repair_proposals(again)
            for folder in earlier.strays:
                shutil.rmtree(folder, ignore_errors=True)
            self._models.remember(earlier.rows)
            for row in earlier.rows:
                self._ending.add(row)
                remember(self._scheduler, space, int(row["trial"]), earlier.past(row))
            trainings.resume(earlier, again)
        return trainings

    def _state(self, number: int) -> str | None:
        """Return the newest whole state that a trial has saved; None if it saves none."""
        if not self._saves:
            return None
        state = newest_whole(saved_states(self._writer.checkpoints).get(number, ()))
        return str(state) if state else None

    def _answered(self, proposal: Proposal, past: Past) -> None:
        self._events.answered(proposal, past)
        remember(self._scheduler, self._plan.space, proposal.number, past)

    def _run(self, searcher: ProposalSearcher | ConfirmSearcher) -> Outcome:
        outcome = self._ending.outcome
        searcher.bar = self._models.bar
        with _on_signals(self._ending.interrupt):
            if searcher.left():
                remove_leftovers()
                with (
                    self._session() as gram,
                    _on_signals(self._ending.interrupt),  # Ray has put its own in their place
                ):
                    self._train(searcher, gram)
        if self._ending.lost:
            raise self._ending.lost
        self._writer.compact()
        shutil.rmtree(self._writer.candidates, ignore_errors=True)
        if not outcome.unfinished:
            shutil.rmtree(self._writer.checkpoints, ignore_errors=True)
        return outcome

    @contextmanager
    def _session(self) -> Iterator[SharedGram | None]:
        """Give Ray for the block, and what the SVMs share; here it is built while Ray starts."""
        with signing_in(self._observer.dashboard) as sign_in:
            on_dashboard = sign_in if self._dashboard else None
            session = ray_session(self._plan, self._data, on_dashboard)
            if self._plan.cluster is None:
                with self._gram() as gram, session:
                    yield gram
                return
            with session:
                self._check_nodes()
                with self._gram() as gram:
                    yield gram

    def _check_nodes(self) -> None:
        from tune_mnist.searching.on_ray.session.nodes import check_nodes

        folder = None
        if self._saves and not self._carries:
            folder = self._writer.checkpoints
            folder.mkdir(parents=True, exist_ok=True)
        check_nodes(self._plan, folder)

    @property
    def _carries(self) -> bool:
        """Whether saved states are brought here from the nodes.

        Else Tune keeps them, in a folder that all nodes see. It has to, of a population: there a
        trial takes over another's state.
        """
        return self._plan.cluster is not None and self._plan.space.search.scheduler != "pbt"

    def _train(self, searcher: ProposalSearcher | ConfirmSearcher, gram: SharedGram | None) -> None:
        outcome = self._ending.outcome
        if gram:
            self._events.late_s = math.inf
            gram.seconds.add_done_callback(self._gram_built)
        with self._folder() as folder:
            parts = TuneParts(
                searcher,
                self._scheduler,
                StopAll(self._ending, self._events.kill_running, self._events.look),
                self._events,
                folder,
                self._run_name,
            )
            running = tuner(self._plan, self._shared(gram), parts, self._dashboard)
            objective = self._plan.space.objective.metric
            metrics = SearchMetrics(
                self._writer.search,
                objective,
                outcome,
                self._recorder.stored,
                lambda: self._writer.lease_age_s,
            )
            try:
                with (
                    errors_end_one_trial(),
                    starting_processes_kept(),
                    self._events.measured_by(metrics),
                    self._states_from_nodes(),
                ):
                    began = len(while_ray_lives(running.fit, self._ending.lose, self._plan.cluster))
            except OSError as error:  # of Tune's own files; the store's are StoreErrors
                problem = f"takes no more files of Ray Tune: {error.strerror or error}"
                raise input_error(folder, problem, "free some space there") from error
        if gram:
            with suppress(CancelledError):
                outcome.gram_s = gram.seconds.result()  # or what went wrong
            gram.remove()
        outcome.unfinished = began - self._events.ended

    def _shared(self, gram: SharedGram | None) -> Shared:
        space = self._plan.space
        return Shared(
            self._data,
            space,
            self._plan.device,
            gram.place if gram else None,
            rungs=trained_rungs(space),
            lengths=self._plan.lengths,
            save_every_s=self._save_every_s(),
            versions=versions() if self._plan.cluster else None,
            code=own_code(*space.models),
            candidates=self._candidates(),
            keep_models=self._plan.keep_models,
            driver=this_node() if self._carries else None,
        )

    def _save_every_s(self) -> float | None:
        """Return the least seconds between two saved states; None where none is saved."""
        if self._plan.space.search.scheduler == "pbt":
            return 0.0  # a trial may take over another's state at each measurement
        return SAVE_EVERY_S if self._saves else None

    @contextmanager
    def _states_from_nodes(self) -> Iterator[None]:
        """Fetch the states that trials save on nodes, in the block; on one machine there are none.

        The search may be resumed, so at its end the last ones are waited for.
        """
        if not (self._saves and self._carries):
            yield
            return
        states = StatesFromNodes(self._writer.checkpoints, self._run_name)
        self._events.states = states
        try:
            yield
        finally:
            states.stop(0.0 if self._ending.lost else LAST_WITHIN_S)
            self._events.states = None

    def _candidates(self) -> Path | None:
        """Return the folder for models that may be kept; None where none is."""
        models = map(find_model, self._plan.space.models)
        if not self._plan.keep_models or all(model.save is None for model in models):
            return None
        self._writer.candidates.mkdir(parents=True, exist_ok=True)
        return self._writer.candidates

    @contextmanager
    def _folder(self) -> Iterator[Path]:
        """Give Tune a folder: in the store where it keeps states for a later run."""
        if self._saves and not self._carries:
            self._writer.checkpoints.mkdir(parents=True, exist_ok=True)
            yield self._writer.checkpoints
            return
        with scratch_folder() as folder:
            yield folder

    @contextmanager
    def _gram(self) -> Iterator[SharedGram | None]:
        """Build the matrix that SVM trials share, where the plan's engine needs one."""
        engine = self._plan.engine
        if engine is None or engine[0] != "shared-gram":
            yield None
            return
        self._observer.preparing(engine[1])
        part = with_engines(self._plan.space)
        assert part is not None
        (view,) = views(part)  # with several, the plan has another engine
        if self._plan.cluster:
            with node_grams(self._plan, self._data, view, self._ending.reached) as gram:
                yield gram
            return
        with shared_gram(self._data, view, self._plan.cpus, self._ending.reached) as gram:
            yield gram

    def _gram_built(self, built: Future[float]) -> None:
        """Start the clocks of the trials that waited, or end the search: called in its thread."""
        error = built.exception()
        if error is None:
            model_of = self._plan.space.model_of
            self._events.restart_clocks(
                built.result(), lambda config: find_model(model_of(config)).has_engines
            )
        elif isinstance(error, InputError):
            self._ending.lose(error)


@contextmanager
def _on_signals(handler: Any) -> Iterator[None]:
    """Call `handler` on Ctrl-C, SIGTERM and SIGHUP inside the block (in the main thread only)."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {name: signal.signal(name, handler) for name in _SIGNALS}
    try:
        yield
    finally:
        for name, old in before.items():
            signal.signal(name, old)
