"""Where the store's files lie, what their names say, and which of them count.

    <root>/trials/search=<id>/00000000-00000255.best-0.985-in-12.5s.parquet   trials 0 to 255
    <root>/trials/search=<id>/00000256-00000256.best-0.91-in-7.25s.parquet    trial 256 alone
    <root>/reports/search=<id>/00000000-00000255.parquet                      their reports
    <root>/searches/<id>.json                                                 the plan
    <root>/searches/<id>.proposals.jsonl           what its sampler proposed, in order
    <root>/.checkpoints/<id>/                      states of the trials that run
    <root>/.writers/<id>/                          a writer's lock and its half-written file
    <root>/.quarantine/<id>/trials-<name>          a torn file that a writer of the search found

A file never changes. A search numbers its trials 0, 1, 2, ... in the order they finish, and a
file's name says which of them it holds. So a merge needs no atomic swap of many files: the merged
file is renamed into place, and from that instant it covers the files whose numbers lie inside its
own, whether they are still there or not. Readers that use `live_files` never see a row twice.

The name of a file of trials also says the best of them: validation accuracy and wall time. So the
leaderboard of a thousand searches opens those few whose promise is good enough (`top.py`).

Half-written files lie outside `trials/` and `reports/` because DuckDB's `*` matches hidden names.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

Kind = Literal["trials", "reports"]
KINDS: tuple[Kind, ...] = ("reports", "trials")  # reports first: a visible trial has its reports

# First and last trial; the best of them, where it is known.
_NAME = re.compile(r"(\d{8,})-(\d{8,})(?:\.best-(\d[0-9.e-]*)-in-(inf|\d[0-9.e+-]*)s)?\.parquet")


def rows_folder(root: Path, kind: Kind, search: str) -> Path:
    """Return the folder of a search's Parquet files, in the Hive naming all readers know."""
    return root / kind / f"search={search}"


def plans_folder(root: Path) -> Path:
    """Return the folder of all plans; where it is missing there is no store."""
    return root / "searches"


def plan_file(root: Path, search: str) -> Path:
    """Return the file of a search's plan."""
    return plans_folder(root) / f"{search}.json"


def proposals_file(root: Path, search: str) -> Path:
    """Return the file of what a search's sampler proposed."""
    return plans_folder(root) / f"{search}.proposals.jsonl"


def checkpoints_folder(root: Path, search: str) -> Path:
    """Return the folder of the states that a search's trials save, to be gone on from."""
    return root / ".checkpoints" / search


def writers_folder(root: Path) -> Path:
    """Return the folder that has one folder a living writer."""
    return root / ".writers"


def writer_folder(root: Path, search: str) -> Path:
    """Return the folder of the lock and the half-written files of a search's writer."""
    return writers_folder(root) / search


def quarantine_folder(root: Path, search: str) -> Path:
    """Return the folder of the torn and foreign files that were among a search's."""
    return root / ".quarantine" / search


def file_name(first: int, last: int, best: tuple[float, float] | None = None) -> str:
    """Return the name of the file that holds the trials numbered first to last.

    Args:
        first: number of the first trial.
        last: number of the last trial.
        best: accuracy in [0, 1] and wall time >= 0, which may be infinite, that none of them
            beats; None: not known.
    """
    known = f".best-{best[0]!r}-in-{best[1]!r}s" if best else ""
    return f"{first:08d}-{last:08d}{known}.parquet"


def numbers(name: str) -> tuple[int, int] | None:
    """Return first and last trial number of a file, or None where the name is not ours."""
    match = _NAME.fullmatch(name)
    return (int(match[1]), int(match[2])) if match else None


def promise(name: str) -> tuple[float, float] | None:
    """Return accuracy and wall time that no trial of a file beats, or None if not known."""
    match = _NAME.fullmatch(name)
    return (float(match[3]), float(match[4])) if match and match[3] else None


def merged_name(names: Sequence[str]) -> str:
    """Return the name of the file that takes the place of these, which are ours and in order."""
    spans = [span for name in names if (span := numbers(name))]
    known = [best for name in names if (best := promise(name))]
    best = min(known, key=lambda best: (-best[0], best[1])) if len(known) == len(names) else None
    return file_name(spans[0][0], spans[-1][1], best)


def live_files(folder: Path) -> list[Path]:
    """Return the Parquet files to read, oldest trial first; none where the folder is missing.

    Listing a folder is not atomic: while a merge runs it can miss the new file and the old ones
    that left. Then the trial numbers have a hole, and we list again, until they have none or two
    listings agree (somebody took a file away for good).
    """
    before: set[str] | None = None
    while True:
        names = _parquet_names(folder)
        live = sorted(names - covered(names))
        if names == before or _without_hole(live):
            return [folder / name for name in live]
        before = names


def covered(names: set[str]) -> set[str]:
    """Return those names whose trials are all in another, larger file of the same folder."""
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


def _without_hole(live: list[str]) -> bool:
    """Say whether the files hold trials 0, 1, 2, ...; an empty listing proves nothing."""
    spans = [span for name in live if (span := numbers(name))]
    expected = 0
    for first, last in spans:
        if first != expected:
            return False
        expected = last + 1
    return bool(spans)
