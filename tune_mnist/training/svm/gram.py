"""One Gram matrix for a whole search: all inner products, built once and mapped by every trial.

What: a folder `gram-<hash of the data>` of plain .npy and .npz files, and one more for each other
way to see the images. It holds X X^T of the training rows X, sorted by class; Z X^T of the
validation and test rows Z; and all else that a trial needs to know of the pixels. The first process
on a machine builds it; the others wait, then map the same memory. With 42,000 training and 16,000
other rows it takes 9.7 GB. The search that chose the directory removes it.

Why exact: the rbf, poly and linear kernels of every gamma and degree are functions of these
numbers, and C does not enter a kernel.

What it buys: a search computes the matrix products, most of an SVM's time, once instead of once per
trial.
"""

from __future__ import annotations

import math
import shutil
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from filelock import FileLock

from tune_mnist.datasets import Dataset
from tune_mnist.errors import input_error
from tune_mnist.training.images import AS_STORED, View, seen
from tune_mnist.training.pixels import Scale, standardised_by
from tune_mnist.training.svm.huge_pages import map_array, new_array
from tune_mnist.training.svm.products import fill_cross_products, fill_products, squared_norms
from tune_mnist.training.svm.threads import Over, never

Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Gram:
    """Inner products of a data set's standardised rows.

    Training rows are sorted by class; within a class they keep their order.

    Args:
        products: (n, n) float32, of training rows with training rows.
        norms: (n,) float32, the diagonal of `products`.
        labels: (n,) int64, class numbers of the training rows, ascending.
        cross: (m, n) float32, of validation rows, then test rows, with training rows.
        cross_norms: (m,) float32, squared norms of validation and test rows.
        features: numbers in a row.
        variance: variance of all numbers in all training rows.
        scale: what standardised the pixels.
    """

    products: Float32
    norms: Float32
    labels: npt.NDArray[np.int64]
    cross: Float32
    cross_norms: Float32
    features: int
    variance: float
    scale: Scale

    @property
    def scale_gamma(self) -> float:
        """The gamma that "scale" stands for in scikit-learn."""
        return 1.0 / (self.features * self.variance) if self.variance else 1.0


def open_gram(data: Dataset, directory: Path, threads: int, view: View = AS_STORED) -> Gram:
    """Map the data set's Gram matrix; build it first if it is not in `directory`.

    Arguments and errors are those of `build_gram`. A process keeps its last map for its next trial.
    """
    return _map(build_gram(data, directory, threads, view=view))


def build_gram(
    data: Dataset, directory: Path, threads: int, over: Over = never, view: View = AS_STORED
) -> Path:
    """Build the data set's Gram matrix in `directory`, unless it is there already.

    Many processes of one machine may call this at once. One of them builds, holding a lock that is
    released even if that process is killed. A rename makes the finished folder appear.

    Args:
        data: the data set.
        directory: local to the machine, for example /dev/shm; created if missing.
        threads: how many threads may build.
        over: called several times a second; the build is cancelled once it returns True.
        view: how the SVMs see the images; each view has a matrix of its own.

    Returns: the folder of the matrix.
    Raises:
        InputError: there is not enough room for the matrix.
        CancelledError: `over` returned True during the build.
    """
    directory.mkdir(parents=True, exist_ok=True)
    as_seen = "" if view == AS_STORED else f"-{view.side}-{view.colour}"
    folder = directory / f"gram-{data.content_hash}{as_seen}"
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            part = folder.with_suffix(".part")
            shutil.rmtree(part, ignore_errors=True)  # left by a builder that was killed
            part.mkdir()
            try:
                _build(seen(data, view), part, threads, over)
            except BaseException:
                shutil.rmtree(part)
                raise
            part.rename(folder)
    return folder


def _build(data: Dataset, part: Path, threads: int, over: Over) -> None:
    order = np.argsort(data.train.labels, kind="stable")
    (train_rows, val_rows, test_rows), scale = standardised_by(data)
    train_rows, eval_rows = train_rows[order], np.concatenate([val_rows, test_rows])
    products = _reserve(part / "products.npy", (len(train_rows), len(train_rows)), threads, over)
    cross = _reserve(part / "cross.npy", (len(eval_rows), len(train_rows)), threads, over)
    live = train_rows.any(axis=0)
    live_rows = np.ascontiguousarray(train_rows[:, live])
    fill_products(live_rows, products, threads, over)
    live_eval_rows = np.ascontiguousarray(eval_rows[:, live])
    fill_cross_products(live_eval_rows, live_rows, cross, threads, over)
    np.savez(
        part / "rows.npz",
        norms=products.diagonal(),
        labels=data.train.labels[order],
        cross_norms=squared_norms(eval_rows),
        features=train_rows.shape[1],
        variance=train_rows.var(dtype=np.float64),
        mean=scale.mean,
        deviation=scale.deviation,
    )


def _reserve(path: Path, shape: tuple[int, int], threads: int, over: Over) -> Float32:
    try:
        return new_array(path, shape, threads, over)
    except OSError as error:
        raise input_error(
            path.parent.parent,
            f"no room for the Gram matrix, which needs {4 * math.prod(shape) / 1e9:.1f} GB more:"
            f" {error.strerror}",
            "free that much there, or use another directory",
        ) from error


@lru_cache(maxsize=1)  # mapping again would make a trial pay for each page's first use again
def _map(folder: Path) -> Gram:
    with np.load(folder / "rows.npz") as rows:
        return Gram(
            products=map_array(folder / "products.npy", "r"),
            norms=rows["norms"],
            labels=rows["labels"],
            cross=map_array(folder / "cross.npy", "r"),
            cross_norms=rows["cross_norms"],
            features=int(rows["features"]),
            variance=float(rows["variance"]),
            scale=Scale(rows["mean"], rows["deviation"]),
        )
