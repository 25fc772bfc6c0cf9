"""The store's rows, declared once: name, type, unit and meaning of every column.

The declaration goes into every Parquet file as field metadata, and feeds the command line's
headings, the README's table and the leaderboard page. A new column is one line here.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

ARROW_TYPES: dict[type, pa.DataType] = {
    str: pa.string(),
    int: pa.int64(),
    float: pa.float64(),
    bool: pa.bool_(),
}


def column(name: str, type_: pa.DataType, unit: str, meaning: str) -> pa.Field:
    """Return a nullable field that carries its unit and meaning into every file."""
    return pa.field(name, type_, metadata={"unit": unit, "meaning": meaning})


_UTC = pa.timestamp("us", tz="UTC")
_COUNTS = pa.list_(pa.int64())

TRIALS = pa.schema(
    [
        column("trial", pa.string(), "", "id, unique within its search"),
        column("space", pa.string(), "", "name of the search space"),
        column("model", pa.string(), "", "resnet or svm"),
        column("dataset", pa.string(), "", "name of the data set"),
        column("data_hash", pa.string(), "", "SHA-256 of images, labels and split"),
        column("split", pa.string(), "", "which images train, validate and test"),
        column("seed", pa.int64(), "", "seed of the trial's random numbers"),
        column("config", pa.string(), "", "the hyperparameters as JSON, keys sorted"),
        column("status", pa.string(), "", "completed, stopped (early) or failed"),
        column("error", pa.string(), "", "why a failed trial failed"),
        column("train_accuracy", pa.float64(), "fraction", "on the training images"),
        column("val_accuracy", pa.float64(), "fraction", "on the validation images; chooses"),
        column("test_accuracy", pa.float64(), "fraction", "on the test images; never chooses"),
        column("confusion", _COUNTS, "images", "tested: k rows of true by k of predicted class"),
        column("train_loss", pa.float64(), "nat", "mean cross-entropy of the last epoch"),
        column("val_loss", pa.float64(), "nat", "mean cross-entropy on the validation images"),
        column("wall_time_s", pa.float64(), "s", "set-up, fit and evaluation"),
        column("setup_s", pa.float64(), "s", "preprocessing and model construction"),
        column("fit_s", pa.float64(), "s", "optimisation alone"),
        column("eval_s", pa.float64(), "s", "predictions on train, validation and test images"),
        column("fidelity", pa.float64(), "", "epochs trained, or fraction of training images"),
        column("parameters", pa.int64(), "", "numbers the fitted model holds"),
        column("multiply_adds", pa.int64(), "", "of one image, whole network, at 3x32x32"),
        column("engine", pa.string(), "", "the implementation that trained it"),
        column("device", pa.string(), "", "processor or GPU the trial ran on"),
        column("cpus", pa.float64(), "", "CPU cores of the trial's bundle"),
        column("gpus", pa.float64(), "", "GPUs of the trial's bundle"),
        column("host", pa.string(), "", "machine the trial ran on"),
        column("versions", pa.string(), "", "versions of the libraries, as JSON"),
        column("git_commit", pa.string(), "", "commit of tune_mnist, with + if modified"),
        column("code_hash", pa.string(), "", "hash of what can change a result"),
        column("shared_with", pa.string(), "", "trial whose training this row is a prefix of"),
        column("proposed_after", pa.int64(), "", "finished trials its sampler knew by then"),
        column("schedule", pa.string(), "", "hyperparameters that changed on the way, as JSON"),
        column("attempt", pa.int64(), "", "1 for the first run of the trial"),
        column("started", _UTC, "UTC", "when the trial began"),
        column("finished", _UTC, "UTC", "when the trial ended"),
    ]
)

REPORTS = pa.schema(
    [
        column("trial", pa.string(), "", "id of the trial"),
        column("attempt", pa.int64(), "", "attempt of the trial"),
        column("step", pa.int64(), "", "1, 2, ... within the trial"),
        column("fidelity", pa.float64(), "", "epochs trained, or fraction of training images"),
        column("train_loss", pa.float64(), "nat", "mean cross-entropy over the epoch"),
        column("train_accuracy", pa.float64(), "fraction", "on the training images"),
        column("val_loss", pa.float64(), "nat", "mean cross-entropy on the validation images"),
        column("val_accuracy", pa.float64(), "fraction", "on the validation images"),
        column("test_accuracy", pa.float64(), "fraction", "in a finished trial's last report"),
        column("wall_time_s", pa.float64(), "s", "since the trial began"),
    ]
)


def trials_schema(parameters: Mapping[str, type]) -> pa.Schema:
    """Return `TRIALS` with one typed column `config.<name>` a hyperparameter.

    Args:
        parameters: name to Python type (str, int, float or bool) of every hyperparameter that
            any model has, so that all files of the store share one schema.
    """
    fields = [
        column(f"config.{name}", ARROW_TYPES[type_], "", f"hyperparameter {name}")
        for name, type_ in sorted(parameters.items())
    ]
    return pa.schema([*TRIALS, *fields])
