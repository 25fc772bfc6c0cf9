"""Where all SVM trials of a search share one matrix of inner products, made before the first one.

The engine itself is `training/gram.py`. Built here, with every core of the search, because trials
that wait for it would count the waiting as their own time.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tune_mnist.datasets import Dataset
from tune_mnist.training.svm_config import gram_bytes

_MEMORY = Path("/dev/shm")


@dataclass(frozen=True)
class SharedGram:
    """A folder for `training.svm.train`'s `gram_dir`, and what filling it took.

    Args:
        folder: local to this machine; a trial on another node fills its own.
        seconds: wall time of the building; no trial's time includes it.
    """

    folder: Path
    seconds: float


@contextmanager
def shared_gram(data: Dataset, threads: int) -> Iterator[SharedGram]:
    """Build the data set's matrix, and remove it after the block.

    Raises:
        InputError: there is no room for it.
    """
    from tune_mnist.training.gram import open_gram

    size = gram_bytes(len(data.train), len(data.val) + len(data.test))
    in_memory = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > 1.1 * size
    with tempfile.TemporaryDirectory(
        prefix="tune_mnist-gram-", dir=_MEMORY if in_memory else None
    ) as folder:
        start = time.perf_counter()
        open_gram(data, Path(folder), threads)
        yield SharedGram(Path(folder), time.perf_counter() - start)
