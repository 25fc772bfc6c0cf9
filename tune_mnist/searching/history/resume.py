"""Resuming a search: a fresh sampler is brought to where the earlier one was.

The store keeps a search's record, its list of proposals and its rows, all of them on disk before
anything else depends on them. `replay` asks a fresh sampler for the same proposals and tells it
each finished trial at the same point as before. The sampler is then in the same state, so it
continues as it would have without the interruption. This also shows whether a search is
reproducible, however many of its trials ran side by side.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from optuna.trial import FrozenTrial, create_trial
from pydantic import ValidationError
from pydantic.main import IncEx

from tune_mnist.code_hash import code_hash_of
from tune_mnist.datasets import Dataset
from tune_mnist.errors import InputError, input_error, warn_skipped
from tune_mnist.models.registry import import_model
from tune_mnist.searching.history.memory import Past
from tune_mnist.searching.history.proposed import Proposed, proposed
from tune_mnist.searching.observer import Row
from tune_mnist.searching.planning.plan import Plan
from tune_mnist.searching.proposing.proposals import Proposals
from tune_mnist.searching.proposing.samplers import distributions
from tune_mnist.spaces import Config, Space, config_key
from tune_mnist.store.files.place import bring_states, writer_of
from tune_mnist.store.files.sealing import LIST, check_sealed
from tune_mnist.store.layout import check_tree, checkpoints_folder
from tune_mnist.store.merge import ROW_GROUP
from tune_mnist.store.plans import SearchRecord, read_search
from tune_mnist.store.proposals import Proposal, name_damaged, number_of, read_list
from tune_mnist.store.reader import read_reports, read_trials
from tune_mnist.training.saved_state import FILE, is_whole

_FREE: Mapping[str, IncEx | bool] = {
    "name": True,
    "dataset": True,  # what was typed; the hash of the images is compared instead
    "resources": True,
    "search": {
        *("trials", "time_budget_s", "target", "plateau", "max_concurrent"),
        *("trial_timeout_s", "retries"),
    },
}
"""What may change in the space when a search is resumed."""


@dataclass(frozen=True)
class Earlier:
    """A search as its earlier runs left it.

    Args:
        name: of the search.
        record: as the store has it.
        proposals: what it proposed, in the order of the numbers.
        rows: the last row of each trial that has ended, in the order in which they ended; its
            config is a mapping.
        reports: the measurements of each of these trials, in the order of their steps.
        attempts: how many attempts at each trial have a row, by number.
        states: the saved states of each trial that left any, newest first, by number.
        strays: folders of states whose proposal is lost: nobody may continue from them.
        notes: a line on each kind of damage in the list of proposals.
        whole: whether the list is as it was written.
    """

    name: str
    record: SearchRecord
    proposals: Sequence[Proposed]
    rows: Sequence[Row]
    reports: dict[str, list[Row]]
    attempts: dict[int, int]
    states: dict[int, list[Path]]
    strays: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()
    whole: bool = True

    @property
    def space(self) -> Space:
        """The space as it was searched. Raises: InputError: another version wrote it."""
        return searched_space(self.record)

    def sampled(self, space: Space) -> Space:
        """Return the space with as many trials as its sampler was set up for at first.

        The population of nsga2 follows them; with another one it would propose otherwise.
        """
        search = space.search.model_copy(update={"trials": self.record.first_trials})
        return space.model_copy(update={"search": search})

    @property
    def first(self) -> list[Config]:
        """The configurations that its sampler proposed before its own."""
        return list(self.record.first)

    def past(self, row: Row) -> Past:
        """Return a trial that has ended, with its curve."""
        return Past(row["shared_with"] or row["trial"], row, self.reports.get(row["trial"], []))

    def state(self, number: int) -> Path | None:
        """Return the newest whole saved state of a trial; None if it has none."""
        return newest_whole(self.states.get(number, ()))

    @property
    def observed(self) -> list[FrozenTrial]:
        """The trials of other searches that its sampler learned from."""
        warm = self.record.warm_start
        known = distributions(self.space)
        return [
            create_trial(
                params=one.params,
                distributions={name: known[name] for name in one.params},
                values=one.values,
                constraints=one.constraints,
            )
            for one in (warm.observations if warm else ())
        ]


def searched_space(record: SearchRecord) -> Space:
    """Return the space that a search of the store had.

    A model of your own is imported.

    Raises: InputError: another version wrote it, or its model cannot be imported here.
    """
    try:
        space = Space.model_validate(record.space)
    except ValidationError as error:
        problem = f"its space cannot be read by this version: {error.errors()[0]['msg']}"
        raise input_error(record.search, problem, "run the search again") from None
    for model in space.models:
        try:
            import_model(model)
        except InputError as error:
            file = record.model_files.get(model)
            was = f"; its code was in {file}" if file else ""
            raise InputError(
                replace(fault, where=record.search, key="", problem=f"{fault.problem}{was}")
                for fault in error.faults
            ) from None
    return space


def earlier_runs(root: Path, name: str) -> Earlier:
    """Return what a search of the store has done so far.

    Raises: InputError: no such search, it is being written, or it kept no list of proposals.
    """
    record = read_search(root, name)
    if record.trained_elsewhere:
        fix = "its clients continue it, at the service"
        raise input_error("resume", f"{name!r} is trained elsewhere", fix)
    if writer := writer_of(root, name):
        fix = "wait until it ends, or end it with Ctrl-C"
        raise input_error("resume", f"{name!r} is still being written by {writer}", fix)
    if record.confirms:
        fix = f"confirm {record.confirms.search} again: that continues it"
        raise input_error("resume", f"{name!r} is a confirmation", fix)
    if record.scheduler == "pbt":
        problem = f"{name!r} is a population, and how far each of its trials was is not stored"
        raise input_error("resume", problem, "run the search again under another name")
    bring_states(root, name)
    return earlier_of(root, name, record)


def earlier_of(root: Path, name: str, record: SearchRecord) -> Earlier:
    """Return what a search has done so far; if it is running, it may do more meanwhile."""
    rows = list(_numbered(name, read_trials(root, search=name).to_pylist()))
    listed = read_list(root, name)
    if rows and not listed.proposals and all(row["proposed_after"] is None for row in rows):
        problem = f"{name!r} kept no list of proposals"
        fix = "run the search again under another name; what is finished is reused"
        raise input_error("resume", problem, fix)
    name_damaged(root, name, listed)
    proposals, notes = proposed(listed, rows, record)
    if len(rows) > ROW_GROUP:  # its best come first in a compacted file
        rows.sort(key=lambda row: row["finished"])
    reports: dict[str, list[Row]] = defaultdict(list)
    for report in read_reports(root, search=name).to_pylist():
        reports[report["trial"]].append(report)
    attempts = _attempts(rows)
    ended = [
        {**row, "config": json.loads(row["config"])}
        for row in rows
        if row["attempt"] == attempts[int(row["trial"])]
        and not (row["status"] == "failed" and row["attempt"] <= record.retries)
    ]
    states = saved_states(checkpoints_folder(root, name))
    kept = {one.number for one in proposals if one.config is not None}
    return Earlier(
        name=name,
        record=record,
        proposals=proposals,
        rows=ended,
        reports=reports,
        attempts=attempts,
        states={number: found for number, found in states.items() if number in kept},
        strays=tuple({state.parent for number in states.keys() - kept for state in states[number]}),
        notes=notes,
        whole=not (listed.damaged or notes),
    )


def _numbered(name: str, rows: Iterable[Row]) -> Iterator[Row]:
    """Yield the rows of trials with a number; warn of the others."""
    for row in rows:
        if number_of(row["trial"]) is not None:
            yield row
        else:
            problem = f"left out trial {row['trial']}: its name is not the number of a proposal"
            warn_skipped(name, problem, "restore the search from a copy")


def saved_states(folder: Path) -> dict[int, list[Path]]:
    """Return the states of each trial, newest first, by the trial's number; none is read.

    Args:
        folder: of the search's states, as Tune lays them out: a folder a run, in it one a trial.
            States may be removed meanwhile.

    Raises: InputError: something below it is a link, a pipe or a device.
    """
    check_tree(folder)
    found: dict[int, list[tuple[int, Path]]] = defaultdict(list)
    for state in folder.glob(f"*/*/checkpoint_*/{FILE}"):
        trial = state.parents[1].name.partition(".")[0]
        with suppress(FileNotFoundError):
            if trial.isdigit():
                found[int(trial)].append((state.stat().st_mtime_ns, state.parent))
    return {
        number: [state for _, state in sorted(states, reverse=True)]
        for number, states in found.items()
    }


def newest_whole(states: Iterable[Path]) -> Path | None:
    """Return the first of these states that is whole; None if none is.

    One that was being written when its process was killed is passed over for an older one. One that
    has come from another node is compared with what was sealed there.
    """
    return next(filter(_is_whole, states), None)


def _is_whole(state: Path) -> bool:
    if not (state / LIST).exists():
        return is_whole(state)
    try:
        return check_sealed(state, "saved state").is_dir()
    except (InputError, OSError):  # damaged, or removed meanwhile
        return False


def _attempts(rows: Iterable[Row]) -> dict[int, int]:
    """Return how many attempts at each trial have a row, by its number."""
    found: dict[int, int] = {}
    for row in rows:
        number = int(row["trial"])
        found[number] = max(row["attempt"], found.get(number, 0))
    return found


def check_unchanged(earlier: Earlier, root: Path) -> None:
    """Check that nobody has continued the search since it was read; call it with the lock held.

    The record tells, because a run writes itself into the record before it does anything else.

    Raises: InputError: another process has.
    """
    if read_search(root, earlier.name) != earlier.record:
        problem = f"{earlier.name!r} was continued by another process meanwhile"
        raise input_error("resume", problem, "resume it again")


def differences(earlier: Earlier, plan: Plan, data: Dataset) -> list[str]:
    """Return a line for each difference that makes this another search than the earlier one."""
    recorded = earlier.record
    spaces = (earlier.space, plan.space)
    was, now = (space.model_dump(mode="json", exclude=_FREE) for space in spaces)
    found = [
        f"space, {key}: was {was.get(key)}, is {now.get(key)}"
        for key in sorted({*was, *now})
        if was.get(key) != now.get(key)
    ]
    for what, old, new in (
        ("device", recorded.device, plan.device),
        ("images", recorded.data_hash, data.content_hash),
        ("split", recorded.split, data.split),
        ("code that can change a result", recorded.code_hash, code_hash_of(plan.space.models)),
    ):
        if old != new:
            found.append(f"{what}: was {old}, is {new}")
    return found


def replay(proposals: Proposals, earlier: Earlier) -> tuple[list[Proposal], int]:
    """Bring a fresh sampler to the state that the earlier runs left.

    Args:
        proposals: fresh, of the same space.
        earlier: what was proposed, and the results.
    Returns: all proposals again, with another one for each that the store has lost, and how many
        the sampler made by itself.
    """
    told = reproduced = 0
    found = []
    kept = {config_key(one.config) for one in earlier.proposals if one.config is not None}
    for one in earlier.proposals:
        while told < min(one.seen, len(earlier.rows)):
            _tell(proposals, earlier, told)
            told += 1
        if one.config is None:
            instead = proposals.in_place_of(one.number, kept)
            found += [instead] if instead else []
            continue
        proposal, by_itself = proposals.again(one.number, one.config)
        found.append(proposal)
        reproduced += by_itself
    for index in range(told, len(earlier.rows)):
        _tell(proposals, earlier, index)
    return found, reproduced


def _tell(proposals: Proposals, earlier: Earlier, index: int) -> None:
    past = earlier.past(earlier.rows[index])
    proposals.tell_past(int(past.row["trial"]), past.row, past.reports)
