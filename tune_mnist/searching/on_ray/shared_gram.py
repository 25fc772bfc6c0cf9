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

from tune_mnist.datasets import Dataset
from tune_mnist.searching.on_ray.scratch import MEMORY, scratch_folder
from tune_mnist.training.images import View
from tune_mnist.training.svm.config import gram_bytes


@dataclass(frozen=True)
class SharedGram:
    """A folder for `training.svm.train`'s `gram_dir`, being filled by a thread.

    Args:
        folder: local to this machine; a trial on another node fills its own.
        seconds: the wall time of the filling, once it is done; no trial's time includes it.
    """

    folder: Path
    seconds: Future[float]

    def remove(self) -> None:
        """Remove the matrix; a process that maps it keeps its pages until it ends."""
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def shared_gram(
    data: Dataset, view: View, threads: int, over: Callable[[], bool]
) -> Iterator[SharedGram]:
    """Begin to build the data set's matrix; remove it after the block.

    `SharedGram.seconds` raises InputError if there is no room for the matrix, and CancelledError if
    `over()` became true during the build.
    """
    size = gram_bytes(len(data.train), len(data.val) + len(data.test))
    in_memory = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > 1.1 * size
    with scratch_folder(MEMORY if in_memory else None) as folder, ThreadPoolExecutor(1) as pool:
        yield SharedGram(folder, pool.submit(_build, data, view, folder, threads, over))


def _build(
    data: Dataset, view: View, folder: Path, threads: int, over: Callable[[], bool]
) -> float:
    from tune_mnist.training.svm.gram import build_gram

    start = time.perf_counter()
    build_gram(data, folder, threads, over, view)
    return time.perf_counter() - start
