"""How many threads a training may use: what its caller, or the machine, allows."""

from __future__ import annotations

import os

from threadpoolctl import threadpool_info


def available_threads() -> int:
    """Return how many threads this process may use: its CPUs, or the BLAS limit if lower."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limits = [int(pool["num_threads"]) for pool in threadpool_info() if pool["user_api"] == "blas"]
    return min([cpus, *limits])
