"""Which of the searches that wait is begun next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Wanted:
    """A search that waits or runs, and what it needs.

    Args:
        search: its name.
        submitter: who asked for it.
        priority: higher ones are begun first.
        submitted: when it was asked for.
        cpus: cores, at least 1.
        gpus: GPUs.
    """

    search: str
    submitter: str
    priority: int
    submitted: datetime
    cpus: int
    gpus: int


@dataclass(frozen=True)
class Capacity:
    """What all searches may use together."""

    cpus: int
    gpus: int


def next_to_begin(
    waiting: Iterable[Wanted], running: Iterable[Wanted], capacity: Capacity
) -> list[Wanted]:
    """Return the searches to begin now, in order.

    Higher priority first; then whoever has the fewest cores at work; then who asked first. The
    first that finds no room waits, and nobody overtakes it, so a large search is not put off for
    ever by small ones. A search that asks for more than there is gets all there is.
    """
    left, used = list(waiting), Counter[str]()
    cpus, gpus = capacity.cpus, capacity.gpus
    for one in running:
        used[one.submitter] += one.cpus
        cpus, gpus = cpus - min(one.cpus, capacity.cpus), gpus - min(one.gpus, capacity.gpus)
    begun: list[Wanted] = []
    while left:
        first = min(
            left,
            key=lambda one: (-one.priority, used[one.submitter], one.submitted, one.search),
        )
        needs = min(first.cpus, capacity.cpus), min(first.gpus, capacity.gpus)
        if needs[0] > cpus or needs[1] > gpus:
            break
        cpus, gpus = cpus - needs[0], gpus - needs[1]
        used[first.submitter] += first.cpus
        begun.append(first)
        left.remove(first)
    return begun
