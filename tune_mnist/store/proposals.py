"""The proposals of a search's sampler: one JSON object per line, in the order of proposal.

This is the only file of the store that grows in place: a proposal must be safe before its trial
starts, and this way it costs one write and one fsync. A kill or a full disk can tear the last
line; readers ignore a torn line, and the next writer cuts it off.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tune_mnist.errors import warn_skipped
from tune_mnist.store.layout import proposals_file


def read_proposals(root: Path, search: str) -> list[dict[str, Any]]:
    """Return the proposals of a search, oldest first; an empty list if there are none.

    A torn last line is ignored. Any other line that is not a JSON object is left out, with a
    warning.
    """
    file = proposals_file(root, search)
    try:
        lines = file.read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    found: list[dict[str, Any]] = []
    for number, line in enumerate(
        lines[:-1], start=1
    ):  # what follows the last newline is empty or torn
        try:
            proposal = json.loads(line)
            if not isinstance(proposal, dict):
                raise ValueError("not an object")
        except (ValueError, RecursionError) as error:
            warn_skipped(file, f"line {number} is not a JSON object ({error})", "remove the line")
            continue
        found.append(proposal)
    return found


def append_line(file: Path, proposal: Mapping[str, Any]) -> None:
    """Append one proposal, whole or not at all, and safe from a power cut on return.

    Raises: ValueError: it cannot be written as JSON.
    """
    line = json.dumps(proposal, allow_nan=False).encode() + b"\n"
    is_new = not file.exists()
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
    try:
        end = _end_of_last_line(descriptor)
        os.ftruncate(descriptor, end)
        try:
            if os.write(descriptor, line) < len(
                line
            ):  # only a part was written: write again to learn why
                os.write(descriptor, line)
                raise OSError(f"{file} was written only in part")
            os.fsync(descriptor)
        except OSError:
            os.ftruncate(descriptor, end)
            raise
    finally:
        os.close(descriptor)
    if is_new:
        sync_folder(file.parent)


def sync_folder(folder: Path) -> None:
    """Make new, renamed and removed files of the folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _end_of_last_line(descriptor: int) -> int:
    """Return the size of the file without a torn last line."""
    size = os.fstat(descriptor).st_size
    if not size or os.pread(descriptor, 1, size - 1) == b"\n":
        return size
    return os.pread(descriptor, size, 0).rfind(b"\n") + 1
