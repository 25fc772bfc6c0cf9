"""A search's writer moves torn and foreign files away and warns of them; it deletes none.

Such files come from a disk that lost power or an interrupted copy. Their trials are lost, so a
resumed search runs them again. The measurements of those trials are moved too; otherwise they
would be there twice.
"""

from __future__ import annotations

from pathlib import Path

from tune_mnist.errors import warn_skipped
from tune_mnist.store.catalog import ForeignFilesError, foreign_files, stored_schema
from tune_mnist.store.files.folder import Folder
from tune_mnist.store.layout import ROW_KINDS, RowKind, live_files, numbers, rows_folder
from tune_mnist.store.schema import DECLARED


def quarantine_unreadable(files: Folder) -> None:
    """Move away the search's files whose columns cannot be read."""
    for kind in ROW_KINDS:
        try:
            stored_schema(kind, live_files(rows_folder(files.root, kind, files.search)))
        except ForeignFilesError as error:
            quarantine(files, kind, error.found)


def quarantine_torn(files: Folder) -> None:
    """Move away the search's files that hold no rows of ours; slow, because it reads them whole."""
    for kind in ROW_KINDS:
        listed = live_files(rows_folder(files.root, kind, files.search))
        quarantine(files, kind, foreign_files(kind, listed, DECLARED[kind]))


def quarantine(files: Folder, kind: RowKind, found: dict[Path, str]) -> None:
    """Move these files away, and the measurements of trials that are in no other file."""
    for file, problem in found.items():
        target = files.set_aside(file, f"{kind}-{file.name}")
        fix = "a resumed search runs its trials again"
        warn_skipped(file, f"{problem}; moved to {target}", fix)
        span = numbers(file.name) if kind == "trials" else None
        reports = rows_folder(files.root, "reports", files.search)
        for measured in live_files(reports) if span else []:
            if numbers(measured.name) == span:
                files.set_aside(measured, f"reports-{measured.name}")
