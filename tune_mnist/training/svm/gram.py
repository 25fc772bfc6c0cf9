"""One Gram matrix for a whole search: inner products of all rows, built once, mapped by all trials.

What: a folder `gram-<hash of the data>` of plain .npy files, in the directory that the search
names: X X^T of the training rows sorted by class, Z X^T of validation and test rows, and what else
a trial needs of the pixels. The first trial on a node builds it, the others wait for it and map the
same pages. At 42,000 + 16,000 rows it takes 9.7 GB; whoever names the directory removes it.

Why exact: rbf, poly and linear kernels of every gamma, degree and C are functions of these numbers.

What it buys: the matrix products, most of an SVM's time, are paid once a search, not once a trial.
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
from tune_mnist.training.svm.huge_pages import map_array, new_array
from tune_mnist.training.svm.products import fill_cross_products, fill_products, squared_norms
from tune_mnist.training.svm.threads import Over, never

Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Gram:
    """Inner products of a data set's standardised rows.

    Training rows are sorted by class, in their own order within a class.

    Args:
        products: (n, n) float32, training rows with training rows.
        norms: (n,) float32, the diagonal of `products`.
        labels: (n,) int64, of the training rows, ascending.
        cross: (m, n) float32, validation rows then test rows, with training rows.
        cross_norms: (m,) float32, squared norms of validation and test rows.
        features: numbers a row.
        variance: of all numbers in all training rows.
    """

    products: Float32
    norms: Float32
    labels: npt.NDArray[np.int64]
    cross: Float32
    cross_norms: Float32
    features: int
    variance: float

    @property
    def scale_gamma(self) -> float:
        """The gamma that scikit-learn calls "scale"."""
        return 1.0 / (self.features * self.variance) if self.variance else 1.0


def open_gram(data: Dataset, directory: Path, threads: int) -> Gram:
    """Map the data set's Gram matrix, building it first if `directory` lacks it.

    Takes and raises what `build_gram` does. A process keeps the last map for its next trial.
    """
    return _map(build_gram(data, directory, threads))


def build_gram(data: Dataset, directory: Path, threads: int, over: Over = never) -> Path:
    """Build the data set's Gram matrix in `directory` unless it is there.

    Safe to call from many processes of one machine: one builds, under a lock that dies with it, and
    the finished folder appears by a rename.

    Args:
        data: the data set.
        directory: local to the node, /dev/shm for example; made if missing.
        threads: how many the building may use.
        over: asked several times a second whether to give up.
    Returns: its folder.
    Raises: InputError: there is not room for it. CancelledError: `over` said so.
    """
    directory.mkdir(parents=True, exist_ok=True)
    folder = directory / f"gram-{data.content_hash}"
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            part = folder.with_suffix(".part")
            shutil.rmtree(part, ignore_errors=True)  # of a builder that was killed
            part.mkdir()
            try:
                _build(data, part, threads, over)
            except BaseException:
                shutil.rmtree(part)
                raise
            part.rename(folder)
    return folder


def _build(data: Dataset, part: Path, threads: int, over: Over) -> None:
    # Imported here: a process that only maps the matrix is spared half a second of scikit-learn.
    from tune_mnist.training.svm.pixels import standardised

    order = np.argsort(data.train.labels, kind="stable")
    train_rows, val_rows, test_rows = standardised(data)
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
    )


def _reserve(path: Path, shape: tuple[int, int], threads: int, over: Over) -> Float32:
    try:
        return new_array(path, shape, threads, over)
    except OSError as error:
        raise input_error(
            path.parent.parent,
            f"no room for the Gram matrix, {4 * math.prod(shape) / 1e9:.1f} GB more:"
            f" {error.strerror}",
            "give another directory, or none",
        ) from error


@lru_cache(maxsize=1)  # a trial that maps anew would pay for every page's first touch again
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
        )
