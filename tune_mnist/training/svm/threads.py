"""Threads: how many a training may use, and work in threads that can be cancelled."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import CancelledError, ThreadPoolExecutor
from typing import Any

from threadpoolctl import threadpool_info, threadpool_limits

Over = Callable[[], bool]
"""Says whether a search is over, so that work for it can stop."""


def available_threads() -> int:
    """Return how many threads this process may use: its CPUs, or the BLAS limit if lower."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limits = [int(pool["num_threads"]) for pool in threadpool_info() if pool["user_api"] == "blas"]
    return min([cpus, *limits])


def never() -> bool:
    """Return False: for work that nothing cancels."""
    return False


def in_threads(
    items: Iterable[Any], work: Callable[[Any], None], threads: int, over: Over = never
) -> None:
    """Do the work for each item in threads; within each of them the BLAS uses one thread.

    Raises: CancelledError: `over`, called before each item, returned True. What `work` raises.
    """

    def unless_over(item: Any) -> None:
        if over():
            raise CancelledError
        work(item)

    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(unless_over, items):
            pass  # an error in a thread is raised here
