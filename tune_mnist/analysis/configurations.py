"""Repeated runs of one configuration, summed up in one row.

Only completed trials count. A trial that was stopped early has the accuracy and the time of a
shorter training than its configuration asks for.
"""

from __future__ import annotations

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

KEY = ["dataset", "model", "device", "config"]


def by_configuration(trials: pa.Table) -> pd.DataFrame:
    """Return one row for each configuration on each device.

    Several runs with one seed are the same training, timed several times. They count once towards
    the accuracy and its noise, and each counts towards the wall time.

    Args:
        trials: rows of the store (`store.reader.read_trials`).
    Returns: the columns `KEY` (config is JSON), seeds and runs (how many), val_accuracy and
        test_accuracy (means over the seeds), val_sd (standard deviation over the seeds; NaN for
        one seed) and wall_time_s (median over the runs).
    """
    finished = pc.and_(
        pc.equal(trials["status"], "completed"),
        pc.and_(pc.is_finite(trials["val_accuracy"]), pc.is_finite(trials["wall_time_s"])),
    )
    columns = [*KEY, "seed", "val_accuracy", "test_accuracy", "wall_time_s"]
    rows = trials.filter(finished).select(columns).to_pandas()
    runs = rows.groupby(KEY, dropna=False)["wall_time_s"].agg(["median", "size"])
    accuracies = ["val_accuracy", "test_accuracy"]
    seeds = rows.groupby([*KEY, "seed"], dropna=False)[accuracies].mean().groupby(KEY, dropna=False)
    found = seeds.mean()
    found["val_sd"] = seeds["val_accuracy"].std()
    found["seeds"] = seeds.size()
    found["wall_time_s"], found["runs"] = runs["median"], runs["size"]
    configurations: pd.DataFrame = found.reset_index()
    return configurations
