"""Whether a data set fits into memory, asked before it is decoded."""

from __future__ import annotations

from pathlib import Path

from tune_mnist.errors import input_error

SHARE = 0.5  # of the memory; a data set is copied once when it is split
LIMIT = Path("/sys/fs/cgroup/memory.max")  # of a container


def memory_bytes() -> int:
    """Return how much memory this machine, or this container, has."""
    import psutil

    total = int(psutil.virtual_memory().total)
    try:
        return min(total, int(LIMIT.read_text()))
    except (OSError, ValueError):  # no cgroup, or "max"
        return total


def check_fits(where: object, size: int) -> None:
    """Raise InputError if this many bytes are more than half of the memory.

    Args:
        where: what needs them, for the error.
        size: how many.
    """
    limit = int(SHARE * memory_bytes())
    if size > limit:
        raise input_error(
            where,
            f"would take {size / 1e9:.3g} GB, more than half of the memory, {limit / 1e9:.3g} GB",
            "use fewer or smaller images, or a machine with more memory",
        )
