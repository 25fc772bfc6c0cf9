"""Where the store's files are, what their names promise, and which of them count.

    <root>/trials/search=<id>/00000000-00000255.best-0.985-in-12.5s.parquet   trials 0 to 255
    <root>/trials/search=<id>/00000256-00000256.best-0.91-in-7.25s.parquet    trial 256 alone
    <root>/reports/search=<id>/00000000-00000255.parquet                      their measurements
    <root>/searches/<id>.json                                                 the record
    <root>/searches/<id>.proposals.jsonl           the sampler's proposals, in order
    <root>/.checkpoints/<id>/                      saved states of running trials
    <root>/.writers/<id>/                          a writer's lock and its half-written file
    <root>/.quarantine/<id>/trials-<name>          a torn file that the search's writer found

A file never changes. A search numbers its trials 0, 1, 2, ... in the order in which they finish,
and a file's name says which of them it holds. So a merge does not have to swap many files
atomically: the merged file is renamed into place, and from then on it covers every file whose
numbers lie within its own, whether or not that file still exists. Readers that use `live_files`
never see a row twice.

The name of a file of trials also promises its best validation accuracy and wall time. So a
leaderboard over a thousand searches opens only the few files that may hold a top trial (`top.py`).

Half-written files are kept outside `trials/` and `reports/`, because DuckDB's `*` matches hidden
names.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

RowKind = Literal["trials", "reports"]
ROW_KINDS: tuple[RowKind, ...] = ("reports", "trials")
"""In the order of writing, so that a visible trial has its measurements."""

# First and last trial, then the best accuracy and wall time if they are known.
_NAME = re.compile(r"(\d{8,})-(\d{8,})(?:\.best-(\d[0-9.e-]*)-in-(inf|\d[0-9.e+-]*)s)?\.parquet")


def rows_folder(root: Path, kind: RowKind, search: str) -> Path:
    """Return the folder of a search's Parquet files, named as Hive does, which readers know."""
    return root / kind / f"search={search}"


def records_folder(root: Path) -> Path:
    """Return the folder of all records; if it is missing, there is no store."""
    return root / "searches"


def record_file(root: Path, search: str) -> Path:
    """Return the file of a search's record."""
    return records_folder(root) / f"{search}.json"


def proposals_file(root: Path, search: str) -> Path:
    """Return the file of the proposals of a search's sampler."""
    return records_folder(root) / f"{search}.proposals.jsonl"


def checkpoints_folder(root: Path, search: str) -> Path:
    """Return the folder where a search's trials save their states, to resume from."""
    return root / ".checkpoints" / search


def writers_folder(root: Path) -> Path:
    """Return the folder that holds one folder per writer."""
    return root / ".writers"


def writer_folder(root: Path, search: str) -> Path:
    """Return the folder of a writer's lock and half-written files."""
    return writers_folder(root) / search


def quarantine_folder(root: Path, search: str) -> Path:
    """Return the folder for torn and foreign files found among a search's files."""
    return root / ".quarantine" / search


def file_name(first: int, last: int, best: tuple[float, float] | None = None) -> str:
    """Return the name of the file that holds the trials numbered first to last.

    Args:
        first: number of the first trial.
        last: number of the last trial.
        best: an accuracy in [0, 1] and a wall time >= 0, possibly infinite, that no trial of the
            file beats; None if unknown.
    """
    known = f".best-{best[0]!r}-in-{best[1]!r}s" if best else ""
    return f"{first:08d}-{last:08d}{known}.parquet"


def numbers(name: str) -> tuple[int, int] | None:
    """Return the first and last trial number of a file, None if the name is not ours."""
    match = _NAME.fullmatch(name)
    return (int(match[1]), int(match[2])) if match else None


def promise(name: str) -> tuple[float, float] | None:
    """Return the accuracy and wall time that no trial of a file beats, None if unknown."""
    match = _NAME.fullmatch(name)
    return (float(match[3]), float(match[4])) if match and match[3] else None


def merged_name(names: Sequence[str]) -> str:
    """Return the name of the file that replaces these, which are ours and in order."""
    spans = [span for name in names if (span := numbers(name))]
    known = [best for name in names if (best := promise(name))]
    best = min(known, key=lambda best: (-best[0], best[1])) if len(known) == len(names) else None
    return file_name(spans[0][0], spans[-1][1], best)


def live_files(folder: Path) -> list[Path]:
    """Return the Parquet files to read, oldest trial first; none if the folder is missing.

    Listing a folder is not atomic: during a merge it can miss both the new file and the old ones
    already removed. Then the trial numbers have a gap, and we list again until the gap is gone or
    two listings agree (someone removed a file for good).
    """
    before: set[str] | None = None
    while True:
        names = _parquet_names(folder)
        live = sorted(names - covered(names))
        if names == before or _without_gap(live):
            return [folder / name for name in live]
        before = names


def covered(names: set[str]) -> set[str]:
    """Return the names of files whose trials are all in a larger file of the same folder."""
    ranges = {name: span for name in names if (span := numbers(name))}
    inside: set[str] = set()
    reach = -1
    for name in sorted(ranges, key=lambda name: (ranges[name][0], -ranges[name][1])):
        if ranges[name][1] <= reach:
            inside.add(name)
        reach = max(reach, ranges[name][1])
    return inside


def _parquet_names(folder: Path) -> set[str]:
    try:
        names = [file.name for file in folder.iterdir()]
    except FileNotFoundError:
        return set()
    return {name for name in names if name.endswith(".parquet") and name[0] not in "._"}


def _without_gap(live: list[str]) -> bool:
    """Return whether the files hold trials 0, 1, 2, ...; False for an empty list."""
    spans = [span for name in live if (span := numbers(name))]
    expected = 0
    for first, last in spans:
        if first != expected:
            return False
        expected = last + 1
    return bool(spans)
