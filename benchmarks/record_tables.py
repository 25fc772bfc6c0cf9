"""Measure the tables that `search_efficiency.py` replays: whole grids, at every fidelity.

    nice python -m benchmarks.record_tables svm_digits        1 minute
    nice python -m benchmarks.record_tables svm_mnist         10 minutes; [--data-dir DIR]
    nice python -m benchmarks.record_tables resnet_digits     half an hour

Each writes benchmarks/tables/NAME.csv, one row a configuration, seed and fidelity: validation and
test accuracy there (fractions), and the seconds from the start of the training to there on one
core. An SVM's fidelity is the fraction of the training images, each a training of its own; a
ResNet's is its epoch, one training for all, tested after the last one alone.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tune_mnist.datasets import Dataset, Images, LoadOptions, load_dataset
from tune_mnist.training.measurement import Measurement

TABLES = Path(__file__).with_name("tables")
FRACTIONS = (1 / 9, 1 / 3, 1.0)
EPOCHS = 8
MNIST_IMAGES = 4000  # of the 42,000, so that the whole grid takes minutes
NOISE_SEEDS = 5  # of the few configurations that say how noisy a seed is

Rows = Iterator[dict[str, Any]]


def svm_grid() -> list[dict[str, Any]]:
    """Return 288 configurations: 8 C x (rbf and sigmoid 7 gammas, poly 7 x 3 degrees, linear)."""
    costs = (0.01, 0.1, 0.3, 1.0, 3.0, 10.0, 100.0, 1000.0)
    gammas = ("scale", 0.0001, 0.0003, 0.001, 0.003, 0.01, 0.1)
    grid: list[dict[str, Any]] = [{"kernel": "linear", "C": C} for C in costs]
    grid += [
        {"kernel": kernel, "C": C, "gamma": gamma}
        for kernel, C, gamma in itertools.product(("rbf", "sigmoid"), costs, gammas)
    ]
    grid += [
        {"kernel": "poly", "C": C, "gamma": gamma, "degree": degree}
        for C, gamma, degree in itertools.product(costs, gammas, (2, 3, 4))
    ]
    return grid


def resnet_grid() -> list[dict[str, Any]]:
    """Return 56 configurations of ResNet-18."""
    sizes, rates = (16, 32, 64, 128), (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1)
    return [
        {"batch_size": size, "optimizer": optimizer, "learning_rate": rate}
        for size, optimizer, rate in itertools.product(sizes, ("sgd", "adam"), rates)
    ]


def first_of_each_class(data: Dataset, fraction: float) -> Dataset:
    """Return the data set with the first images of each class alone, in the data set's order."""
    if fraction == 1.0:
        return data
    labels = data.train.labels
    kept = [
        np.flatnonzero(labels == label)[
            : max(1, round(fraction * np.count_nonzero(labels == label)))
        ]
        for label in range(len(data.classes))
    ]
    where = np.sort(np.concatenate(kept))
    train = Images(np.ascontiguousarray(data.train.images[where]), labels[where])
    return replace(data, train=train, content_hash=f"{data.content_hash}-{fraction:.3f}")


def svm_rows(data: Dataset, *, shared: bool) -> Rows:
    """Train the grid; `shared`: on one matrix of inner products, whose making is in no row."""
    from threadpoolctl import threadpool_limits

    from tune_mnist.training.options import TrainOptions
    from tune_mnist.training.svm.train import SvmConfig, train

    grid = svm_grid()
    parts = [(fraction, first_of_each_class(data, fraction)) for fraction in FRACTIONS]
    with threadpool_limits(1), tempfile.TemporaryDirectory() as folder:
        for fraction, part in parts:
            where = Path(folder, f"{fraction:.3f}")
            where.mkdir()
            options = TrainOptions(gram_dir=where if shared else None)
            for config in (grid[-1], *grid):  # the first one warms up
                measured = train(SvmConfig(**config), part, lambda *_: None, options)
                yield {**config, "seed": 0, **figures(measured), "fidelity": round(fraction, 3)}


def resnet_rows(data: Dataset) -> Rows:
    """Train the grid on seed 0, and every eleventh configuration on more seeds."""
    import torch

    from tune_mnist.training.options import TrainOptions
    from tune_mnist.training.resnet.train import ResnetConfig, train

    torch.set_num_threads(1)
    grid = resnet_grid()
    planned = [(config, 0) for config in grid]
    planned += [(config, seed) for config in grid[::11] for seed in range(1, NOISE_SEEDS)]
    for config, seed in planned:
        whole = ResnetConfig(architecture="resnet18", epochs=EPOCHS, **config)
        curve: list[Measurement] = []

        def report(measured: Measurement, _: object, into: list[Measurement] = curve) -> None:
            into.append(measured)

        try:
            train(whole, data, report, TrainOptions(seed=seed))
        except FloatingPointError as diverged:
            print(f"{config}: {diverged}", flush=True)
        for measured in curve:
            yield {**config, "seed": seed, **figures(measured)}


def figures(measured: Measurement) -> dict[str, float | None]:
    return {
        "fidelity": measured["fidelity"],
        "val_accuracy": measured["val_accuracy"],
        "test_accuracy": measured.get("test_accuracy"),
        "wall_time_s": measured["wall_time_s"],
    }


def svm_mnist(data_dir: Path | None) -> Rows:
    data = load_dataset("mnist", LoadOptions(data_dir))
    few = Images(data.train.images[:MNIST_IMAGES], data.train.labels[:MNIST_IMAGES])
    few_hash = f"{data.content_hash}-{MNIST_IMAGES}"
    return svm_rows(replace(data, train=few, content_hash=few_hash), shared=True)


RECORDERS: dict[str, Callable[[Path | None], Rows]] = {
    "svm_digits": lambda _: svm_rows(load_dataset("digits"), shared=False),
    "svm_mnist": svm_mnist,
    "resnet_digits": lambda _: resnet_rows(load_dataset("digits")),
}


def written(rows: Iterable[dict[str, Any]], file: Path) -> pd.DataFrame:
    table: pd.DataFrame = pd.DataFrame(rows).round(
        {"val_accuracy": 5, "test_accuracy": 5, "wall_time_s": 4}
    )
    keys = [name for name in table if name not in ("val_accuracy", "test_accuracy", "wall_time_s")]
    last: pd.DataFrame = table.drop_duplicates(keys, keep="last")
    last.to_csv(file, index=False)
    return last


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", choices=RECORDERS)
    parser.add_argument("--data-dir", type=Path, help="where MNIST is, if not where we look")
    arguments = parser.parse_args()
    file = TABLES / f"{arguments.table}.csv"
    table = written(RECORDERS[arguments.table](arguments.data_dir), file)
    print(f"{len(table)} rows, {table.wall_time_s.sum():.0f} s, in {file}")


if __name__ == "__main__":
    main()
