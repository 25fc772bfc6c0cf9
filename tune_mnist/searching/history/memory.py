"""What the store knows already: trials that finished earlier and need not run again.

`reusable.py` is the rule for when a past trial stands for a new one. A reused trial keeps its
measured times.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic.main import IncEx

from tune_mnist.datasets import Dataset
from tune_mnist.searching.history.reusable import in_same_place, on_same_rungs, same_training
from tune_mnist.searching.observer import Row
from tune_mnist.searching.planning.plan import Plan
from tune_mnist.spaces import Config, Space, config_key
from tune_mnist.store.plans import SearchRecord, read_searches
from tune_mnist.store.reader import read_reports, read_trials
from tune_mnist.store.schema import REPORTS, TRIALS

_NOT_PROPOSING: Mapping[str, IncEx | bool] = {
    "name": True,
    "dataset": True,
    "resources": True,
    "search": {"trials", "time_budget_s", "target", "max_concurrent"},
}
"""Two spaces that differ only in these propose the same configurations."""


@dataclass(frozen=True)
class Past:
    """A trial that the store has.

    Args:
        name: "search/trial" of the row that was measured.
        row: its columns of `TRIALS`.
        reports: its measurements in the order of their steps, without trial and attempt.
        saved: the folder of its model, where that is not in the store.
    """

    name: str
    row: Row
    reports: list[Row]
    saved: Path | None = None


class Memory:
    """The finished trials of a store that a search on this plan and data would only repeat.

    Args:
        root: the store's folder; it may have no search yet.

    Attributes:
        order: what an earlier search of the same space, sampler and scheduler tried, in its
            order. A sampler that learns proposes the same again only if it sees the same results.
    """

    def __init__(self, root: Path, plan: Plan, data: Dataset) -> None:
        self._root = root
        self._plan = plan
        self._rows: dict[str, list[Row]] = defaultdict(list)  # the one to trust most comes last
        self._reports: dict[str, dict[str, list[Row]]] = {}
        rows = _alike(root, plan, data)
        twin = _twin(root, plan, rows)
        steps = [row for row in rows if row["search"] == twin and row["status"] != "failed"]
        self.order: list[Config] = [
            proposed_in(row, plan) for row in sorted(steps, key=lambda row: str(row["trial"]))
        ]
        # When a trial is stopped depends on the others, so only a twin's stopped trials count.
        for row in sorted(rows, key=_trust):
            if row["status"] == "completed" or (row["status"], row["search"]) == ("stopped", twin):
                self._rows[config_key(proposed_in(row, plan))].append(row)

    def __len__(self) -> int:
        return len(self._rows)

    def find(self, config: Config) -> Past | None:
        """Return the finished trial of this configuration, None if there is none."""
        for row in reversed(self._rows.get(config_key(config), ())):
            curve = self._curve(row)
            fidelities = [one["fidelity"] for one in curve]
            if on_same_rungs(row, fidelities, self._plan):
                origin = row["shared_with"] or ""
                return Past(
                    name=origin if "/" in origin else f"{row['search']}/{row['trial']}",
                    row={name: row[name] for name in TRIALS.names},
                    reports=curve,
                )
        return None

    def _curve(self, row: Row) -> list[Row]:
        search = str(row["search"])
        if search not in self._reports:
            self._reports[search] = _by_trial(read_reports(self._root, search=search).to_pylist())
        return self._reports[search].get(str(row["trial"]), [])


def _alike(root: Path, plan: Plan, data: Dataset) -> list[Row]:
    """Return the rows that differ from a trial of this plan in their configuration alone."""
    if not (root / "searches").is_dir():
        return []
    if plan.space.search.scheduler == "pbt":  # its trials need each other's saved states
        return []
    return [
        row
        for model in plan.space.models
        for row in read_trials(root, equal=same_training(plan, data, model)).to_pylist()
        if row["schedule"] is None  # config alone does not repeat a population's trial
        and all(row[name] is not None for name in plan.space.metrics)
        and in_same_place(row, plan, proposed_in(row, plan))
    ]


def proposed_in(row: Row, plan: Plan) -> Config:
    """Return a row's configuration as the plan's sampler would propose it."""
    return plan.space.proposed(row["model"], json.loads(row["config"]))


def _trust(row: Row) -> tuple[bool, bool, str]:
    """Return a key that sorts the row to trust last: completed, measured here, newest."""
    measured_here = "/" not in (row["shared_with"] or "")
    return row["status"] == "completed", measured_here, str(row["finished"])


def _twin(root: Path, plan: Plan, rows: Iterable[Row]) -> str | None:
    """Return the search with most of these rows, of those that would propose the same."""
    count: dict[str, int] = defaultdict(int)
    for row in rows:
        count[row["search"]] += 1
    records = read_searches(root) if count else {}
    ours = plan.space.model_dump(exclude=_NOT_PROPOSING), plan.device
    twins = [
        search for search in count if search in records and _proposing(records[search]) == ours
    ]
    return max(twins, key=lambda search: (count[search], search), default=None)


def _proposing(record: SearchRecord) -> tuple[dict[str, Any], str] | None:
    try:
        space = Space.model_validate(record.space)
    except ValidationError:  # written by another version of us
        return None
    return space.model_dump(exclude=_NOT_PROPOSING), record.device


def _by_trial(reports: Iterable[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for report in reports:
        kept = {name: report[name] for name in REPORTS.names if name not in ("trial", "attempt")}
        found[report["trial"]].append(kept)
    return found
