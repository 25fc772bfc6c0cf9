"""A sealed folder goes from one node of a cluster to another, in pieces, through Ray."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from tune_mnist.store.files.sealing import LIST, check_sealed, listed_files, seal

PIECE = 2**24
"""Bytes that travel at once: what a node's object store has to hold, however large the file."""

PIECE_WITHIN_S = 120.0
"""The first piece may have to wait for a process that starts on the other node."""


def carry(folder: Path, node: str, target: Path, what: str) -> None:
    """Bring a folder from a node to here, and check that it has arrived as it was sealed there.

    A folder that is not sealed yet is sealed there: in a process of its own, so that the trial that
    wrote it trains on meanwhile.

    Args:
        folder: on that node; its files stay as they are.
        node: Ray's id of it.
        target: made here.
        what: it is, for an error: "saved model".

    Raises: InputError: it is damaged. OSError: it is gone, or the disk here refuses it. Errors of
        Ray: the node has died, or takes too long.
    """
    there: dict[str, Any] = {
        "scheduling_strategy": NodeAffinitySchedulingStrategy(node, soft=False)
    }
    target.mkdir(parents=True)
    listed = _asked(_list_of.options(**there).remote(folder))
    (target / LIST).write_bytes(listed)
    for file in listed_files(target, what):
        with (target / file.name).open("wb") as arriving:
            for start in range(0, file.bytes, PIECE):
                piece = _piece_of.options(**there).remote(folder / file.name, start)
                arriving.write(_asked(piece))
    check_sealed(target, what)


def _asked(answer: Any) -> bytes:
    found: bytes = ray.get(answer, timeout=PIECE_WITHIN_S)
    return found


@ray.remote(num_cpus=0, max_retries=0)
def _list_of(folder: Path) -> bytes:
    if not (folder / LIST).exists():
        seal(folder)
    return (folder / LIST).read_bytes()


@ray.remote(num_cpus=0, max_retries=0)
def _piece_of(file: Path, start: int) -> bytes:
    with file.open("rb") as content:
        content.seek(start)
        return content.read(PIECE)
