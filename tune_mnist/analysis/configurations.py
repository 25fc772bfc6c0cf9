"""Repeated runs of one configuration in one place, summed up in one row.

What is averaged is the same in everything but the seed: the data set (its content, so the split and
the test set too), the device, the host and the cores. An accuracy of a ResNet depends on the number
of threads, and a time on all of the place. A measurement counts once: a row that was copied from
another search is no run of its own.

Only completed trials count. A trial that was stopped early has the accuracy and the time of a
shorter training than its configuration asks for.
"""

from __future__ import annotations

from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tune_mnist.data_identity import named_by_content

PLACE = ["device", "cpus", "host"]
"""The columns that say where a trial ran; times compare within one place only."""

KEY = ["dataset", "data_hash", "split", "model", *PLACE, "config"]


_ORIGIN = ["search", "trial", "shared_with"]


def by_configuration(trials: pa.Table) -> pd.DataFrame:
    """Return one row for each configuration in each place.

    Several runs with one seed are the same training, timed several times. They count once towards
    the accuracy and its noise, and each counts towards the wall time.

    Args:
        trials: rows of the store (`store.reader.read_trials`).
    Returns: the columns `KEY` (dataset as `named_by_content` writes it; config is JSON), seeds and
        runs (how many), val_accuracy and test_accuracy (means over the seeds), val_sd (standard
        deviation over the seeds; NaN for one seed), and wall_time_s and latency_batch_1_s (medians
        over the runs; NaN where no latency was measured).
    """
    finished = pc.and_(
        pc.equal(trials["status"], "completed"),
        pc.and_(pc.is_finite(trials["val_accuracy"]), pc.is_finite(trials["wall_time_s"])),
    )
    measured = ["val_accuracy", "test_accuracy", "wall_time_s", "latency_batch_1_s"]
    columns = [*KEY, "seed", *measured, *_ORIGIN]
    rows = _measured_once(named_by_content(trials).filter(finished).select(columns).to_pandas())
    runs = rows.groupby(KEY, dropna=False)["wall_time_s"].agg(["median", "size"])
    accuracies = ["val_accuracy", "test_accuracy"]
    seeds = rows.groupby([*KEY, "seed"], dropna=False)[accuracies].mean().groupby(KEY, dropna=False)
    found = seeds.mean()
    found["val_sd"] = seeds["val_accuracy"].std()
    found["seeds"] = seeds.size()
    found["wall_time_s"], found["runs"] = runs["median"], runs["size"]
    found["latency_batch_1_s"] = rows.groupby(KEY, dropna=False)["latency_batch_1_s"].median()
    configurations: pd.DataFrame = found.reset_index()
    return configurations


def place_names(rows: pd.DataFrame) -> pd.Series[str]:
    """Return where each row ran, for people: its device, and what else tells two places apart.

    Args:
        rows: with the columns `PLACE`.
    Returns: a text for each row: "GPU X", or "GPU X, 2 cores on alpha" where there are others.
    """

    def named(row: pd.Series[Any]) -> str:
        same = rows[rows["device"] == row["device"]]
        text = str(row["device"])
        if same["cpus"].nunique(dropna=False) > 1 and pd.notna(row["cpus"]):
            text += f", {row['cpus']:g} core{'s' * (row['cpus'] != 1)}"
        if same["host"].nunique(dropna=False) > 1 and pd.notna(row["host"]):
            text += f" on {row['host']}"
        return text

    return rows.apply(named, axis=1, result_type="reduce")


def _measured_once(rows: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each measurement: the row that measured, or else one of its copies."""
    copied = rows["shared_with"].fillna("").str.contains("/")
    measured = rows["search"] + "/" + rows["trial"]
    origin = rows["shared_with"].where(copied, measured)
    first = rows.assign(origin=origin, copied=copied).sort_values("copied", kind="stable")
    once = first.drop_duplicates(["origin", "config"]).sort_index()
    measurements: pd.DataFrame = once.drop(columns=["origin", "copied"])
    return measurements
