"""What the searches of a store are doing, and whether what it says of them can be true."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from tune_mnist.searching.history.contradictions import contradictions
from tune_mnist.searching.history.resume import earlier_of
from tune_mnist.searching.history.resume import replay as propose_again
from tune_mnist.searching.proposing.proposals import Proposals
from tune_mnist.store.files.place import writer_of
from tune_mnist.store.plans import SearchRecord, read_search, read_searches
from tune_mnist.store.reader import list_searches, read_trials


@dataclass(frozen=True)
class SearchStatus:
    """What a search of the store is doing.

    Args:
        search: its name.
        state: "running (who writes or trains it)", "interrupted", "done" or "done (what ended it)".
        finished: trials that have ended.
        record: all that is stored of it.
    """

    search: str
    state: str
    finished: int
    record: SearchRecord


def status(results: Path) -> list[SearchStatus]:
    """Return what each search of a store is doing, sorted by name.

    Raises: InputError: there is no store.
    """
    records = read_searches(results)
    rows = read_trials(results, columns=["search", "trial"])  # one read, however many searches
    finished = _trials_of(rows)
    return [
        _status(results, name, record, finished.get(name, 0)) for name, record in records.items()
    ]


def _trials_of(rows: pa.Table) -> dict[str, int]:
    """Return how many trials each search has; one that was tried again has several rows."""
    counts = rows.group_by("search").aggregate([("trial", "count_distinct")])
    names, numbers = counts["search"].to_pylist(), counts["trial_count_distinct"].to_pylist()
    return dict(zip(names, numbers, strict=True))


def _status(results: Path, name: str, record: SearchRecord, finished: int) -> SearchStatus:
    ended = record.ended
    if record.trained_elsewhere and ended is None:
        state = "running (trained elsewhere)"
    elif writer := writer_of(results, name):
        state = f"running ({writer})"
    elif ended is None:
        state = "interrupted"
    else:
        state = "done" if ended.reason == "done" else f"done ({ended.reason})"
    return SearchStatus(name, state, finished, record)


@dataclass(frozen=True)
class Checked:
    """What a check of a store found.

    Args:
        searches: how many were checked.
        trials: how many trials they have.
        contradictions: a line each, which begins with the search's name.
    """

    searches: int
    trials: int
    contradictions: tuple[str, ...]


def check(results: Path) -> Checked:
    """Hold each search's proposals against its trials: each proposed once, each finished once.

    Raises: InputError: there is no store.
    """
    names = list_searches(results)
    found = {name: contradictions(results, name) for name in names}
    lines = (f"{name}: {line}" for name, (of_one, _) in found.items() for line in of_one)
    return Checked(len(names), sum(trials for _, trials in found.values()), tuple(lines))


@dataclass(frozen=True)
class Replayed:
    """How many of a search's proposals a fresh sampler made again."""

    reproduced: int
    proposals: int


def replay(results: Path, search: str) -> Replayed:
    """Run a fresh sampler on a search's stored results and count the proposals that match.

    Raises: InputError: no such search, or it kept no list of proposals.
    """
    earlier = earlier_of(results, search, read_search(results, search))
    space, device = earlier.sampled(earlier.space), earlier.record.device
    proposals = Proposals(space, device, earlier.first, earlier.observed)
    again, reproduced = propose_again(proposals, earlier)
    return Replayed(reproduced, len(again))
