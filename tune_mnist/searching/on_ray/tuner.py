"""The `tune.Tuner` of a search: its bundles, names and folders."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ray import tune
from ray.tune import Callback, Stopper, Trainable
from ray.tune.experiment import Trial
from ray.tune.schedulers import TrialScheduler
from ray.tune.search import Searcher
from ray.tune.trainable.function_trainable import wrap_function

from tune_mnist.searching.on_ray.recorder import trial_name
from tune_mnist.searching.on_ray.session.nodes import avoided
from tune_mnist.searching.on_ray.session.ray_session import TURN
from tune_mnist.searching.on_ray.trainable import Shared, run_trial
from tune_mnist.searching.planning.plan import Plan

_NODE_ID = "ray.io/node-id"
"""Ray's label of each node."""


@dataclass(frozen=True)
class TuneParts:
    """What drives Tune: who hands out trials, stops them early, ends the search, and listens.

    Args:
        folder: for Tune's files.
        run: the name of this run in it; no other has it.
    """

    searcher: Searcher
    scheduler: TrialScheduler
    stopper: Stopper
    callback: Callback
    folder: Path
    run: str


def tuner(plan: Plan, shared: Shared, parts: TuneParts, named_actors: bool) -> tune.Tuner:
    """Return a tuner that is ready to run.

    Args:
        plan: whose bundles and limits apply.
        shared: what all trials have in common, put once into Ray's object store.
        parts: what drives Tune.
        named_actors: one process a trial, under the trial's name, for Ray's dashboard. A process
            keeps its first name, so none is reused.
    """
    trainable = tune.with_parameters(run_trial, shared=shared)
    if named_actors:
        trainable = _named(trainable)
    trainable = tune.with_resources(trainable, _bundle(plan))
    if named_actors:
        trainable.__qualname__ = "Trial"  # the class that the dashboard shows
    return tune.Tuner(
        trainable,
        tune_config=tune.TuneConfig(
            search_alg=parts.searcher,
            scheduler=parts.scheduler,
            num_samples=-1,  # the searcher ends the search
            max_concurrent_trials=_at_once(plan),
            reuse_actors=not named_actors,  # a trivial trial costs 0.07 s instead of 1.04 s
            trial_name_creator=_readable_name,
            trial_dirname_creator=trial_folder_name,
        ),
        run_config=tune.RunConfig(
            name=parts.run,
            storage_path=str(parts.folder),
            stop=parts.stopper,
            callbacks=[parts.callback],
            checkpoint_config=_kept(plan),
            verbose=0,
        ),
    )


def _kept(plan: Plan) -> tune.CheckpointConfig:
    """Return how many states of a trial stay on disk: two, in case the last one is torn.

    A population needs all: a trial may take over an older one of another.
    """
    pbt = plan.space.search.scheduler == "pbt"
    return tune.CheckpointConfig(num_to_keep=None if pbt else 2)


def _at_once(plan: Plan) -> int | None:
    """Return how many trials Tune may have begun: of a population all, most of them paused."""
    return plan.trials if plan.space.search.scheduler == "pbt" else plan.concurrency


def _bundle(plan: Plan) -> Callable[[dict[str, Any]], tune.PlacementGroupFactory]:
    """Return what gives a trial its resources; those of a population take turns with them.

    Tune has begun all of a population, so its own limit on how many run does not hold. On a
    cluster, trials without a GPU keep away from nodes with one, if others of the search use them.
    """
    turns = []
    if plan.space.search.scheduler == "pbt":
        # A bundle by itself, for the turn may lie on another node than the trial.
        turns = [{TURN: math.floor(1e4 / plan.concurrency) / 1e4}]  # Ray counts ten thousandths

    def bundle(trial: dict[str, Any]) -> tune.PlacementGroupFactory:
        amounts = plan.bundle(trial["hyperparameters"], trial.get("share", 1))
        own = {key.upper(): n for key, n in amounts.items() if n}
        closed = avoided(plan, amounts) if plan.cluster else []
        if not closed:
            return tune.PlacementGroupFactory([own, *turns])
        # By what is excluded, so that a node which joins later may take the trial too.
        elsewhere = {_NODE_ID: f"!in({','.join(closed)})"}
        where: Any = {"bundle_label_selector": [elsewhere, *({} for _ in turns)]}
        return tune.PlacementGroupFactory([own, *turns], **where)

    return bundle


def trial_folder_name(trial: Trial) -> str:
    """Return the name of a trial's folder of states; each attempt and each move has its own."""
    attempt, moves = trial.config.get("attempt", 1), trial.config.get("moves", 0)
    name = trial_name(trial) if attempt == 1 else f"{trial_name(trial)}.{attempt}"
    return f"{name}.moved-{moves}" if moves else name


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
