"""Claim: the best of a million trials in under a second, each trial on disk in about 10 ms.

    python -m benchmarks.store            # 1,000,000 trials; some minutes, 4 GB of disk in /tmp
    python -m benchmarks.store --short    # 50,000 trials; for `make bench`
    python -m benchmarks.store --record   # and append the figures to RESULTS.md

Peers in the same run: a CSV file (pandas.read_csv, then nlargest) at the same number of trials;
Optuna on SQLite at 10,000 trials, against our store of 10,000, because writing a million trials
there takes hours. Both stores sync every trial to the same disk.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from benchmarks.measure import Figure, Timings, compare, interleave, record, timed
from tune_mnist.store.layout import file_name, plan_file, rows_folder
from tune_mnist.store.merge import ROW_GROUP, row_groups
from tune_mnist.store.reader import read_trials, top_trials
from tune_mnist.store.schema import trials_schema
from tune_mnist.store.writer import MERGED, Writer

CLAIM = "The best of a million trials in under a second"
PARAMETERS: dict[str, type] = {
    "architecture": str,
    "batch_size": int,
    "optimizer": str,
    "learning_rate": float,
    "epochs": int,
    "pin_memory": bool,
    "kernel": str,
    "C": float,
    "gamma": str,
    "degree": int,
}
SCHEMA = trials_schema(PARAMETERS)
VALIDATION_IMAGES = 6000  # accuracies are multiples of 1/6000, so a million trials tie a lot
TOP = 10


def main() -> None:
    """Measure, print, and record if asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true", help="50,000 trials, few rounds")
    parser.add_argument("--record", action="store_true", help="append to RESULTS.md")
    arguments = parser.parse_args()
    trials, rounds = (50_000, 3) if arguments.short else (1_000_000, 5)
    optuna_trials = 1_000 if arguments.short else 10_000
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="tune_mnist_store_") as name:
        folder = Path(name)
        for figure in itertools.chain(
            leaderboard(folder, trials, rounds),
            against_csv(folder, trials, rounds=3),
            against_optuna(folder, optuna_trials, trials, rounds),
            appending(folder, trials=100 if arguments.short else 500, rounds=rounds),
        ):
            print(figure, flush=True)
            figures.append(figure)
    if arguments.record:
        record(CLAIM, "python -m benchmarks.store" + " --short" * arguments.short, figures)


def leaderboard(folder: Path, trials: int, rounds: int) -> Iterator[Figure]:
    """Time the leaderboard's query on one search of all trials, and on a thousand searches."""
    for searches in (1, 1000):
        root = folder / f"searches-{searches}"
        write_store(root, searches, trials // searches)
        for top in (TOP, 100):
            ask = lambda root=root, top=top: top_trials(root, top=top)  # noqa: E731
            ask()
            times = Timings(tuple(timed(ask) for _ in range(max(rounds, 7))))
            yield Figure(f"top {top} of {trials:,} trials in {searches:,} searches", str(times))


def write_store(root: Path, searches: int, trials: int) -> None:
    """Write searches of that many trials each, as `Writer.compact` leaves them."""
    for number in range(searches):
        search = f"search-{number:04d}"
        write_compacted(root, search, trials, seed=number)


def write_compacted(root: Path, search: str, trials: int, seed: int) -> None:
    """Write one search of made-up trials in the file layout of `Writer.compact`."""
    target = rows_folder(root, "trials", search) / file_name(0, trials - 1)
    target.parent.mkdir(parents=True)
    plan_file(root, search).parent.mkdir(exist_ok=True)
    plan_file(root, search).write_text("{}")
    aside = root / "aside.parquet"
    with pq.ParquetWriter(aside, SCHEMA) as parquet:
        for first in range(0, trials, ROW_GROUP):
            rows = min(ROW_GROUP, trials - first)
            parquet.write_table(made_up(rows, first, seed + first), row_group_size=ROW_GROUP)
    with pq.ParquetWriter(target, SCHEMA, **MERGED) as parquet:
        for group in row_groups("trials", [aside], SCHEMA):
            parquet.write_table(group)
    aside.unlink()


def made_up(rows: int, first: int, seed: int) -> pa.Table:
    """Return trials as a random search over an SVM leaves them: 1 % failed, accuracies that tie."""
    random = np.random.default_rng(seed)
    C = np.exp(random.uniform(np.log(0.1), np.log(100), rows))
    gamma = [repr(value) for value in np.exp(random.uniform(-9, -2, rows)).tolist()]
    failed = random.random(rows) < 0.01
    accuracy = np.round((0.985 - 0.2 * random.beta(1, 6, rows)) * VALIDATION_IMAGES)
    accuracy = pa.array(accuracy / VALIDATION_IMAGES, mask=failed)
    fit_s = random.gamma(3, 2, rows)
    started = np.datetime64("2026-11-01", "us") + 7_000_000 * np.arange(first, first + rows)
    columns: dict[str, Any] = {
        "trial": [f"t{number:07d}" for number in range(first, first + rows)],
        "seed": random.integers(0, 2**31, rows),
        "config": [
            f'{{"C": {c!r}, "gamma": {g}, "kernel": "rbf"}}'
            for c, g in zip(C.tolist(), gamma, strict=True)
        ],
        "status": np.where(failed, "failed", "completed"),
        "train_accuracy": accuracy,
        "val_accuracy": accuracy,
        "test_accuracy": pa.array(random.normal(0.95, 0.01, rows), mask=failed),
        "wall_time_s": 1.5 * fit_s,
        "setup_s": 0.1 * fit_s,
        "fit_s": fit_s,
        "eval_s": 0.4 * fit_s,
        "parameters": random.integers(100_000, 10_000_000, rows),
        "started": started,
        "finished": started + (1e6 * fit_s).astype("timedelta64[us]"),
        "config.C": C,
        "config.gamma": gamma,
    }
    constants: dict[str, Any] = {
        "space": "svm",
        "model": "svm",
        "dataset": "mnist",
        "data_hash": "a" * 64,
        "split": "report",
        "fidelity": 1.0,
        "engine": "shared Gram",
        "device": "AMD EPYC",
        "cpus": 1.0,
        "gpus": 0.0,
        "host": "node-1",
        "versions": '{"numpy": "2.3.5", "python": "3.11.7", "torch": "2.15.0"}',
        "git_commit": "a78a8bb",
        "code_hash": "b" * 64,
        "attempt": 1,
        "config.kernel": "rbf",
    }
    columns |= {name: pa.repeat(value, rows) for name, value in constants.items()}
    return pa.table(
        [
            pa.array(columns[field.name]).cast(field.type)
            if field.name in columns
            else pa.nulls(rows, field.type)
            for field in SCHEMA
        ],
        schema=SCHEMA,
    )
