"""One matrix of inner products that all SVM trials of a search share, built before the first one.

The engine itself is `training/svm/gram.py`. The matrix is built here, with every core of the
search, while Ray and the processes of the first trials start. These trials wait for it before their
own time begins. The files are removed before Ray stops. This process maps none of them, so their
memory is freed when the trials' processes end.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tune_mnist.datasets import Dataset
from tune_mnist.searching.on_ray.scratch import MEMORY, scratch_folder
from tune_mnist.training.images import View
from tune_mnist.training.svm.config import gram_bytes


class NodeFolder(Protocol):
    """Finds the folder of the matrix on the node where it is asked."""

    def here(self) -> Path:
        """Return the folder; wait until the matrix is in it."""


@dataclass(frozen=True)
class SharedGram:
    """A folder for `training.svm.train`'s `gram_dir`, being filled by a thread.

    Args:
        place: a folder of this machine, or what finds it on the node where a trial runs.
        seconds: the wall time of the filling, once it is done; no trial's time includes it.
    """

    place: Path | NodeFolder
    seconds: Future[float]

    def remove(self) -> None:
        """Remove the matrix; a process that maps it keeps its pages until it ends.

        On a cluster it goes with the processes that keep it (node_gram.py).
        """
        if isinstance(self.place, Path):
            shutil.rmtree(self.place, ignore_errors=True)


@contextmanager
def shared_gram(
    data: Dataset, view: View, threads: int, over: Callable[[], bool]
) -> Iterator[SharedGram]:
    """Begin to build the data set's matrix; remove it after the block.

    `SharedGram.seconds` raises InputError if there is no room for the matrix, and CancelledError if
    `over()` became true during the build.
    """
    with scratch_folder(memory_for(data)) as folder, ThreadPoolExecutor(1) as pool:
        yield SharedGram(folder, pool.submit(build, data, view, folder, threads, over))


def memory_for(data: Dataset) -> Path | None:
    """Return this machine's memory file system if the data's matrix has room there, else None."""
    size = gram_bytes(len(data.train), len(data.val) + len(data.test))
    return MEMORY if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > 1.1 * size else None


def build(data: Dataset, view: View, folder: Path, threads: int, over: Callable[[], bool]) -> float:
    """Build the matrix in the folder; return the seconds it took."""
    from tune_mnist.training.svm.gram import build_gram

    start = time.perf_counter()
    build_gram(data, folder, threads, over, view)
    return time.perf_counter() - start
