"""Whether what the store says of a search can be true: its proposals held against its rows.

Each number is proposed once, each trial finishes once, and its row has the configuration that was
proposed. Nothing is repaired here.
"""

from __future__ import annotations

import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from tune_mnist.errors import InputError, SkippedWarning
from tune_mnist.searching.observer import Row
from tune_mnist.spaces import config_key
from tune_mnist.store.plans import SearchRecord, read_search
from tune_mnist.store.proposals import Proposal, ProposalList, number_of, read_list
from tune_mnist.store.reader import read_trials

_COLUMNS = ("trial", "attempt", "status", "model", "config", "seed", "schedule", "proposed_after")
_ENDED = ("completed", "stopped")


def contradictions(root: Path, search: str) -> tuple[list[str], int]:
    """Return a line on each contradiction in a search's history, and how many trials it has.

    A file that cannot be read is one as well. The search may be running.

    Args:
        root: the store's folder.
        search: a search that has a record.
    """
    with warnings.catch_warnings(record=True) as skipped:
        warnings.simplefilter("always", SkippedWarning)
        # In this order: a running search writes a row after its proposal.
        rows = read_trials(root, search=search, columns=_COLUMNS).to_pylist()
        try:
            listed = read_list(root, search)
            record = read_search(root, search)
        except InputError as error:
            return [str(fault) for fault in error.faults], _trials(rows)
    found = [
        *(str(one.message) for one in skipped if issubclass(one.category, SkippedWarning)),
        *(f"proposals, {problem}" for problem in listed.damaged),
        *_of_rows(rows, record),
    ]
    if not record.confirms:  # a confirmation has no sampler
        found += [*_of_proposals(listed.proposals), *_between(listed, rows, record)]
    return found, _trials(rows)


def _trials(rows: Sequence[Row]) -> int:
    return len({row["trial"] for row in rows})


def _of_rows(rows: Sequence[Row], record: SearchRecord) -> Iterator[str]:
    """Yield what is wrong with the rows by themselves."""
    for (trial, attempt), count in Counter((r["trial"], r["attempt"]) for r in rows).items():
        if count > 1:
            yield f"trial {trial} has {count} rows for attempt {attempt}"
    ended: dict[str, set[int]] = defaultdict(set)
    trials: dict[tuple[str, int | None], set[str]] = defaultdict(set)
    for row in rows:
        if row["status"] in _ENDED:
            ended[row["trial"]].add(row["attempt"])
            if row["schedule"] is None:  # trials of a population may become the same
                seed = row["seed"] if record.confirms else None
                trials[config_key(record.proposed(row)), seed].add(row["trial"])
    for trial, attempts in ended.items():
        if len(attempts) > 1:
            yield f"trial {trial} finished {len(attempts)} times"
    for (config, _), several in trials.items():
        if len(several) > 1:
            yield f"trials {', '.join(sorted(several))} finished the same {config}"


def _of_proposals(proposals: Sequence[Proposal]) -> Iterator[str]:
    """Yield what is wrong with the list of proposals by itself."""
    numbers = {one.number for one in proposals}
    for number in sorted({*range(max(numbers, default=0))} - numbers):
        yield f"nothing was proposed under number {number}"
    same: dict[str, list[str]] = defaultdict(list)
    for one in proposals:
        same[config_key(one.config)].append(str(one.number))
    for config, several in same.items():
        if len(several) > 1:
            yield f"proposals {', '.join(several)} are the same {config}"


def _between(listed: ProposalList, rows: Sequence[Row], record: SearchRecord) -> Iterator[str]:
    """Yield where the rows and the list of proposals do not agree."""
    if not listed.proposals and all(row["proposed_after"] is None for row in rows):
        return  # an early version kept no list
    configs = {one.number: config_key(one.config) for one in listed.proposals}
    started = {}
    for row in rows:
        number = number_of(row["trial"])
        if number is None:
            yield f"trial {row['trial']} is not the number of a proposal"
        else:
            started[number] = row
    for number, row in sorted(started.items()):
        if number not in configs:
            yield f"trial {row['trial']} was never proposed"
        elif row["schedule"] is None:
            ran = config_key(record.proposed(row))
            if configs[number] != ran:
                yield f"trial {row['trial']} ran {ran}, but {configs[number]} was proposed"
    ended = record.ended is not None and record.ended.reason == "done"
    if ended and len(started) < (record.trials or len(configs)):
        for number in sorted(configs.keys() - started.keys()):
            yield f"the search is done, but trial {number:05d} never finished"
