"""Torn and foreign files of a search, moved out of sight by its writer and named; none is deleted.

A disk that lost power or a copy that was cut off leaves them. Their trials are gone, so a resumed
search runs those again; the reports of such trials go with them, or they would be there twice.
"""

from __future__ import annotations

from pathlib import Path

from tune_mnist.errors import warn_skipped
from tune_mnist.store.catalog import DECLARED, ForeignFilesError, foreign_files, stored_schema
from tune_mnist.store.layout import KINDS, Kind, live_files, numbers, quarantine_folder, rows_folder


def quarantine_unreadable(root: Path, search: str) -> None:
    """Move away the files of a search of which not even the columns can be read."""
    for kind in KINDS:
        try:
            stored_schema(kind, live_files(rows_folder(root, kind, search)))
        except ForeignFilesError as error:
            quarantine(root, search, kind, error.found)


def quarantine_torn(root: Path, search: str) -> None:
    """Move away the files of a search that hold no rows of ours; slow, it reads them whole."""
    for kind in KINDS:
        files = live_files(rows_folder(root, kind, search))
        quarantine(root, search, kind, foreign_files(kind, files, DECLARED[kind]))


def quarantine(root: Path, search: str, kind: Kind, found: dict[Path, str]) -> None:
    """Move these files away, and the reports of trials that are in no other file."""
    folder = quarantine_folder(root, search)
    for file, problem in found.items():
        target = _move(folder, kind, file)
        fix = "what it held is run again by `resume`"
        warn_skipped(file, f"{problem}; moved to {target}", fix)
        span = numbers(file.name) if kind == "trials" else None
        for reports in live_files(rows_folder(root, "reports", search)) if span else []:
            if numbers(reports.name) == span:
                _move(folder, "reports", reports)


def _move(folder: Path, kind: Kind, file: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{kind}-{file.name}"
    count = 1
    while target.exists():
        count += 1
        target = folder / f"{kind}-{file.name}.{count}"
    return file.rename(target)
