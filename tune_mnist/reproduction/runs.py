"""Trainings of the technical report's grids as rows of one form, whether its own or ours.

So one check can judge both. Only trainings of the technical report's own hyperparameters, values,
data sets and split are included. A training on a fraction of the images keeps that fraction, and
nothing here mixes fractions.
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
"""How close an accuracy must be to print the same: half the last digit, and a rounding error."""
DEVICE_EPOCHS = 10
"""Epochs of the trainings in section 4, CPU against GPU; those in section 2 have 2 or 3."""

RESNET = ["batch_size", "optimizer", "learning_rate", "epochs"]
SVM = ["C", "gamma", "degree"]
SETTING = ["dataset", "kind", "setting"]
"""The columns that together identify a training of the grids, besides its `_RUN`."""

_ACCURACIES = ["train_accuracy", "val_accuracy", "test_accuracy"]
_MEASURED = [*_ACCURACIES, "wall_time_s", "multiply_adds", "parameters"]
PLACE = ["data", "fraction", "test_set", "device", "where", "host"]
"""What a mean keeps apart: images, test set, device, host and cores (`where` has the last)."""
_RUN = ["seed", *PLACE, "beside", "shares", "code"]
COLUMNS = [*SETTING, "part", *RESNET, *SVM, *_RUN, *_MEASURED, "origin", "pin_memory"]

_SPLIT = "report-70/10/20 seed 42, test "
_SHARING = "shared-gram"  # the engine whose trials share a matrix that no trial's time includes
_NO_SETTING = {"device", "pin_memory", "train_fraction"}


def stored_runs(root: Path) -> pd.DataFrame:
    """Return the store's completed trainings of the technical report's configurations.

    Left out are rows copied from another row of this store, and trainings that are in no grid of
    the technical report.

    Args:
        root: the store's folder.
    Returns: one row for each, with `COLUMNS`. `where` names host, processor and cores; times
        compare only within one. `beside` is whether another trial of the store ran on the host at
        the same time; `shares`, whether the time leaves out a matrix that the search's SVMs shared.
        `data` and `code` are hashes. `origin` is "search/trial".
    Raises: InputError: there is no store.
    """
    trials = read_trials(root)
    ended = pc.equal(trials["status"], "completed")
    named = pc.is_in(trials["dataset"], pa.array(list(DATASETS)))
    rows = [_stored(row) for row in trials.filter(pc.and_(ended, named)).to_pylist()]
    runs = _frame([row for row in rows if row])
    runs["beside"] = runs["trained_by"].isin(_beside_others(trials))
    here = set(runs["origin"])
    copied = runs["copy_of"].isin(here) if len(runs) else runs["copy_of"].astype(bool)
    runs = runs[~copied]
    wanted = pd.MultiIndex.from_frame(grid()[SETTING])
    inside = pd.MultiIndex.from_frame(runs[SETTING]).isin(wanted)
    known: pd.DataFrame = runs[inside].reset_index(drop=True)
    return known


def published_runs() -> pd.DataFrame:
    """Return the technical report's own trainings, in the same form.

    What it did not print is missing. Each configuration of the ResNet grid ran up to three times:
    with pinned memory, without, and again with it. They are seeds 0, 1 and 2 here, although the
    technical report set no seed.
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
    shared = {"fraction": 1.0, "test_set": "standard", "origin": "report", "host": "its machine"}
    where = "the technical report's {}"
    return _frame([{**row, **shared, "where": where.format(row["device"].upper())} for row in rows])


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
    if _given(values.get("optimizer")):
        rate, epochs = float(values["learning_rate"]), int(values["epochs"])
        batch = f"batch {int(values['batch_size'])}, {values['optimizer']}"
        return f"{batch}, lr {rate:g}, {epochs} epochs"
    degree = f" degree={int(values['degree'])}" if _given(values.get("degree")) else ""
    return f"C={float(values['C']):g} gamma={values['gamma']}{degree}"


def by_setting(runs: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each training of the grids, with the means over its seeds in one place.

    A training that ran in several places (`PLACE`) counts in the one where it ran with most seeds,
    among equals in the one with most runs: no mean is over two hosts, devices or sets of images.

    Args:
        runs: any runs. Several runs with one seed in one place count as one.
    Returns: the columns `SETTING` and `PLACE`, the means of all measures, runs (how many seeds),
        test_sd (the standard deviation over seeds, n - 1; NaN for one), test_low, test_high, the
        setting's values, and shares.
    """
    differ = [name for name in PLACE if runs[name].nunique(dropna=False) > 1]
    unit = [*SETTING, *differ]  # to group by columns that are equal in all runs takes long
    seeds = runs.groupby([*unit, "seed"], sort=False, dropna=False)[_MEASURED].mean()
    of_seeds = seeds.groupby(unit, sort=False, dropna=False)
    found = of_seeds.mean()
    test = of_seeds["test_accuracy"]
    found["runs"], found["test_sd"] = of_seeds.size(), test.std()
    found["test_low"], found["test_high"] = test.min(), test.max()
    firsts = ["part", *RESNET, *SVM, "shares", *(name for name in PLACE if name not in differ)]
    found[firsts] = runs.groupby(unit, sort=False, dropna=False)[firsts].first()
    places = found.reset_index()
    if differ:
        places["here"] = places.groupby(differ, dropna=False)["runs"].transform("sum")
        places = places.sort_values(["runs", "here"], ascending=False, kind="stable")
        places = places.drop_duplicates(SETTING).sort_index().drop(columns="here")
    whole: pd.DataFrame = places.reset_index(drop=True)
    return whole


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a frame's rows as mappings."""
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def highest(frame: pd.DataFrame, column: str) -> dict[str, Any]:
    """Return the first row with the largest value of a column, which no row may lack."""
    return records(frame.sort_values(column, ascending=False, kind="stable")[:1])[0]


def _stored(row: dict[str, Any]) -> dict[str, Any] | None:
    """Return a row of the store in this form; None if it is no training of the grids."""
    config = json.loads(row["config"])
    kind = config.pop("architecture", None) or config.pop("kernel", None)
    known = (set(RESNET) if kind in NETWORKS else set(SVM)) | _NO_SETTING
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
        "where": f"{row['device']}, {_cores(row['cpus'] or 0)} on {row['host']}",
        "host": row["host"],
        "data": row["data_hash"],
        "code": row["code_hash"],
        "shares": row["engine"] == _SHARING,
        "test_set": split.removeprefix(_SPLIT),
        "origin": f"{row['search']}/{row['trial']}",
        "copy_of": row["shared_with"] or "",
        "trained_by": _trained_by(row),
    }


def _trained_by(row: dict[str, Any]) -> str:
    """Return "search/trial" of the trial that trained, if this row is a copy or a part of it."""
    other = row["shared_with"] or row["trial"]
    return str(other if "/" in other else f"{row['search']}/{other}")


def _beside_others(trials: pa.Table) -> set[str]:
    """Return "search/trial" of the trials beside which another one ran on the same host."""
    columns = ["search", "trial", "host", "started", "finished", "shared_with"]
    trained = trials.filter(pc.is_null(trials["shared_with"])).select(columns)
    found: set[str] = set()
    running: dict[str, list[tuple[Any, str]]] = {}
    for row in trained.sort_by("started").to_pylist():
        name = _trained_by(row)
        others = [one for one in running.get(row["host"], ()) if one[0] > row["started"]]
        found |= {name, *(other for _, other in others)} if others else set()
        running[row["host"]] = [*others, (row["finished"], name)]
    return found


def _cores(count: float) -> str:
    return "1 core" if count == 1 else f"{count:g} cores"


def _frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    frame: pd.DataFrame = pd.DataFrame(rows, columns=[*COLUMNS, "copy_of", "trained_by"])
    numbers = [*_MEASURED, "batch_size", "learning_rate", "epochs", "C", "degree", "fraction"]
    frame[numbers] = frame[numbers].astype(float)
    frame["setting"] = [setting_text(row) for row in records(frame)]
    at_ten = frame["epochs"] == DEVICE_EPOCHS
    svm = frame["kind"].isin(SVMS)
    frame["part"] = np.where(svm, "svm", np.where(at_ten, "devices", "resnet"))
    return frame


def _given(value: Any) -> bool:
    return (
        value is not None
        and not (isinstance(value, float) and np.isnan(value))
        and value is not pd.NA
    )
