"""A sealed folder goes from one node of a cluster to another, in pieces, through Ray."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from tune_mnist.store.files.sealing import LIST, check_sealed, listed_files, seal

PIECE = 2**24
"""Bytes that travel at once: what a node's object store has to hold, however large the file."""

ANSWERS_WITHIN_S = 120.0
"""A node has so many seconds to start a process of ours, and to send a piece."""


class _Sender:
    """A process on a node that reads files there. It ends with whoever has asked for it."""

    def ready(self) -> bool:
        return True

    def list_of(self, folder: Path) -> bytes:
        """Return the list of a folder's files; one that is not sealed yet is sealed."""
        if not (folder / LIST).exists():
            seal(folder)
        return (folder / LIST).read_bytes()

    def piece_of(self, file: Path, start: int) -> bytes:
        with file.open("rb") as content:
            content.seek(start)
            return content.read(PIECE)


def sender_on(node: str) -> Any:
    """Start a process that sends files from a node, and wait until it can.

    Args:
        node: Ray's id of it.

    Raises: RayError: the node has died, or takes too long.
    """
    there: Any = NodeAffinitySchedulingStrategy(node, soft=False)
    sender: Any = ray.remote(num_cpus=0)(_Sender).options(scheduling_strategy=there).remote()
    ray.get(sender.ready.remote(), timeout=ANSWERS_WITHIN_S)
    return sender


def carry(folder: Path, sender: Any, target: Path, what: str) -> None:
    """Bring a folder from a node to here, and check that it has arrived as it was sealed there.

    A folder that is not sealed yet is sealed there, by the process that sends it: the trial that
    wrote it trains on meanwhile.

    Args:
        folder: on that node; its files stay as they are.
        sender: from `sender_on`.
        target: made here.
        what: it is, for an error: "saved model".

    Raises: InputError: it is damaged. OSError: the disk here refuses it. RayTaskError: it is gone.
        RayError: the node has died, or takes too long.
    """
    target.mkdir(parents=True)
    (target / LIST).write_bytes(_answer(sender.list_of.remote(folder)))
    for file in listed_files(target, what):
        with (target / file.name).open("wb") as arriving:
            for start in range(0, file.bytes, PIECE):
                arriving.write(_answer(sender.piece_of.remote(folder / file.name, start)))
    check_sealed(target, what)


def _answer(asked: Any) -> bytes:
    answer: bytes = ray.get(asked, timeout=ANSWERS_WITHIN_S)
    return answer
