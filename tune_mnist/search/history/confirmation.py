"""Confirmation: the best trials of a finished search run again, on fresh seeds.

The confirmation of search `s` is the search `s-confirm` of the same store; its plan names `s`, the
trials and the seeds. Every configuration runs on the same seeds in the same order, none of them the
search's own. After each trial the caller's `Wanted` says how many seeds each should have (for us
`analysis.confirmation.wanted_seeds`). A confirmation that has ended, or died, can go on.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ray.tune.search import Searcher

from tune_mnist.datasets import Dataset
from tune_mnist.errors import input_error
from tune_mnist.search.on_ray.recorder import Row
from tune_mnist.search.planning.machine import Machine
from tune_mnist.search.planning.plan import Plan, concurrency, plan_search, with_engine
from tune_mnist.spaces import Config, Objective, Search, Space, config_key
from tune_mnist.store.catalog import not_in_store
from tune_mnist.store.layout import plan_file
from tune_mnist.store.lock import living_writer
from tune_mnist.store.reader import list_searches, read_search, read_trials

Wanted = Callable[[Sequence[Sequence[Row]]], Sequence[int]]
"""From the finished rows of each configuration to the number of seeds that each should have."""


@dataclass(frozen=True)
class Confirmation:
    """What is to be confirmed, and how.

    Args:
        search: the finished search.
        name: of its confirmation in the store.
        plan: the finished search's, as the store has it.
        top: how many configurations were asked for; fewer may have completed.
        trials: the trials whose configurations run again, best first.
        configs: their configurations.
        seeds: in the order in which they run.
    """

    search: str
    name: str
    plan: dict[str, Any]
    top: int
    trials: tuple[str, ...]
    configs: tuple[Config, ...]
    seeds: tuple[int, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return what the confirmation's own plan says of it, JSON-ready."""
        names = ("search", "top", "trials", "configs", "seeds")
        return {name: getattr(self, name) for name in names}


def confirmation_of(root: Path, search: str, *, top: int | None, seeds: int) -> Confirmation:
    """Choose what to run again, or find what an earlier confirmation of the search chose.

    Args:
        root: the store's folder.
        search: a finished search.
        top: configurations, >= 1; None: those of the earlier confirmation, or 3.
        seeds: for each of them at most, >= 2; an earlier confirmation's are kept.

    Raises:
        InputError: no such search, it is still running or a confirmation itself, it has no
            completed trial, or an earlier confirmation has another `top`.
    """
    known = list_searches(root)
    if search not in known:
        raise not_in_store("confirm", search, known)
    plan, name = read_search(root, search), f"{search}-confirm"
    if "confirms" in plan:
        fix = f"confirm {plan['confirms']['search']} with more --seeds"
        raise input_error("confirm", f"{search!r} is a confirmation itself", fix)
    if writer := living_writer(root, search):
        fix = "wait for its end, or end it with Ctrl-C"
        raise input_error("confirm", f"{search!r} is still being written by {writer}", fix)
    if name in known:
        return _earlier(root, name, search, plan, top, seeds)
    best = _best_completed(root, search, top or 3)
    trials, configs = tuple(trial for trial, _ in best), tuple(config for _, config in best)
    return Confirmation(search, name, plan, top or 3, trials, configs, _fresh(plan["seed"], seeds))


def _earlier(
    root: Path, name: str, search: str, plan: dict[str, Any], top: int | None, seeds: int
) -> Confirmation:
    earlier = read_search(root, name).get("confirms", {})
    if earlier.get("search") != search:
        problem = f"{name!r} is in the store already and does not confirm {search!r}"
        raise input_error("confirm", problem, "move it to another --results")
    if top not in (None, earlier["top"]):
        problem = f"{search!r} was confirmed with --top {earlier['top']} already, not {top}"
        raise input_error("--top", problem, f"leave it out, or move {name!r} to another --results")
    trials, configs = tuple(earlier["trials"]), tuple(earlier["configs"])
    fresh = _fresh(plan["seed"], max(seeds, len(earlier["seeds"])))
    return Confirmation(search, name, plan, earlier["top"], trials, configs, fresh)


def _fresh(seed: int, count: int) -> tuple[int, ...]:
    """Return the seeds after the search's own, from 0 again after the last."""
    return tuple((seed + i) % 2**32 for i in range(1, count + 1))


def _best_completed(root: Path, search: str, top: int) -> list[tuple[str, Config]]:
    columns = ["trial", "config", "status", "val_accuracy", "wall_time_s"]
    rows = read_trials(root, search=search, columns=columns).to_pylist()
    completed = [
        row
        for row in rows
        if row["status"] == "completed" and math.isfinite(row["val_accuracy"] or math.nan)
    ]
    if not completed:
        problem = f"{search!r} has no completed trial"
        raise input_error("confirm", problem, "run a search that completes one")
    completed.sort(key=lambda row: (-row["val_accuracy"], row["wall_time_s"] or 0.0, row["trial"]))
    best: dict[str, str] = {}
    for row in completed:
        best.setdefault(row["config"], row["trial"])
    return [(trial, json.loads(config)) for config, trial in list(best.items())[:top]]


def plan_confirmation(
    confirmation: Confirmation,
    data: Dataset,
    *,
    cpus: int | None,
    gpus: int | None,
    machine: Machine,
    root: Path,
) -> Plan:
    """Plan the runs as the search itself was planned: its data, device, bundles and engine.

    Args:
        confirmation: from `confirmation_of`.
        data: the search's.
        cpus: cores for all of it; None for all there are.
        gpus: None for as many as the search had.
        machine: what there is.
        root: the store's folder, for the messages.

    Raises:
        InputError: other data than the search had, fewer GPUs than asked for, a bundle that never
            fits, or a plan that cannot be read.
    """
    recorded = confirmation.plan
    if data.content_hash != recorded["data_hash"]:
        problem = f"{data.name} is not the data that {confirmation.search!r} ran on"
        raise input_error("confirm", problem, "give the folder of that data with --data-dir")
    try:
        searched = Space.model_validate(recorded["space"])
    except ValidationError as error:
        file = plan_file(root, confirmation.search)
        problem = f"its space cannot be read: {error.errors()[0]['msg']}"
        raise input_error(file, problem, "run the search again") from error
    limit = searched.search.max_concurrent
    space = searched.model_copy(
        update={
            "parameters": {},
            "points": confirmation.configs,
            "objectives": (Objective(),),
            "constraints": (),
            "search": Search(sampler="grid", seed=searched.search.seed, max_concurrent=limit),
        }
    )
    gpus = recorded["resources"]["gpus"] if gpus is None else gpus
    plan = plan_search(space, cpus=cpus, gpus=gpus, machine=machine)
    plan = replace(plan, trials=len(confirmation.configs) * len(confirmation.seeds))
    return with_engine(replace(plan, concurrency=concurrency(plan)), data, machine)


def finished_rows(root: Path, confirmation: Confirmation) -> list[list[Row]]:
    """Return the stored rows of each configuration, oldest first."""
    rows = read_trials(root, search=confirmation.name).to_pylist()
    keys = [config_key(config) for config in confirmation.configs]
    return [[row for row in rows if row["config"] == key] for key in keys]


class ConfirmSearcher(Searcher):
    """Hands Ray Tune a configuration and a seed, while seeds are wanted.

    Args:
        confirmation: what to run.
        done: rows of trials that have finished already, by configuration.
        wanted: asked before every trial.
    """

    def __init__(
        self, confirmation: Confirmation, done: Sequence[Sequence[Row]], wanted: Wanted
    ) -> None:
        super().__init__(metric="val_accuracy", mode="max")
        self._confirmation = confirmation
        self._done = [list(rows) for rows in done]
        self._wanted = wanted
        self._running: dict[str, tuple[int, int]] = {}  # trial to configuration and seed
        self._next = 1 + max((int(row["trial"]) for rows in done for row in rows), default=-1)

    def __getstate__(self) -> dict[str, Any]:
        """Return nothing: Tune pickles its searcher for a restore that we never do."""
        return {}

    def left(self) -> bool:
        """Return whether anything is to be run."""
        return bool(self._short())

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:  # type: ignore[override]
        """Return a trial; None while only trials that run can tell; `FINISHED` at the end."""
        short = self._short()
        if not short:
            return None if self._running else str(Searcher.FINISHED)
        index = min(short, key=lambda index: len(self._taken(index)))
        taken = self._taken(index)
        seed = next(seed for seed in self._confirmation.seeds if seed not in taken)
        self._running[trial_id] = index, seed
        self._next += 1
        config = dict(self._confirmation.configs[index])
        return {"number": self._next - 1, "hyperparameters": config, "seed": seed}

    def _short(self) -> list[int]:
        wanted = self._wanted(self._done)
        return [index for index, count in enumerate(wanted) if len(self._taken(index)) < count]

    def _taken(self, index: int) -> set[int]:
        """Return the seeds on which a configuration has run or is running."""
        finished = {row["seed"] for row in self._done[index]}
        return finished | {seed for i, seed in self._running.values() if i == index}

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Count the trial: what it reached decides where the next seed goes."""
        index, seed = self._running.pop(trial_id)
        measured = result or {}
        completed = not error and measured.get("test_accuracy") is not None
        status = "completed" if completed else "failed"
        self._done[index].append({**measured, "seed": seed, "status": status, "error": status})

    def save(self, checkpoint_path: str) -> None:
        """Keep nothing: a confirmation goes on from the store."""

    def restore(self, checkpoint_path: str) -> None:
        """Restore nothing: see `save`."""
