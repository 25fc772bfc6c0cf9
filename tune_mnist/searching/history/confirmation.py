"""Confirmation: the best trials of a finished search run again, on fresh seeds.

The confirmation of search `s` is the search `s-confirm` of the same store. Its record names `s`,
the trials and the seeds. Every configuration runs on the same seeds in the same order; the seed of
`s` is not among them. After each trial the caller decides how many seeds each configuration should
have. A confirmation that has ended, or died, can be resumed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from tune_mnist.datasets import Dataset
from tune_mnist.errors import input_error
from tune_mnist.searching.history.resume import searched_space
from tune_mnist.searching.observer import Row
from tune_mnist.searching.planning.machine import Machine
from tune_mnist.searching.planning.plan import Plan, concurrency, plan_search, with_engine
from tune_mnist.spaces import Config, Objective, Search, config_key
from tune_mnist.store.catalog import not_in_store
from tune_mnist.store.files.place import writer_of
from tune_mnist.store.layout import LONGEST_NAME
from tune_mnist.store.plans import Confirms, SearchRecord, read_search
from tune_mnist.store.reader import list_searches, read_trials
from tune_mnist.winner import best_first, columns_that_decide


@dataclass(frozen=True)
class Confirmation:
    """What a confirmation runs.

    Args:
        search: the finished search.
        name: of its confirmation in the store.
        record: of the finished search.
        top: how many configurations were asked for; fewer may have completed.
        trials: the trials whose configurations run again, best first.
        configs: their configurations.
        seeds: in the order in which they run.
    """

    search: str
    name: str
    record: SearchRecord
    top: int
    trials: tuple[str, ...]
    configs: tuple[Config, ...]
    seeds: tuple[int, ...]

    def recorded(self) -> Confirms:
        """Return what the confirmation's own record says of it."""
        names = ("search", "top", "trials", "configs", "seeds")
        return Confirms(**{name: getattr(self, name) for name in names})


def confirmation_of(root: Path, search: str, *, top: int | None, seeds: int) -> Confirmation:
    """Choose what to run again, or return what an earlier confirmation of the search chose.

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
    record, name = read_search(root, search), confirmation_name(search)
    if record.confirms:
        fix = f"confirm {record.confirms.search} with more `seeds`"
        raise input_error("confirm", f"{search!r} is a confirmation itself", fix)
    if record.trained_elsewhere:
        fix = "train its best configurations again with other seeds"
        raise input_error("confirm", f"{search!r} is trained elsewhere", fix)
    if writer := writer_of(root, search):
        fix = "wait until it ends, or end it with Ctrl-C"
        raise input_error("confirm", f"{search!r} is still being written by {writer}", fix)
    if name in known:
        return _earlier(root, name, record, top, seeds)
    best = _best_configurations(root, record, top or 3)
    trials, configs = tuple(trial for trial, _ in best), tuple(config for _, config in best)
    fresh = _fresh(record.seed, seeds)
    return Confirmation(search, name, record, top or 3, trials, configs, fresh)


def confirmation_name(search: str) -> str:
    """Return the name of a search's confirmation.

    Raises: InputError: the search's name leaves no room for it.
    """
    name = f"{search}-confirm"
    if len(name) > LONGEST_NAME:
        problem = f"{search!r} is too long for a search that is confirmed"
        most = LONGEST_NAME - len("-confirm")
        raise input_error("`name`", problem, f"give one of at most {most} characters")
    return name


def _earlier(
    root: Path, name: str, record: SearchRecord, top: int | None, seeds: int
) -> Confirmation:
    search, earlier = record.search, read_search(root, name).confirms
    if earlier is None or earlier.search != search:
        problem = f"{name!r} is in the store already and does not confirm {search!r}"
        raise input_error("confirm", problem, "move it to another store")
    if top not in (None, earlier.top):
        problem = f"{search!r} was confirmed with the best {earlier.top} already, not {top}"
        raise input_error("`top`", problem, f"leave it out, or move {name!r} to another store")
    fresh = _fresh(record.seed, max(seeds, len(earlier.seeds)))
    return Confirmation(search, name, record, earlier.top, earlier.trials, earlier.configs, fresh)


def _fresh(seed: int, count: int) -> tuple[int, ...]:
    """Return the seeds that follow the search's own; 0 follows the last."""
    return tuple((seed + i) % 2**32 for i in range(1, count + 1))


def _best_configurations(root: Path, record: SearchRecord, top: int) -> list[tuple[str, Config]]:
    """Return the trials that can win with their configurations, each once, best first."""
    search, goal = record.search, record.goal
    columns = [*columns_that_decide(goal), "model", "config"]
    trials = best_first(read_trials(root, search=search, columns=columns), goal)
    able = trials.filter(trials["can_win"])
    if not len(able):
        limits = " and ".join(map(str, goal.constraints))
        which = f"completed trial that satisfies {limits}" if limits else "completed trial"
        problem = f"{search!r} has no {which}"
        raise input_error("confirm", problem, "run a search that completes one")
    best: dict[str, tuple[str, Config]] = {}
    for row in able.to_pylist():
        config = record.proposed(row)
        best.setdefault(config_key(config), (row["trial"], config))
    return list(best.values())[:top]


def plan_confirmation(
    confirmation: Confirmation,
    data: Dataset,
    machine: Machine,
    *,
    cpus: int | None = None,
    gpus: int | None = None,
) -> Plan:
    """Plan the runs as the search itself was planned: its data, device, bundles and engine.

    Args:
        confirmation: from `confirmation_of`.
        data: the search's.
        machine: what there is.
        cpus: cores for all of it; None for all there are.
        gpus: None for as many as the search had.

    Raises:
        InputError: other data than the search had, fewer GPUs than asked for, a bundle that never
            fits, or a space that cannot be read.
    """
    record = confirmation.record
    if data.content_hash != record.data_hash:
        problem = f"{data.name} is not the data that {confirmation.search!r} ran on"
        raise input_error("confirm", problem, "name the folder of that data as `dataset`")
    searched = searched_space(record)
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
    gpus = record.resources.gpus if gpus is None else gpus
    plan = plan_search(space, cpus=cpus, gpus=gpus, machine=machine)
    plan = replace(plan, trials=len(confirmation.configs) * len(confirmation.seeds))
    return with_engine(replace(plan, concurrency=concurrency(plan)), data, machine)


def finished_rows(root: Path, confirmation: Confirmation) -> list[list[Row]]:
    """Return the stored rows of each configuration, oldest first."""
    rows = read_trials(root, search=confirmation.name).to_pylist()
    keys = [config_key(config) for config in confirmation.configs]
    own = [config_key(confirmation.record.proposed(row)) for row in rows]
    return [[row for row, of in zip(rows, own, strict=True) if of == key] for key in keys]
