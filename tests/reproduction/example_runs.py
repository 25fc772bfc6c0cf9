"""Made-up runs of the technical report's grids: frames for the checks, stores for the page."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tests.analysis.example_store import epochs, trial
from tune_mnist.models.registry import parameter_types
from tune_mnist.reproduction.runs import COLUMNS, RESNET, SVM, SVMS, grid, records
from tune_mnist.store.plans import SearchRecord
from tune_mnist.store.writer import Writer

Row = dict[str, Any]


def whole_grid(columns: Callable[[Row], Row], seeds: int = 1) -> pd.DataFrame:
    """Return a run of every training of the grids, with the columns that `columns` returns."""
    shared = {
        "fraction": 1.0,
        "device": "cpu",
        "where": "here",
        "host": "here",
        "beside": False,
        "test_set": "standard",
        "val_accuracy": 0.9,
        "test_accuracy": 0.9,
        "train_accuracy": 0.95,
        "wall_time_s": 10.0,
    }
    rows = [
        {**shared, **row, "seed": seed, "origin": f"s/{i}-{seed}", **columns({**row, "seed": seed})}
        for i, row in enumerate(records(grid()))
        for seed in range(seeds)
    ]
    frame: pd.DataFrame = pd.DataFrame(rows, columns=COLUMNS)
    return frame


def config_of(row: Row) -> Row:
    """Return the hyperparameters of a row of the grid, as a search records them."""
    names = SVM if row["kind"] in SVMS else RESNET
    whole = ("batch_size", "epochs", "degree")
    values = {name: row[name] for name in names if not pd.isna(row[name])}
    values = {name: int(value) if name in whole else value for name, value in values.items()}
    return {"kernel" if row["kind"] in SVMS else "architecture": row["kind"], **values}


def stored_trial(number: int, row: Row, **columns: Any) -> Row:
    """Return a row of the grid as a finished trial; its accuracy rises with its number."""
    svm = row["kind"] in SVMS
    accuracy = 0.9 + number / 10_000
    config = config_of(row) | columns.pop("extra", {})
    columns = {"gpus": 0.0, **columns}
    counts = np.full((10, 10), 2) + np.diag(np.full(10, 900))
    return trial(
        f"{number:05d}",
        accuracy,
        model="svm" if svm else "resnet",
        dataset=row["dataset"],
        split="report-70/10/20 seed 42, test standard",
        config=config,
        cpus=1.0,
        confusion=counts.ravel().tolist(),
        parameters=1000,
        multiply_adds=2000,
        reports=[] if svm else epochs(*np.linspace(0.8, accuracy, config["epochs"])),
        **columns,
    )


def write_report_store(root: Path, trials: Iterable[Row], search: str = "first") -> Path:
    """Write the trials as one search of the store and return the store."""
    with Writer(root, search, parameter_types()) as writer:
        writer.write_search(SearchRecord(space={"name": "report"}))
        for row in trials:
            columns = {name: value for name, value in row.items() if name != "reports"}
            writer.append_trial(columns, row["reports"])
    return root
