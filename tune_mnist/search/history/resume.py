"""A search that goes on: what it had proposed and finished, told to a fresh sampler.

Our memory of a search is its plan, its list of proposals and its rows, all of them on disk before
anything else depends on them. `replay` asks a fresh sampler for the same proposals, telling it each
finished trial at the point where it was told before; so it is in the state it was in, and what it
proposes next is what it would have proposed. The same shows that a search is reproducible, however
many trials ran side by side (`python -m tune_mnist replay`).
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial, create_trial
from pydantic import ValidationError
from pydantic.main import IncEx

from tune_mnist.datasets import Dataset
from tune_mnist.errors import input_error
from tune_mnist.provenance import code_hash
from tune_mnist.search.history.memory import Past
from tune_mnist.search.on_ray.trainings import Training
from tune_mnist.search.planning.plan import Plan
from tune_mnist.search.proposing.proposals import Proposal, Proposals
from tune_mnist.search.proposing.samplers import distributions
from tune_mnist.spaces import Config, Space
from tune_mnist.store.layout import checkpoints_folder, plan_file
from tune_mnist.store.lock import living_writer
from tune_mnist.store.merge import ROW_GROUP
from tune_mnist.store.proposals import read_proposals
from tune_mnist.store.reader import read_reports, read_search, read_trials

Row = dict[str, Any]

_FREE: Mapping[str, IncEx | bool] = {
    "name": True,
    "resources": True,
    "search": {
        *("trials", "time_budget_s", "target", "plateau", "max_concurrent"),
        *("trial_timeout_s", "retries"),
    },
}
"""What of a space may differ when a search goes on."""


@dataclass(frozen=True)
class Earlier:
    """A search as its earlier runs left it.

    Args:
        name: of the search.
        plan: as the store has it.
        proposals: the lines of its list: number, config, seen.
        rows: the last row of each trial that has ended, in the order in which they ended; config
            is a mapping.
        reports: of each of these trials, in the order of their steps.
        attempts: how many attempts at each trial have a row, by number.
        checkpoints: the newest saved state of each trial that left one, by number.
    """

    name: str
    plan: dict[str, Any]
    proposals: Sequence[dict[str, Any]]
    rows: Sequence[Row]
    reports: dict[str, list[Row]]
    attempts: dict[int, int]
    checkpoints: dict[int, Path]

    @property
    def space(self) -> Space:
        """The space as it was searched. Raises: InputError: another version wrote it."""
        try:
            return Space.model_validate(self.plan["space"])
        except (ValidationError, KeyError) as error:
            fix = "run the search again under another name"
            problem = f"its space cannot be read by this version: {error}"
            raise input_error(self.name, problem, fix) from None

    @property
    def first(self) -> list[Config]:
        """What its sampler was to propose before anything of its own."""
        return list(self.plan.get("first", ()))

    def past(self, row: Row) -> Past:
        """Return a trial that has ended, with its curve."""
        return Past(row["shared_with"] or row["trial"], row, self.reports.get(row["trial"], []))

    @property
    def observed(self) -> list[FrozenTrial]:
        """The trials of other searches that its sampler had been told."""
        told = (self.plan.get("warm_start") or {}).get("observations", ())
        known = distributions(self.space)
        return [
            create_trial(
                params=one["params"],
                distributions={name: known[name] for name in one["params"]},
                values=one["values"],
            )
            for one in told
        ]


def earlier_runs(root: Path, name: str) -> Earlier:
    """Return what a search of the store has done so far.

    Raises: InputError: no such search, it is being written, or it kept no list of proposals.
    """
    plan = read_search(root, name)
    if writer := living_writer(root, name):
        fix = "wait for its end, or end it with Ctrl-C"
        raise input_error("resume", f"{name!r} is still being written by {writer}", fix)
    if "confirms" in plan:
        fix = f"confirm {plan['confirms']['search']} again: it goes on by itself"
        raise input_error("resume", f"{name!r} is a confirmation", fix)
    if plan.get("space", {}).get("search", {}).get("scheduler") == "pbt":
        problem = f"{name!r} is a population, and how far each of it was is not kept"
        raise input_error("resume", problem, "run the search again under another name")
    return earlier_of(root, name, plan)


def earlier_of(root: Path, name: str, plan: dict[str, Any]) -> Earlier:
    """Return what a search has done so far; one that runs may do more in the meantime."""
    proposals = read_proposals(root, name)
    rows = read_trials(root, search=name).to_pylist()
    if rows and not proposals:
        problem = f"{plan_file(root, name).stem!r} kept no list of proposals"
        fix = "run the search again under another name; what is finished is reused"
        raise input_error("resume", problem, fix)
    if len(rows) > ROW_GROUP:  # its best come first in a compacted file
        rows.sort(key=lambda row: row["finished"])
    reports: dict[str, list[Row]] = defaultdict(list)
    for report in read_reports(root, search=name).to_pylist():
        reports[report["trial"]].append(report)
    attempts = {int(row["trial"]): row["attempt"] for row in rows}
    retries = plan.get("space", {}).get("search", {}).get("retries", 0)
    ended = [
        {**row, "config": json.loads(row["config"])}
        for row in rows
        if row["attempt"] == attempts[int(row["trial"])]
        and not (row["status"] == "failed" and row["attempt"] <= retries)
    ]
    return Earlier(
        name=name,
        plan=plan,
        proposals=proposals,
        rows=ended,
        reports=reports,
        attempts=attempts,
        checkpoints=_checkpoints(checkpoints_folder(root, name)),
    )


def _checkpoints(folder: Path) -> dict[int, Path]:
    found = {}
    for checkpoint in sorted(folder.glob("*/*/checkpoint_*")):
        number = checkpoint.parent.name.partition(".")[0]
        if number.isdigit() and checkpoint.is_dir():
            found[int(number)] = checkpoint
    return found


def differences(earlier: Earlier, plan: Plan, data: Dataset) -> list[str]:
    """Return one line for each thing that would make this another search than the earlier one."""
    recorded = earlier.plan
    spaces = (earlier.space, plan.space)
    was, now = (space.model_dump(mode="json", exclude=_FREE) for space in spaces)
    found = [
        f"space, {key}: was {was.get(key)}, is {now.get(key)}"
        for key in sorted({*was, *now})
        if was.get(key) != now.get(key)
    ]
    for what, old, new in (
        ("device", recorded.get("device"), plan.device),
        ("images", recorded.get("data_hash"), data.content_hash),
        ("split", recorded.get("split"), data.split),
        ("code that can change a result", recorded.get("code_hash"), code_hash()),
    ):
        if old != new:
            found.append(f"{what}: was {old}, is {new}")
    return found


def replay(proposals: Proposals, earlier: Earlier) -> tuple[list[Proposal], int]:
    """Bring a fresh sampler to where the earlier runs left theirs.

    Args:
        proposals: fresh, of the same space.
        earlier: what had been proposed and how it went.
    Returns: all proposals again, and how many of them the sampler came to by itself.
    """
    told = reproduced = 0
    found = []
    for line in earlier.proposals:
        while told < min(line["seen"], len(earlier.rows)):
            _tell(proposals, earlier, told)
            told += 1
        proposal, by_itself = proposals.again(line["config"])
        found.append(proposal)
        reproduced += by_itself
    for index in range(told, len(earlier.rows)):
        _tell(proposals, earlier, index)
    return found, reproduced


def _tell(proposals: Proposals, earlier: Earlier, index: int) -> None:
    past = earlier.past(earlier.rows[index])
    proposals.tell_past(int(past.row["trial"]), past.row, past.reports)


def unfinished(earlier: Earlier, proposals: Sequence[Proposal]) -> list[Training]:
    """Return what had been proposed and has no row, each to go on from its last saved state."""
    ended = {int(row["trial"]) for row in earlier.rows}
    return [
        Training(
            proposal,
            attempt=1 + earlier.attempts.get(proposal.number, 0),
            restore=str(folder) if (folder := earlier.checkpoints.get(proposal.number)) else None,
        )
        for proposal in proposals
        if proposal.number not in ended
    ]
