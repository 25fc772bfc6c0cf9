"""How long a plan will take, from the times of similar trials in the store (`forecast.py`)."""

from __future__ import annotations

import itertools
import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from tune_mnist.datasets import Dataset
from tune_mnist.provenance import host
from tune_mnist.searching.history.memory import Memory, proposed_in
from tune_mnist.searching.observer import Row
from tune_mnist.searching.planning.forecast import Forecast, Lane, Timed, Workers, forecast
from tune_mnist.searching.planning.plan import Plan
from tune_mnist.searching.proposing.prefixes import length_of, prefix_key
from tune_mnist.searching.proposing.proposals import Proposals
from tune_mnist.spaces import Config, configurations
from tune_mnist.store.plans import SearchRecord, read_searches
from tune_mnist.store.reader import read_trials

MOST_PLANNED = 5000
"""Largest number of trials that is forecast; drawing more would take too long."""

_ENOUGH_STOPPED = 5  # with fewer past trials under a scheduler, none is expected to stop early


def plan_forecast(root: Path, plan: Plan, data: Dataset, memory: Memory | None) -> Forecast | None:
    """Return how long the plan will take; None if the store has too few similar trials.

    Trials count if they have the same model, images, split, number of cores and kind of device. If
    some of them ran on this machine, only those count. The sampler's proposals are not known yet,
    so random configurations of the space stand for them. A target may end the search sooner.

    Args:
        root: the store's folder; there may be none.
        plan: as it will run.
        data: what it will run on.
        memory: trials that will not run again; None if all will.
    """
    if plan.trials is None or plan.trials > MOST_PLANNED or not (root / "searches").is_dir():
        return None
    rows = _alike(root, plan, data)
    if not rows:
        return None
    records = read_searches(root)
    planned = [one for one in _planned(plan, memory) if memory is None or memory.find(one) is None]
    if plan.lengths:  # the longest training answers the shorter ones
        longest = {prefix_key(one): one for one in sorted(planned, key=length_of)}
        planned = list(longest.values())
    past = [
        Timed(proposed_in(row, plan), _seconds(row), row["search"])
        for row in rows
        if row["status"] == "completed"
    ]
    return forecast(
        past,
        planned,
        workers=_workers(plan, planned),
        start_s=_start_s(rows, records) if planned else 0.0,
        spent=_spent(rows, records, plan),
        budget_s=plan.space.search.time_budget_s or float("inf"),
    )


def _workers(plan: Plan, planned: Sequence[Config]) -> Workers:
    """Return who works the planned trials off; those of each kind of bundle have their places."""
    kinds, room = plan.bundles(), plan.room()
    places = [min(plan.concurrency, room.places(kind)) for kind in kinds]
    own = [kinds.index(plan.bundle(config)) for config in planned]
    lanes = [
        Lane([i for i, kind in enumerate(own) if kind == which], many)
        for which, many in enumerate(places)
    ]
    return Workers(plan.concurrency, lanes if len(kinds) > 1 else ())


def _alike(root: Path, plan: Plan, data: Dataset) -> list[Row]:
    """Return the rows measured on the plan's bundle for them, oldest first, no copied rows."""
    equal = {"data_hash": data.content_hash, "split": data.split}
    columns = ["search", "model", "config", "status", "wall_time_s", "fidelity", "cpus", "gpus"]
    columns += ["host", "shared_with", "started", "finished"]
    rows = [
        row
        for model in plan.space.models
        for row in read_trials(root, equal={**equal, "model": model}, columns=columns).to_pylist()
        if row["status"] in ("completed", "stopped")
        and row["wall_time_s"] is not None
        and plan.bundle(proposed_in(row, plan)) == {"cpu": row["cpus"], "gpu": row["gpus"]}
        and "/" not in (row["shared_with"] or "")
    ]
    here = [row for row in rows if row["host"] == host()]
    return sorted(here or rows, key=lambda row: str(row["finished"]))


def _seconds(row: Row) -> float:
    """Return how long a trial held its bundle; that may include the start of its process."""
    if row["shared_with"]:  # a part of another training, which held it longer
        return float(row["wall_time_s"])
    held: float = (row["finished"] - row["started"]).total_seconds()
    return max(float(row["wall_time_s"]), held)


def _planned(plan: Plan, memory: Memory | None) -> list[Config]:
    """Return the configurations to come, or random ones where the sampler chooses."""
    space = plan.space
    if space.search.sampler == "grid" or not space.parameters:
        return list(itertools.islice(configurations(space, plan.device), plan.trials))
    at_random = space.search.model_copy(update={"sampler": "random", "scheduler": "none"})
    stand_in = space.model_copy(update={"search": at_random})
    proposals = Proposals(stand_in, plan.device, memory.order if memory else ())
    asked = (proposals.next() for _ in range(plan.trials or 0))
    return [one.config for one in asked if one is not None]


def _start_s(rows: Iterable[Row], records: Mapping[str, SearchRecord]) -> float:
    """Return the median seconds that past searches spent before and after their trials."""
    spans: dict[str, tuple[datetime, datetime]] = {}
    for row in rows:
        first, last = spans.get(row["search"], (row["started"], row["finished"]))
        spans[row["search"]] = (min(first, row["started"]), max(last, row["finished"]))
    found = []
    for search, (first, last) in spans.items():
        record = records.get(search)
        if record is None or not record.started:
            continue
        before = (first - datetime.fromisoformat(record.started)).total_seconds()
        ended = record.ended
        after = (datetime.fromisoformat(ended.at) - last).total_seconds() if ended else 0.0
        if before >= 0 and after >= 0:  # else a search that was resumed later
            found.append(before + after)
    return statistics.median(found) if found else 0.0


def _spent(rows: Iterable[Row], records: Mapping[str, SearchRecord], plan: Plan) -> list[float]:
    """Return which fraction of its training each past trial under the plan's scheduler reached."""
    scheduler = plan.space.search.scheduler
    if scheduler == "none":
        return [1.0]
    parts = []
    for row in rows:
        record = records.get(row["search"])
        if record is not None and record.scheduler == scheduler:
            whole = json.loads(row["config"]).get("epochs", 1)
            parts.append(1.0 if row["status"] == "completed" else row["fidelity"] / whole)
    return parts if len(parts) >= _ENOUGH_STOPPED else [1.0]
