"""Real stores for the tests of analysis: a trial is written as a search writes it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa

from tune_mnist.analysis.ranking import ranked_trials
from tune_mnist.store.plans import SearchRecord
from tune_mnist.store.reader import read_trials
from tune_mnist.store.writer import Writer

PARAMETERS: dict[str, type] = {
    "architecture": str,
    "learning_rate": float,
    "epochs": int,
    "kernel": str,
    "C": float,
    "gamma": str,
    "degree": int,
}
BEGAN = datetime(2026, 11, 24, 9, 30, tzinfo=timezone.utc)

Trial = Mapping[str, Any]


def trial(name: str, accuracy: float | None = 0.9, **columns: Any) -> dict[str, Any]:
    """Return a completed SVM trial on digits that took 10 s, with the given columns replaced.

    `began_s` is when it began, in seconds after `BEGAN`; `reports` are its measurements.
    """
    began = BEGAN + timedelta(seconds=columns.pop("began_s", 0))
    row: dict[str, Any] = {
        "trial": name,
        "space": "svm",
        "model": "svm",
        "dataset": "digits",
        "data_hash": sha256(columns.get("dataset", "digits").encode()).hexdigest(),
        "split": "holdout",
        "seed": 0,
        "config": {"kernel": "rbf", "C": 10.0, "gamma": "scale"},
        "status": "completed",
        "val_accuracy": accuracy,
        "test_accuracy": accuracy,
        "train_accuracy": accuracy,
        "wall_time_s": 10.0,
        "device": "cpu",
        "host": "here",
        "engine": "scikit-learn",
        "versions": '{"python": "3.11.2"}',
        "git_commit": "e87024f" + "0" * 33,
        "attempt": 1,
        "started": began,
        "reports": [],
    } | columns
    return {"finished": began + timedelta(seconds=row["wall_time_s"] or 0.0)} | row


def failed(name: str, error: str, **columns: Any) -> dict[str, Any]:
    """Return a trial that ended with an error."""
    return trial(name, None, status="failed", error=error, **columns)


def epochs(*val_accuracies: float) -> list[dict[str, Any]]:
    """Return one measurement for each epoch, with these validation accuracies."""
    return [
        {
            "step": epoch,
            "fidelity": float(epoch),
            "train_loss": 1.0 / epoch,
            "val_loss": 1.1 / epoch,
            "train_accuracy": accuracy,
            "val_accuracy": accuracy,
            "wall_time_s": 2.0 * epoch,
        }
        for epoch, accuracy in enumerate(val_accuracies, start=1)
    ]


def write_store(root: Path, trials: Iterable[Trial], search: str = "first") -> Path:
    """Write the trials as one search of the store and return the store."""
    with Writer(root, search, PARAMETERS) as writer:
        writer.write_search(SearchRecord(space={"name": "svm"}))
        for row in trials:
            columns = {name: value for name, value in row.items() if name != "reports"}
            writer.append_trial(columns, row["reports"])
    return root


def stored(root: Path, trials: Sequence[Trial]) -> pa.Table:
    """Write the trials as one search and read them back from the store."""
    return read_trials(write_store(root, trials))


def ranked(root: Path, trials: Sequence[Trial]) -> pa.Table:
    """Write the trials as one search and return them ranked."""
    return ranked_trials(stored(root, trials))
