"""A search's writer moves torn and foreign files away and warns of them; it deletes none.

Such files come from a disk that lost power or an interrupted copy. Their trials are lost, so a
resumed search runs them again. The measurements of those trials are moved too; otherwise they
would be there twice.
"""

from __future__ import annotations

from pathlib import Path

from tune_mnist.errors import warn_skipped
from tune_mnist.store.catalog import ForeignFilesError, foreign_files, stored_schema
from tune_mnist.store.layout import (
    ROW_KINDS,
    RowKind,
    live_files,
    numbers,
    quarantine_folder,
    rows_folder,
)
from tune_mnist.store.schema import DECLARED


def quarantine_unreadable(root: Path, search: str) -> None:
    """Move away the search's files whose columns cannot be read."""
    for kind in ROW_KINDS:
        try:
            stored_schema(kind, live_files(rows_folder(root, kind, search)))
        except ForeignFilesError as error:
            quarantine(root, search, kind, error.found)


def quarantine_torn(root: Path, search: str) -> None:
    """Move away the search's files that hold no rows of ours; slow, because it reads them whole."""
    for kind in ROW_KINDS:
        files = live_files(rows_folder(root, kind, search))
        quarantine(root, search, kind, foreign_files(kind, files, DECLARED[kind]))


def quarantine(root: Path, search: str, kind: RowKind, found: dict[Path, str]) -> None:
    """Move these files away, and the measurements of trials that are in no other file."""
    folder = quarantine_folder(root, search)
    for file, problem in found.items():
        target = _move(folder, kind, file)
        fix = "a resumed search runs its trials again"
        warn_skipped(file, f"{problem}; moved to {target}", fix)
        span = numbers(file.name) if kind == "trials" else None
        for reports in live_files(rows_folder(root, "reports", search)) if span else []:
            if numbers(reports.name) == span:
                _move(folder, "reports", reports)


def _move(folder: Path, kind: RowKind, file: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{kind}-{file.name}"
    count = 1
    while target.exists():
        count += 1
        target = folder / f"{kind}-{file.name}.{count}"
    return file.rename(target)
