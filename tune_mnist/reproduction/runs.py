"""Trainings of the technical report's grids as rows of one shape, whether the technical report's
own or ours.

One check can so judge both. Only what the technical report ran is let in: its hyperparameters, its
values, its data sets and split. A training on a part of the images keeps its fraction, and nothing
here mixes fractions.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tune_mnist.reproduction.published import published
from tune_mnist.store.reader import read_trials

DATASETS = {"mnist": "MNIST", "fashion-mnist": "FashionMNIST"}
KINDS = {"resnet18": "ResNet-18", "resnet50": "ResNet-50", "poly": "SVM poly", "rbf": "SVM rbf"}
NETWORKS = ("resnet18", "resnet50")
SVMS = ("poly", "rbf")
AS_PRINTED = 0.00006
"""Half the last digit of a published accuracy, and what float arithmetic adds."""
DEVICE_EPOCHS = 10
"""Epochs of section 4, CPU against GPU; the grid of section 2 has 2 and 3."""

RESNET = ["batch_size", "optimizer", "learning_rate", "epochs"]
SVM = ["C", "gamma", "degree"]
SETTING = ["dataset", "kind", "setting"]
"""What tells one training of the grids from another, but for seed, device and fraction."""

_ACCURACIES = ["train_accuracy", "val_accuracy", "test_accuracy"]
_MEASURED = [*_ACCURACIES, "wall_time_s", "multiply_adds", "parameters"]
_RUN = ["seed", "fraction", "device", "where", "test_set"]
COLUMNS = [*SETTING, "part", *RESNET, *SVM, *_RUN, *_MEASURED, "origin", "pin_memory"]

_SPLIT = "report-70/10/20 seed 42, test "
_UNSAID = {"device", "pin_memory", "train_fraction"}


def stored_runs(root: Path) -> pd.DataFrame:
    """Return the store's completed trainings of the technical report's configurations, one row
    each.

    Args:
        root: the store's folder.
    Returns: `COLUMNS`; `where` names host, processor and cores, within which times compare;
        `origin` is "search/trial". A row copied from another of this store is left out, and so
        is what is in no grid of the technical report.
    Raises: InputError: no store.
    """
    trials = read_trials(root)
    ended = pc.equal(trials["status"], "completed")
    named = pc.is_in(trials["dataset"], pa.array(list(DATASETS)))
    rows = [_stored(row) for row in trials.filter(pc.and_(ended, named)).to_pylist()]
    runs = _frame([row for row in rows if row])
    here = set(runs["origin"])
    copied = runs["copy_of"].isin(here) if len(runs) else runs["copy_of"].astype(bool)
    runs = runs[~copied]
    wanted = pd.MultiIndex.from_frame(grid()[SETTING])
    inside = pd.MultiIndex.from_frame(runs[SETTING]).isin(wanted)
    known: pd.DataFrame = runs[inside].reset_index(drop=True)
    return known


def published_runs() -> pd.DataFrame:
    """Return the technical report's own trainings in the same shape; what it did not print is
    missing.

    Each configuration of the ResNet grid ran up to three times: with pinned memory, without, and
    in a rerun with it; they stand as seeds 0, 1 and 2, though the technical report set no seed.
    """
    resnet, svm = published("resnet"), published("svm")
    devices = published("devices")
    resnet = resnet.rename(columns={"architecture": "kind"})
    resnet["seed"] = np.where(resnet["run"] == "rerun", 2, np.where(resnet["pin_memory"], 0, 1))
    resnet["device"] = "gpu"
    devices = devices.rename(columns={"architecture": "kind"})
    devices["dataset"], devices["seed"] = "fashion-mnist", 0
    svm = svm.rename(columns={"kernel": "kind"}).dropna(subset=["test_accuracy"])
    svm["seed"], svm["device"] = 0, "cpu"
    rows = [row for part in (resnet, devices, svm) for row in records(part)]
    shared = {"fraction": 1.0, "test_set": "standard", "origin": "report"}
    where = "the technical report's {}"
    return _frame([{**row, **shared, "where": where.format(row["device"])} for row in rows])


def grid() -> pd.DataFrame:
    """Return every training of the technical report's grids once: `SETTING` and its values."""
    resnet = published("resnet").rename(columns={"architecture": "kind"})
    devices = published("devices").rename(columns={"architecture": "kind"})
    devices["dataset"] = "fashion-mnist"
    svm = published("svm").rename(columns={"kernel": "kind"})
    rows = [row for part in (resnet, devices, svm) for row in records(part)]
    frame = _frame(rows)[[*SETTING, "part", *RESNET, *SVM]]
    distinct: pd.DataFrame = frame.drop_duplicates(SETTING).reset_index(drop=True)
    return distinct


def setting_text(values: dict[str, Any]) -> str:
    """Return a configuration without its kind: "batch 16, sgd, lr 0.001, 2 epochs"."""
    if _said(values.get("optimizer")):
        rate, epochs = float(values["learning_rate"]), int(values["epochs"])
        batch = f"batch {int(values['batch_size'])}, {values['optimizer']}"
        return f"{batch}, lr {rate:g}, {epochs} epochs"
    degree = f" degree={int(values['degree'])}" if _said(values.get("degree")) else ""
    return f"C={float(values['C']):g} gamma={values['gamma']}{degree}"


def by_setting(runs: pd.DataFrame) -> pd.DataFrame:
    """Return one row a training of the grids: the means over its seeds.

    Args:
        runs: of one fraction and one set of test images; runs of one seed count as one.
    Returns: `SETTING` as columns, the means of what was measured, `runs` (how many seeds),
        `test_sd` (standard deviation over them, n - 1; NaN for one), `test_low`, `test_high`, and
        the settings' own values.
    """
    seeds = (
        runs.groupby([*SETTING, "seed"], sort=False)[_MEASURED].mean().groupby(SETTING, sort=False)
    )
    found = seeds.mean()
    test = seeds["test_accuracy"]
    found["runs"], found["test_sd"] = seeds.size(), test.std()
    found["test_low"], found["test_high"] = test.min(), test.max()
    firsts = ["part", *RESNET, *SVM]
    found[firsts] = runs.groupby(SETTING, sort=False)[firsts].first()
    settings: pd.DataFrame = found.reset_index()
    return settings


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a frame's rows as mappings."""
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def highest(frame: pd.DataFrame, column: str) -> dict[str, Any]:
    """Return the first row with the largest value of a column, which no row may lack."""
    return records(frame.sort_values(column, ascending=False, kind="stable")[:1])[0]


def _stored(row: dict[str, Any]) -> dict[str, Any] | None:
    """Return a row of the store in our shape; None if the technical report has no such training."""
    config = json.loads(row["config"])
    kind = config.pop("architecture", None) or config.pop("kernel", None)
    known = (set(RESNET) if kind in NETWORKS else set(SVM)) | _UNSAID
    split = row["split"] or ""
    if kind not in KINDS or row["dataset"] not in DATASETS or set(config) - known:
        return None
    if not split.startswith(_SPLIT):
        return None
    return {
        **{name: row.get(name) for name in (*_MEASURED, "dataset", "seed")},
        **config,
        "gamma": str(config["gamma"]) if "gamma" in config else None,
        "kind": kind,
        "fraction": config.get("train_fraction", 1.0),
        "device": "gpu" if row["gpus"] else "cpu",
        "where": f"{row['device']}, {row['cpus'] or 0:g} core(s) on {row['host']}",
        "test_set": split.removeprefix(_SPLIT),
        "origin": f"{row['search']}/{row['trial']}",
        "copy_of": row["shared_with"] or "",
    }


def _frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    frame: pd.DataFrame = pd.DataFrame(rows, columns=[*COLUMNS, "copy_of"])
    numbers = [*_MEASURED, "batch_size", "learning_rate", "epochs", "C", "degree", "fraction"]
    frame[numbers] = frame[numbers].astype(float)
    frame["setting"] = [setting_text(row) for row in records(frame)]
    at_ten = frame["epochs"] == DEVICE_EPOCHS
    svm = frame["kind"].isin(SVMS)
    frame["part"] = np.where(svm, "svm", np.where(at_ten, "devices", "resnet"))
    return frame


def _said(value: Any) -> bool:
    return (
        value is not None
        and not (isinstance(value, float) and np.isnan(value))
        and value is not pd.NA
    )
