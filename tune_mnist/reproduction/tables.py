"""The technical report's Tables 1 to 5 and its grids as text, published and ours side by side.

Our figures are means over the seeds that ran on all training images; runs on a part of them have
their own column. A difference is ours minus published, in points. Beside it is the noise to compare
it with: that of our seeds if there are several, else that of the technical report's own repeats of
the configuration, else "unknown". docs/decisions/009-report-differences.md says why.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from tune_mnist.reproduction.cells import (
    Cell,
    Table,
    missing,
    percent_cell,
    points_cell,
    time_cell,
    words,
)
from tune_mnist.reproduction.published import published
from tune_mnist.reproduction.runs import (
    AS_PRINTED,
    DATASETS,
    KINDS,
    NETWORKS,
    SETTING,
    SVMS,
    by_setting,
    grid,
    highest,
    records,
    setting_text,
)

Settings = pd.DataFrame
"""A frame with one row for each setting (`runs.by_setting`)."""


@dataclass(frozen=True)
class Ours:
    """Our runs and the published ones by setting, ready to be looked up.

    Args:
        full: our runs on all training images.
        parts: our runs on each fraction of the training images, the largest fraction first.
        published: the technical report's own runs.
    """

    full: Settings
    parts: tuple[tuple[float, Settings], ...]
    published: Settings


def ours(runs: pd.DataFrame, theirs: pd.DataFrame) -> Ours:
    """Return the runs on the standard test images, by setting and fraction.

    Args:
        runs: our runs (`runs.stored_runs`).
        theirs: the technical report's own runs (`runs.published_runs`).
    """
    standard = runs[runs["test_set"] == "standard"]
    fractions = sorted(set(standard["fraction"]) - {1.0}, reverse=True)
    of = [(part, by_setting(standard[standard["fraction"] == part])) for part in fractions]
    full = by_setting(standard[standard["fraction"] == 1.0])
    return Ours(full, tuple(of), by_setting(theirs))


def best_named(dataset: str) -> set[tuple[str, str]]:
    """Return kind and setting of a data set's winners in the technical report's Tables 1 and 2."""
    winners = published("winners").rename(columns={"architecture": "kind"})
    svm = published("svm").dropna(subset=["test_accuracy"]).rename(columns={"kernel": "kind"})
    rows = [*records(winners), *records(svm)]
    return {(row["kind"], setting_text(row)) for row in rows if row["dataset"] == dataset}


def look_up(settings: Settings, dataset: str, kind: str, setting: str) -> dict[str, Any] | None:
    """Return the row of one training; None if it did not run."""
    same = (settings["dataset"] == dataset) & (settings["kind"] == kind)
    found = settings[same & (settings["setting"] == setting)]
    return None if found.empty else records(found)[0]


def table_1(of: Ours) -> Table:
    """Return the four winning ResNets."""
    heads = ("dataset", "model", "setting", "published %", "its repeats %", *_OURS)
    rows, incomplete = [], False
    for row in records(published("winners")):
        setting = setting_text(row)
        key = row["dataset"], row["architecture"], setting
        cells = _compared(of, key, row["test_accuracy"])
        incomplete |= any(cell.css == "missing" for cell in cells[:1])
        named = (DATASETS[row["dataset"]], KINDS[row["architecture"]], setting)
        rows.append((*words(named), percent_cell(row["test_accuracy"]), _repeats(of, key), *cells))
    notes = (
        "These winners were chosen by test accuracy, so the published figures are the luckiest runs"
        " of their configurations. “Its repeats” are the technical report's other runs of the same"
        " configuration: with pinned memory, without, and again with it. Table 1 does not print"
        " which of them it shows.",
    )
    return Table("Table 1: best ResNets", heads, tuple(rows), notes, _fill(incomplete, "winners"))


def table_2(of: Ours) -> Table:
    """Return the two best SVMs: the published rows as printed, and what they must mean."""
    heads = ("dataset", "as printed", "as meant", "train %", "ours train %", "published %", *_OURS)
    printed = {
        "mnist": "Poly | 1.0 | 0.01 | 3 | 100.0",
        "fashion-mnist": "RBF | 10.0 | scale | - | 98.4",
    }
    rows, incomplete = [], False
    for row in records(published("svm").dropna(subset=["test_accuracy"])):
        key = row["dataset"], row["kernel"], setting_text(row)
        mine = look_up(of.full, *key)
        train = missing() if mine is None else percent_cell(mine["train_accuracy"])
        cells = _compared(of, key, row["test_accuracy"])
        incomplete |= mine is None
        named = (DATASETS[key[0]], printed[key[0]], f"{key[1]} {key[2]}")
        accuracies = percent_cell(row["train_accuracy"]), train, percent_cell(row["test_accuracy"])
        rows.append((*words(named), *accuracies, *cells))
    notes = (
        "The published table is defective. Its header reads Dataset, Kernel, C, Degree, Train,"
        " Test: gamma is missing, so every value after C has the wrong heading. Gamma is under"
        " “Degree”, the degree under “Train”, the training accuracy under “Test”, and the test"
        " accuracy is not printed. The test accuracies shown here are from the technical report's"
        " text (section 3.3) and its Table 5.",
        "SVM results are exact: they have no seed noise.",
    )
    return Table("Table 2: best SVMs", heads, tuple(rows), notes, _fill(incomplete, "svm"))


def svm_grid(of: Ours) -> Table:
    """Return all SVM settings; the technical report printed two of them."""
    heads = ("dataset", "kernel", "setting", "train %", "val %", "published %", *_OURS, "time")
    settings = grid()
    rows, incomplete = [], False
    printed = published("svm").rename(columns={"kernel": "kind"})
    printed["setting"] = [setting_text(row) for row in records(printed)]
    for row in records(settings[settings["part"] == "svm"]):
        key = row["dataset"], row["kind"], row["setting"]
        mine = look_up(of.full, *key)
        incomplete |= mine is None
        theirs = look_up(printed, *key)
        accuracy = math.nan if theirs is None else theirs["test_accuracy"]
        values = mine or {}
        named = (DATASETS[key[0]], key[1], key[2])
        parts = percent_cell(values.get("train_accuracy")), percent_cell(values.get("val_accuracy"))
        time = _own_time(values)
        rows.append(
            (*words(named), *parts, percent_cell(accuracy), *_compared(of, key, accuracy), time)
        )
    notes = (
        "The technical report names these 20 configurations for both data sets, and printed its"
        " best on each. “+ matrix”: the time leaves out a matrix that the SVMs of a search share.",
    )
    title = "All SVM configurations"
    return Table(title, heads, tuple(rows), notes, _fill(incomplete, "svm"), folded=True)


def resnet_grid(of: Ours) -> Table:
    """Return all ResNet settings, each with the mean of the technical report's runs of it."""
    heads = ("dataset", "model", "setting", "published mean %", "its repeats %", *_OURS, "time")
    settings = grid()
    rows, incomplete = [], False
    for row in records(settings[settings["part"] == "resnet"]):
        key = row["dataset"], row["kind"], row["setting"]
        theirs = look_up(of.published, *key) or {}
        mine = look_up(of.full, *key)
        incomplete |= mine is None
        named = (DATASETS[key[0]], KINDS[key[1]], key[2])
        accuracy = theirs["test_accuracy"]
        time = time_cell((mine or {}).get("wall_time_s"))
        cells = _compared(of, key, accuracy)
        rows.append((*words(named), percent_cell(accuracy), _repeats(of, key), *cells, time))
    title = "All ResNet configurations of the grid"
    return Table(title, heads, tuple(rows), (), _fill(incomplete, "resnet"), folded=True)


def table_3(runs: pd.DataFrame) -> Table:
    """Return wall times on CPU and GPU, and the speed-up.

    Args:
        runs: our runs on all training images and the standard test images.
    """
    notes = ("Ten epochs on FashionMNIST. Times compare only on one machine.",)
    return _devices("Table 3: wall time, CPU against GPU", runs, "wall_time_s", notes)


def table_4(runs: pd.DataFrame) -> Table:
    """Return test accuracies on CPU and GPU.

    Args:
        runs: our runs on all training images and the standard test images.
    """
    notes = (
        "The technical report calls its mean difference of 0.55 points “deterministic training”. A"
        " deterministic training would show no difference at all.",
    )
    return _devices("Table 4: test accuracy, CPU against GPU", runs, "test_accuracy", notes)


def _devices(title: str, runs: pd.DataFrame, column: str, notes: tuple[str, ...]) -> Table:
    cell, between = (
        (time_cell, "speed-up") if column == "wall_time_s" else (percent_cell, "difference")
    )
    heads = ["optimizer", "model"]
    for whose in ("published", "ours"):
        heads += [f"{whose} CPU", f"{whose} GPU", between]
    theirs = published("devices").rename(columns={"architecture": "kind"})
    theirs["host"] = "its machine"
    mine = by_device(runs[runs["part"] == "devices"])
    rows, incomplete = [], {"cpu": False, "gpu": False}
    for optimizer in ("sgd", "adam"):
        for kind in NETWORKS:
            cells: list[Cell] = [*words((optimizer, KINDS[kind]))]
            for side in (theirs, mine):
                of = side[(side["kind"] == kind) & (side["optimizer"] == optimizer)]
                means = of.groupby("device")[column].mean()
                for device in ("cpu", "gpu"):
                    there = device in means.index
                    incomplete[device] |= not there
                    cells.append(cell(means[device]) if there else missing())
                cells.append(_between(means, column, of["host"].nunique() == 1))
            rows.append(tuple(cells))
    if incomplete["gpu"]:
        notes += ("This store has no run on a GPU for our GPU column.",)
    return Table(
        title, tuple(heads), tuple(rows), notes, _fill(any(incomplete.values()), "devices")
    )


def by_device(runs: pd.DataFrame) -> Settings:
    """Return the means of each training on each device, of a host that has both if one has."""
    devices = runs.groupby([*SETTING, "host"], dropna=False)["device"].transform("nunique")
    most = devices.groupby([runs[name] for name in SETTING]).transform("max")
    of_devices = [by_setting(of) for _, of in runs[devices == most].groupby("device")]
    return pd.concat(of_devices, ignore_index=True) if of_devices else by_setting(runs)


def _between(means: pd.Series, column: str, one_host: bool) -> Cell:
    if not {"cpu", "gpu"} <= set(means.index):
        return Cell("–")
    if column == "wall_time_s":
        if not one_host:
            return Cell("two hosts", "noise")
        return Cell(f"{means['cpu'] / means['gpu']:.2f}×")
    return Cell(f"{100 * (means['gpu'] - means['cpu']):+.2f}")


def table_5(of: Ours) -> Table:
    """Return the best of each method, chosen by test accuracy (as published) and by validation."""
    heads = (
        "method",
        "dataset",
        "published %",
        "ours, by test %",
        "difference",
        "ours, by validation %",
        "of settings",
        "published time",
        "our time",
    )
    rows, incomplete = [], False
    for method in records(published("methods")):
        kind = method["kind"]
        whole = grid()
        for dataset, name in DATASETS.items():
            there = (of.full["dataset"] == dataset) & (of.full["kind"] == kind)
            mine = of.full[there & (of.full["part"] != "devices")]
            wanted = (whole["dataset"] == dataset) & (whole["kind"] == kind)
            size = int((wanted & (whole["part"] != "devices")).sum())
            incomplete |= len(mine) < size
            theirs = method[dataset.replace("-", "_")]
            cells = [*words((KINDS[kind], name)), percent_cell(theirs)]
            rows.append(
                (
                    *cells,
                    *_best_of(mine, theirs, size),
                    time_cell(method["wall_time_s"]),
                    _best_time(mine),
                )
            )
    notes: tuple[str, ...] = (
        "The technical report chose by test accuracy. Choosing by validation accuracy is fair; both"
        " are shown here. If only some settings of the grid ran, our best is a lower bound. The"
        " published times were measured on a GPU for ResNets and on a CPU for SVMs, so they do not"
        " compare the methods. “+ matrix”: our SVMs of one search share a matrix of inner products,"
        " built once; no trial's time includes that, so such a time is not that of one training.",
    )
    notes = (*notes, *_not_its_best(of.full))
    return Table("Table 5: best of each method", heads, tuple(rows), notes, _fill(incomplete, ""))


def _not_its_best(full: Settings) -> Iterator[str]:
    """Yield a note for each SVM kernel whose published best is not the best of its grid."""
    for method in records(published("methods").query("device == 'cpu'")):
        for dataset, name in DATASETS.items():
            theirs = method[dataset.replace("-", "_")]
            mine = full[(full["dataset"] == dataset) & (full["kind"] == method["kind"])]
            if mine.empty or mine["test_accuracy"].max() < theirs + AS_PRINTED:
                continue
            best = highest(mine, "test_accuracy")
            same = mine[(mine["test_accuracy"] - theirs).abs() <= AS_PRINTED]["setting"]
            by = " and ".join(same) or "no setting"
            yield (
                f"{KINDS[method['kind']]} on {name}: in our grid, the published {theirs:.2%}"
                f" is the accuracy of {by}. The grid's best test accuracy is"
                f" {best['test_accuracy']:.2%},"
                f" with {best['setting']}."
            )


def _best_of(mine: Settings, theirs: float, size: int) -> tuple[Cell, ...]:
    count = Cell(f"{len(mine)} of {size}")
    if mine.empty:
        return missing(), Cell("–"), missing(), count
    by_test = mine["test_accuracy"].max()
    by_validation = highest(mine, "val_accuracy")["test_accuracy"]
    return percent_cell(by_test), points_cell(by_test - theirs), percent_cell(by_validation), count


def _best_time(mine: Settings) -> Cell:
    if mine.empty:
        return missing()
    return _own_time(highest(mine, "val_accuracy"))


def _own_time(mine: dict[str, Any]) -> Cell:
    """Return the cell of our wall time; it says if a matrix that SVMs share is left out."""
    cell = time_cell(mine.get("wall_time_s"))
    return replace(cell, text=f"{cell.text} + matrix") if mine.get("shares") is True else cell


_OURS = ("ours %", "difference", "noise", "on a part %")


def _compared(of: Ours, key: tuple[str, str, str], theirs: float) -> tuple[Cell, ...]:
    """Return the cells of `_OURS`: ours at full size, difference, noise, ours on a part."""
    mine, part = look_up(of.full, *key), _on_a_part(of, key)
    if mine is None:
        return missing(), Cell("–"), _noise(of, None, key), part
    seeds = f" ({mine['runs']:.0f} seeds)" if mine["runs"] > 1 else ""
    accuracy = Cell(f"{percent_cell(mine['test_accuracy']).text}{seeds}")
    return accuracy, points_cell(mine["test_accuracy"] - theirs), _noise(of, mine, key), part


def _noise(of: Ours, mine: dict[str, Any] | None, key: tuple[str, str, str]) -> Cell:
    """Return the standard deviation over seeds, and whose seeds they are."""
    if key[1] in SVMS:
        return Cell("exact", "noise")
    if mine is not None and mine["runs"] > 1:
        return Cell(f"±{100 * mine['test_sd']:.2f} our seeds", "noise")
    theirs = look_up(of.published, *key)
    if theirs is not None and theirs["runs"] > 1:
        return Cell(f"±{100 * theirs['test_sd']:.2f} its repeats", "noise")
    return Cell("unknown", "noise")


def _on_a_part(of: Ours, key: tuple[str, str, str]) -> Cell:
    """Return ours on the largest fraction that ran, with that fraction."""
    for fraction, settings in of.parts:
        if (row := look_up(settings, *key)) is not None:
            sd = f" ±{100 * row['test_sd']:.2f}" if row["runs"] > 1 else ""
            return Cell(
                f"{100 * row['test_accuracy']:.2f}{sd} at {100 * fraction:g} %", "number part"
            )
    return Cell("–")


def _repeats(of: Ours, key: tuple[str, str, str]) -> Cell:
    theirs = look_up(of.published, *key)
    if theirs is None or theirs["runs"] < 2:
        return Cell("–")
    low, high = 100 * theirs["test_low"], 100 * theirs["test_high"]
    return Cell(f"{low:.2f}–{high:.2f} ({theirs['runs']:.0f} runs)")


def _fill(incomplete: bool, part: str) -> str:
    """Return the part that would fill a table's missing cells, "" if no cell is missing."""
    return (part or "all") if incomplete else ""
