"""The proposals of a search's sampler: one JSON object per line.

A proposal is known by its number, never by its place in the file, and each line has a checksum of
its own. A line whose bits have changed is left out and named; no other proposal's number shifts.

This is the only file of the store that grows in place: a proposal must be safe before its trial
starts, and this way it costs one write and one fsync. A kill or a full disk can tear the last
line; readers ignore a torn line, and the next writer cuts it off. On an object store nothing grows
in place: there the list is a folder of pieces, named and merged as the rows are (`layout.py`).
"""

from __future__ import annotations

import json
import os
import re
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeGuard

from tune_mnist.errors import input_error, warn_skipped
from tune_mnist.store.layout import live_files, proposals_file, proposals_folder, retried

_MOST_BYTES = 2**28  # a million proposals
_NUMBER = re.compile("[0-9]{1,6}")
_MOST = 10**6  # a larger number would be damage, and to fill the gap up to it would take for ever

CHECKSUM = "checksum"
"""The key of a JSON object that holds the checksum of all its other keys."""


@dataclass(frozen=True)
class Proposal:
    """One configuration to try.

    Args:
        number: 0, 1, ... in the order of proposal.
        config: its hyperparameters.
        seen: how many finished trials the sampler knew by then, in the order of their rows.
    """

    number: int
    config: dict[str, Any]
    seen: int


@dataclass(frozen=True)
class ProposalList:
    """What the file of a search holds.

    Args:
        proposals: in the order of their numbers.
        damaged: what is wrong with each other line: "line 4 differs from its checksum".
        unsealed: numbers whose lines have no checksum: an earlier version wrote them.
    """

    proposals: tuple[Proposal, ...]
    damaged: tuple[str, ...] = ()
    unsealed: frozenset[int] = frozenset()


def number_of(trial: str) -> int | None:
    """Return the number of a trial's proposal by its id; None if no search of ours gave that id."""
    return int(trial) if _NUMBER.fullmatch(trial) else None


def read_list(root: Path, search: str) -> ProposalList:
    """Return what the list of a search holds, damage included; nothing is warned of.

    A torn last line is ignored.

    Raises: InputError: the file cannot be read, or is too large to be a list of ours.
    """
    lines = _content(root, search).split(b"\n")
    found: dict[int, Proposal] = {}
    damaged: list[str] = []
    unsealed: set[int] = set()
    for index, line in enumerate(lines[:-1]):  # after the last newline, it is empty or torn
        try:
            proposal, is_sealed = _read_line(line, index)
            if proposal.number in found:
                raise ValueError(f"proposes number {proposal.number} a second time")
        except (ValueError, RecursionError) as error:
            damaged.append(f"line {index + 1} {error}")
            continue
        found[proposal.number] = proposal
        if not is_sealed:
            unsealed.add(proposal.number)
    in_order = tuple(found[number] for number in sorted(found))
    return ProposalList(in_order, tuple(damaged), frozenset(unsealed))


def _content(root: Path, search: str) -> bytes:
    """Return all lines of the list: of its file, then of its pieces, which an object store has."""
    file = proposals_file(root, search)

    def read() -> bytes:
        pieces = live_files(proposals_folder(root, search), ".jsonl")
        files = [file, *pieces] if file.exists() else pieces
        if sum(file.stat().st_size for file in files) > _MOST_BYTES:
            fix = "restore it from a copy"
            raise input_error(file, f"is larger than {_MOST_BYTES / 2**20:g} MiB", fix)
        return b"".join(file.read_bytes() for file in files)

    try:
        return retried(read)
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
        raise input_error(file, problem, "make it readable, or restore it") from error


def name_damaged(root: Path, search: str, listed: ProposalList) -> None:
    """Warn of each line that was left out."""
    for problem in listed.damaged:
        warn_skipped(proposals_file(root, search), problem, "a resumed search repairs it")


def line_of(proposal: Proposal) -> bytes:
    """Return a proposal as its line. Raises: ValueError: it cannot be written as JSON."""
    return json.dumps(sealed(asdict(proposal)), allow_nan=False).encode() + b"\n"


def append_line(file: Path, proposal: Proposal) -> None:
    """Append one proposal, whole or not at all, and safe from a power cut on return.

    Raises: ValueError: it cannot be written as JSON.
    """
    line = line_of(proposal)
    is_new = not file.exists()
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
    try:
        end = _end_of_last_line(descriptor)
        os.ftruncate(descriptor, end)
        try:
            if os.write(descriptor, line) < len(line):  # write again to learn why
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


def sealed(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return a JSON object with its checksum as the last key."""
    return {**content, CHECKSUM: _checksum(content)}


def unsealed(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return a JSON object without its checksum; an earlier version wrote none.

    Raises: ValueError: it is not what was written.
    """
    rest = {key: value for key, value in content.items() if key != CHECKSUM}
    if CHECKSUM in content and content[CHECKSUM] != _checksum(rest):
        raise ValueError("differs from its checksum")
    return rest


def _checksum(content: Mapping[str, Any]) -> str:
    return f"{zlib.crc32(json.dumps(content, sort_keys=True).encode()):08x}"


def _read_line(line: bytes, index: int) -> tuple[Proposal, bool]:
    """Return a line's proposal, and whether it has a checksum.

    Raises: ValueError: it is not what was written.
    """
    content = _object(line)
    rest = unsealed(content)
    number, config, seen = rest.get("number"), rest.get("config"), rest.get("seen")
    is_sealed = CHECKSUM in content
    if not is_sealed and (len(rest) > 3 or number != index):
        raise ValueError(f"is not proposal {index}, and has no checksum")
    if not (_is_count(number) and number < _MOST and isinstance(config, dict) and _is_count(seen)):
        raise ValueError("is not a proposal")
    return Proposal(number, config, seen), is_sealed


def _object(line: bytes) -> dict[str, Any]:
    try:
        content = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"is not a JSON object ({error})") from error
    if not isinstance(content, dict):
        raise ValueError("is not a JSON object")
    return content


def _is_count(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _end_of_last_line(descriptor: int) -> int:
    """Return the size of the file without a torn last line."""
    size = os.fstat(descriptor).st_size
    if not size or os.pread(descriptor, 1, size - 1) == b"\n":
        return size
    return os.pread(descriptor, size, 0).rfind(b"\n") + 1
