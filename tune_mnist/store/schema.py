"""The store's rows, declared once: name, type, unit and meaning of every column.

The declaration goes into every Parquet file as field metadata. The command line's headings, the
leaderboard page and docs/columns.md are made from it. A new column is one line here.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from tune_mnist.store.layout import RowKind

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
_FRACTIONS = pa.list_(pa.float64())
_TRAIN_LOSS = (
    "mean loss during {}: cross-entropy, with label smoothing and class weights where they are set"
)
PER_IMAGE = "s/image"
_LATENCY = (
    "time to predict an image, {}, from stored pixels to its class, on the trial's device and "
    "threads; median; only of completed trials"
)
_FIDELITY = "epochs, or fraction of the training images"

TRIALS = pa.schema(
    [
        column("trial", pa.string(), "", "id of the trial, unique within its search"),
        column("space", pa.string(), "", "name of the search space"),
        column("model", pa.string(), "", "what was trained: svm, or of your own, my_cnn:train"),
        column("dataset", pa.string(), "", "name of the data set"),
        column("data_hash", pa.string(), "", "SHA-256 of the images, labels and split"),
        column("split", pa.string(), "", "which images train, validate and test"),
        column("seed", pa.int64(), "", "seed of the trial's random numbers"),
        column("config", pa.string(), "", "the hyperparameters, as JSON with sorted keys"),
        column(
            "status",
            pa.string(),
            "",
            "completed (ran to its end), stopped (by the scheduler, so it has no test accuracy) or "
            "failed (it has an error and no results)",
        ),
        column("error", pa.string(), "", "why the trial failed; null unless it did"),
        column(
            "train_accuracy",
            pa.float64(),
            "fraction",
            "correct predictions on the training images; of a ResNet, during its last epoch",
        ),
        column(
            "val_accuracy",
            pa.float64(),
            "fraction",
            "correct predictions on the validation images; the default objective",
        ),
        column(
            "val_balanced_accuracy",
            pa.float64(),
            "fraction",
            "mean of the classes' recalls on the validation images, each class weighing the same; "
            "an objective for classes of unequal size",
        ),
        column(
            "test_accuracy",
            pa.float64(),
            "fraction",
            "correct predictions on the test images; never used to choose",
        ),
        column(
            "test_balanced_accuracy",
            pa.float64(),
            "fraction",
            "mean of the classes' recalls on the test images; never used to choose",
        ),
        column(
            "recall",
            _FRACTIONS,
            "fraction",
            "each class's recall: the part of its test images that are predicted correctly; null "
            "for a class without test images",
        ),
        column(
            "confusion",
            _COUNTS,
            "images",
            "confusion matrix of the test images, one row per true class, all rows in one list",
        ),
        column("train_loss", pa.float64(), "nat", _TRAIN_LOSS.format("the last epoch")),
        column("val_loss", pa.float64(), "nat", "mean cross-entropy on the validation images"),
        column(
            "wall_time_s", pa.float64(), "s", "time that the trial took: set-up, fit and evaluation"
        ),
        column("setup_s", pa.float64(), "s", "preparing the data and building the model"),
        column("fit_s", pa.float64(), "s", "optimisation alone"),
        column("eval_s", pa.float64(), "s", "predicting the training, validation and test images"),
        column(
            "latency_batch_1_s",
            pa.float64(),
            PER_IMAGE,
            _LATENCY.format("each image by itself"),
        ),
        column(
            "latency_batch_256_s",
            pa.float64(),
            PER_IMAGE,
            _LATENCY.format("256 images at once"),
        ),
        column("fidelity", pa.float64(), _FIDELITY, "how far the trial got"),
        column("parameters", pa.int64(), "numbers", "size of the trained model"),
        column("multiply_adds", pa.int64(), "multiply-adds", "cost of one image's forward pass"),
        column(
            "converged",
            pa.bool_(),
            "",
            "whether an SVM's solver met its stopping rule; null where that is not known",
        ),
        column("engine", pa.string(), "", "the implementation that trained the model"),
        column("device", pa.string(), "", "name of the processor or GPU that the trial ran on"),
        column("cpus", pa.float64(), "cores", "CPU cores reserved for the trial"),
        column("gpus", pa.float64(), "GPUs", "GPUs reserved for the trial; 0.5 is half of one"),
        column("host", pa.string(), "", "name of the machine that the trial ran on"),
        column("versions", pa.string(), "", "versions of Python and libraries, as JSON"),
        column(
            "git_commit", pa.string(), "", "commit of tune_mnist; ends with + if it was modified"
        ),
        column("code_hash", pa.string(), "", "hash of the code that can change a result"),
        column(
            "shared_with",
            pa.string(),
            "",
            "the trial that trained, if this one did not: a longer trial of the same search, or "
            "search/trial of an earlier one",
        ),
        column(
            "proposed_after",
            pa.int64(),
            "trials",
            "finished trials that the sampler knew when it proposed this one",
        ),
        column(
            "schedule",
            pa.string(),
            "",
            "under pbt, when hyperparameters changed and to what, as JSON: "
            "[[epochs, {name: value}], ...]",
        ),
        column("attempt", pa.int64(), "", "1 for the trial's first run, 2 for its first retry"),
        column("started", _UTC, "UTC", "when the trial started"),
        column("finished", _UTC, "UTC", "when the trial ended"),
    ]
)

REPORTS = pa.schema(
    [
        column("trial", pa.string(), "", "id of the trial"),
        column("attempt", pa.int64(), "", "attempt of the trial"),
        column("step", pa.int64(), "", "1, 2, ... in the order of the trial's measurements"),
        column("fidelity", pa.float64(), _FIDELITY, "how far the trial was"),
        column("train_loss", pa.float64(), "nat", _TRAIN_LOSS.format("the epoch")),
        column(
            "train_accuracy",
            pa.float64(),
            "fraction",
            "correct predictions on the training images; of a ResNet, during the epoch",
        ),
        column("val_loss", pa.float64(), "nat", "mean cross-entropy on the validation images"),
        column(
            "val_accuracy", pa.float64(), "fraction", "correct predictions on the validation images"
        ),
        column(
            "val_balanced_accuracy",
            pa.float64(),
            "fraction",
            "mean of the classes' recalls on the validation images",
        ),
        column(
            "test_accuracy",
            pa.float64(),
            "fraction",
            "correct predictions on the test images; only in a completed trial's last measurement",
        ),
        column("wall_time_s", pa.float64(), "s", "time that the trial had taken by then"),
    ]
)


DECLARED: dict[RowKind, pa.Schema] = {"trials": TRIALS, "reports": REPORTS}


def trials_schema(parameters: Mapping[str, type]) -> pa.Schema:
    """Return `TRIALS` with one typed column `config.<name>` for each hyperparameter.

    Args:
        parameters: the name and Python type (str, int, float or bool) of every hyperparameter of
            every model, so that all files of the store share one schema.
    """
    fields = [
        column(f"config.{name}", ARROW_TYPES[type_], "", f"hyperparameter {name}")
        for name, type_ in sorted(parameters.items())
    ]
    return pa.schema([*TRIALS, *fields])
