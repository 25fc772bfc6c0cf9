"""Where the store's files are, what their names promise, and which of them count.

    <root>/trials/search=<id>/00000000-00000255.best-0.985-in-12.5s.parquet   trials 0 to 255
    <root>/trials/search=<id>/00000256-00000256.best-0.91-in-7.25s.parquet    trial 256 alone
    <root>/reports/search=<id>/00000000-00000255.parquet                      their measurements
    <root>/searches/<id>.json                                                 the record
    <root>/searches/<id>.proposals.jsonl           the sampler's proposals, in order
    <root>/searches/<id>.proposals/00000000-00000063.jsonl    the same, on an object store
    <root>/models/search=<id>/<trial>/             saved models of the best trials
    <root>/.models/<id>/                           models that may still come there
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

Nothing below the root is followed. Git carries symbolic links: if `.writers` were one to your home
folder, tidying it would empty your home. So each path is made by `below`, which refuses links,
pipes and devices anywhere on the way. The root itself may be a link: you named it.

Half-written files are kept outside `trials/` and `reports/`, because DuckDB's `*` matches hidden
names.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from time import monotonic
from typing import Literal, TypeVar

from tune_mnist.errors import input_error, warn_skipped
from tune_mnist.wording import is_unicode

RowKind = Literal["trials", "reports"]
ROW_KINDS: tuple[RowKind, ...] = ("reports", "trials")
"""In the order of writing, so that a visible trial has its measurements."""

# First and last trial, then the best accuracy and wall time if they are known.
_FLOAT = r"\d{1,20}(?:\.\d{1,40})?(?:e[+-]?\d{1,3})?"
_NAME = re.compile(
    rf"(\d{{8,18}})-(\d{{8,18}})(?:\.best-({_FLOAT})-in-(inf|{_FLOAT})s)?\.(?:parquet|jsonl)"
)
LONGEST_NAME = 100
_PATIENCE_S = 60.0

Result = TypeVar("Result")
_SEARCH = re.compile(rf"[A-Za-z][A-Za-z0-9._-]{{0,{LONGEST_NAME - 1}}}")
_TRIAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_DATES = ("epoch", "infinity")  # DuckDB reads a folder of this name as a date


def below(root: Path, *parts: str) -> Path:
    """Return a path below the root; it need not exist.

    Raises: InputError: a part of it is neither a folder nor a regular file.
    """
    path = root
    for part in parts:
        path = path / part
        if problem := not_ours(path):
            raise input_error(path, problem, "the store is not used with it; remove it")
    return path


def not_ours(path: Path) -> str | None:
    """Return what a file is if it is neither a folder nor a regular file, nor missing."""
    try:
        mode = os.lstat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    if stat.S_ISLNK(mode):
        return "is a symbolic link, and these are not followed"
    return None if stat.S_ISDIR(mode) or stat.S_ISREG(mode) else "is neither a file nor a folder"


def check_tree(folder: Path) -> None:
    """Raise InputError if anything below a folder is neither a folder nor a regular file."""
    for path in _tree(folder):
        if problem := not_ours(path):
            raise input_error(path, problem, "the store is not used with it; remove it")


def _tree(folder: Path) -> Iterator[Path]:
    for inside, folders, files in os.walk(folder):  # does not follow links
        for name in (*folders, *files):
            yield Path(inside, name)


def is_search_name(name: str) -> bool:
    """Return whether a name is safe in a path, and every reader reads it as text."""
    return _SEARCH.fullmatch(name) is not None and name.lower() not in _DATES


def is_trial_name(name: str) -> bool:
    """Return whether a trial's name is safe in a path."""
    return _TRIAL.fullmatch(name) is not None


def kind_folder(root: Path, kind: RowKind) -> Path:
    """Return the folder that has one folder of Parquet files for each search."""
    return below(root, kind)


def rows_folder(root: Path, kind: RowKind, search: str) -> Path:
    """Return the folder of a search's Parquet files, named as Hive does, which readers know."""
    return below(root, kind, f"search={search}")


def records_folder(root: Path) -> Path:
    """Return the folder of all records; if it is missing, there is no store."""
    return below(root, "searches")


def record_file(root: Path, search: str) -> Path:
    """Return the file of a search's record."""
    return below(root, "searches", f"{search}.json")


def proposals_file(root: Path, search: str) -> Path:
    """Return the file of the proposals of a search's sampler."""
    return below(root, "searches", f"{search}.proposals.jsonl")


def proposals_folder(root: Path, search: str) -> Path:
    """Return the folder of the same on an object store, where no file grows in place."""
    return below(root, "searches", f"{search}.proposals")


def checkpoints_folder(root: Path, search: str) -> Path:
    """Return the folder where a search's trials save their states, to resume from."""
    return below(root, ".checkpoints", search)


def models_folder(root: Path, search: str) -> Path:
    """Return the folder of a search's saved models, one folder each."""
    return below(root, "models", f"search={search}")


def model_folder(root: Path, search: str, trial: str) -> Path:
    """Return the folder of a trial's saved model.

    Raises: InputError: the trial's name is not safe in a path.
    """
    if not is_trial_name(trial):
        fix = "name one of its trials, for example 00012"
        raise input_error("`trial`", f"{trial[:100]!r} is no trial's name", fix)
    return below(root, "models", f"search={search}", trial)


def candidates_folder(root: Path, search: str) -> Path:
    """Return the folder where trials write models, which the search keeps or removes."""
    return below(root, ".models", search)


def writers_folder(root: Path) -> Path:
    """Return the folder that holds one folder per writer."""
    return below(root, ".writers")


def writer_folder(root: Path, search: str) -> Path:
    """Return the folder of a writer's lock and half-written files."""
    return below(root, ".writers", search)


def lock_file(root: Path, search: str) -> Path:
    """Return the file that a writer keeps locked."""
    return below(root, ".writers", search, "lock")


def aside_file(root: Path, search: str) -> Path:
    """Return the file that a writer has half written."""
    return below(root, ".writers", search, "aside")


def doorway_file(root: Path) -> Path:
    """Return the file that is locked while a writer opens or closes; no search has its name."""
    return below(root, ".writers", ".doorway")


def quarantine_folder(root: Path, search: str) -> Path:
    """Return the folder for torn and foreign files found among a search's files."""
    return below(root, ".quarantine", search)


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


def live_files(folder: Path, suffix: str = ".parquet") -> list[Path]:
    """Return the files to read, oldest trial first; none if the folder is missing.

    Listing a folder is not atomic: during a merge it can miss both the new file and the old ones
    already removed. Then the trial numbers have a gap, and we list again until the gap is gone or
    two listings agree (someone removed a file for good).
    """
    before: set[str] | None = None
    while True:
        names = _names(folder, suffix)
        live = sorted(names - covered(names))
        if names == before or without_gap(live):
            return [folder / name for name in live]
        before = names


def retried(read: Callable[[], Result]) -> Result:
    """Return what `read` returns; start again if a listed file has disappeared.

    An attempt fails only if a merge ends during it. On a busy machine many attempts in a row can
    fail while several searches merge, so the limit is a time, not a number of attempts.

    Raises: FileNotFoundError: after a minute, files still disappear.
    """
    deadline = monotonic() + _PATIENCE_S
    while True:
        try:
            return read()
        except FileNotFoundError:
            if monotonic() > deadline:
                raise


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


def _names(folder: Path, suffix: str) -> set[str]:
    try:
        names = [file.name for file in folder.iterdir()]
    except FileNotFoundError:
        return set()
    found = {name for name in names if name.endswith(suffix) and name[0] not in "._"}
    for name in found:
        if not is_unicode(name):  # Arrow cannot open it
            warn_skipped(folder / name, "left out: its name is not UTF-8", "rename it")
    return {name for name in found if is_unicode(name)}


def without_gap(live: Sequence[str]) -> bool:
    """Return whether the files hold trials 0, 1, 2, ...; False for an empty list."""
    spans = [span for name in live if (span := numbers(name))]
    expected = 0
    for first, last in spans:
        if first != expected:
            return False
        expected = last + 1
    return bool(spans)
