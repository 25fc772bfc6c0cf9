"""The technical report's claims about ResNets (section 2), as checks of any runs of its grid.

What a pair is stands in `evidence.paired`.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from scipy import stats

from tune_mnist.reproduction.evidence import (
    CONFIDENCE,
    Finding,
    above_zero,
    all_of,
    crowded,
    interval_text,
    mean_interval,
    paired,
    paired_ratio,
    pairs_text,
    points,
    undecided,
    within,
)
from tune_mnist.reproduction.runs import DATASETS, KINDS, NETWORKS, by_setting, highest

_GRID = 16  # settings of one network on one data set
_HARDER = (0.08, 0.12)
_FASTER = (2.65 / 1.1, 2.65 * 1.1)


def resnet18_beats_resnet50(runs: pd.DataFrame) -> Finding:
    """ResNet-18 is more accurate on both data sets, in pairs of equal hyperparameters."""
    return all_of(_networks(_grid(runs), dataset) for dataset in DATASETS)


def _networks(runs: pd.DataFrame, dataset: str) -> Finding:
    pairs = paired(runs[runs["dataset"] == dataset], "kind", NETWORKS)
    differences = pairs[0] - pairs[1]
    if not len(differences):
        return undecided(f"{DATASETS[dataset]}: no pair")
    mean, interval = mean_interval(differences)
    won = f"{(differences > 0).sum()} of {pairs_text(differences)}"
    text = f"{DATASETS[dataset]}: {points(mean)} points, {interval_text(interval)}, {won}"
    return Finding(above_zero(interval), text)


def sgd_best_on_mnist(runs: pd.DataFrame) -> Finding:
    """The best configuration on MNIST uses SGD, beyond seed noise."""
    return _best_optimizer(_grid(runs), "mnist", "sgd", "adam")


def adam_best_on_fashion(runs: pd.DataFrame) -> Finding:
    """The best configuration on FashionMNIST uses Adam, beyond seed noise."""
    return _best_optimizer(_grid(runs), "fashion-mnist", "adam", "sgd")


def _best_optimizer(runs: pd.DataFrame, dataset: str, claimed: str, other: str) -> Finding:
    """Compare the test accuracies of each optimizer's best setting by validation.

    The noise is pooled over the repeated settings of the networks that these two use.
    """
    settings = by_setting(runs[(runs["dataset"] == dataset) & runs["val_accuracy"].notna()])
    groups = [settings[settings["optimizer"] == name] for name in (claimed, other)]
    if min(map(len, groups)) < _GRID:
        pairs = zip(groups, (claimed, other), strict=True)
        counts = " and ".join(f"{len(group)} with {name}" for group, name in pairs)
        return undecided(f"only {counts} ran, of {_GRID} settings each")
    best = [highest(group, "val_accuracy") for group in groups]
    difference = best[0]["test_accuracy"] - best[1]["test_accuracy"]
    both = ", ".join(f"{KINDS[row['kind']]} {row['setting']}" for row in best)
    text = f"{points(difference)} points between the best of each ({both})"
    alike = runs["kind"].isin([row["kind"] for row in best])
    sd, freedom = pooled_noise(runs[alike & (runs["dataset"] == dataset)])
    if not freedom:
        return undecided(f"{text}; no setting ran on two seeds, so the noise is unknown")
    spread = sd * math.sqrt(sum(1 / row["runs"] for row in best))
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, freedom)) * spread
    interval = (difference - half, difference + half)
    text += f", {interval_text(interval)} (seed noise {100 * sd:.2f}, {freedom} degrees of freedom)"
    return Finding(above_zero(interval), text)


def pooled_noise(runs: pd.DataFrame) -> tuple[float, int]:
    """Return the pooled standard deviation of repeated runs' test accuracy, and its freedom."""
    groups = runs.groupby(["dataset", "kind", "setting"])["test_accuracy"]
    counts, variances = groups.count(), groups.var()
    repeated = counts > 1
    freedom = int((counts[repeated] - 1).sum())
    if not freedom:
        return math.nan, 0
    return math.sqrt(float(((counts - 1) * variances)[repeated].sum()) / freedom), freedom


def fashion_ten_points_harder(runs: pd.DataFrame) -> Finding:
    """Accuracy on FashionMNIST is about 10 points lower, in pairs of equal configurations."""
    pairs = paired(_grid(runs), "dataset", ("mnist", "fashion-mnist"))
    if not len(pairs[0]):
        return undecided("no configuration ran on both")
    mean, interval = mean_interval(pairs[0] - pairs[1])
    text = f"{100 * mean:.2f} points lower over {pairs_text(pairs[0])}, "
    text += interval_text(interval, sign="")
    return Finding(within(interval, _HARDER), text)


def resnet18_trains_faster(runs: pd.DataFrame) -> Finding:
    """ResNet-18 trains 2.65 times as fast on average, within 10 %, in pairs on one machine."""
    timed = _grid(runs)
    pairs = paired(timed, "kind", ("resnet50", "resnet18"), "wall_time_s")
    if not len(pairs[0]):
        return undecided("no pair was timed on one machine")
    ratio, interval = paired_ratio(*pairs)
    text = f"{ratio:.2f}× over {pairs_text(pairs[0])}, {interval_text(interval, 1, '')}"
    return Finding(within(interval, _FASTER), text + crowded(timed))


def test_would_choose_the_same(runs: pd.DataFrame) -> Finding:
    """Test accuracy and validation accuracy pick winners that are equally good on other seeds."""
    known = _grid(runs)
    groups = ((dataset, kind) for dataset in DATASETS for kind in NETWORKS)
    return all_of(picks(known, *group) for group in groups)


test_would_choose_the_same.__test__ = False  # type: ignore[attr-defined]  # pytest must skip it


def picks(runs: pd.DataFrame, dataset: str, kind: str) -> Finding:
    """Compare the settings that test and validation accuracy pick, on the seeds that picked none.

    The picking run is lucky on its own test images, so it is no evidence for its setting.
    """
    name = f"{KINDS[kind]} on {DATASETS[dataset]}"
    mine = runs[(runs["dataset"] == dataset) & (runs["kind"] == kind)]
    chosen = mine[mine["val_accuracy"].notna()]
    if chosen["setting"].nunique() < _GRID:
        return undecided(f"{name}: {chosen['setting'].nunique()} of {_GRID} settings")
    by_test, by_validation = (
        highest(chosen, column) for column in ("test_accuracy", "val_accuracy")
    )
    optimism = by_test["test_accuracy"] - by_validation["test_accuracy"]
    text = f"{name}: {points(optimism)} points"
    if by_test["setting"] == by_validation["setting"]:
        return Finding("holds", f"{text}, the same setting")
    first, second = (
        mine[(mine["setting"] == pick["setting"]) & (mine["seed"] != pick["seed"])]["test_accuracy"]
        for pick in (by_test, by_validation)
    )
    sd, freedom = pooled_noise(mine)
    if not (len(first) and len(second) and freedom):
        return undecided(f"{text} where chosen; no other seeds to compare the two settings on")
    difference = float(first.mean() - second.mean())
    spread = sd * math.sqrt(1 / len(first) + 1 / len(second))
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, freedom)) * spread
    interval = (difference - half, difference + half)
    text += f" where chosen, {points(difference)} on other seeds, {interval_text(interval)}"
    apart = interval[0] > 0 or interval[1] < 0
    return Finding("does not hold" if apart else "not decidable", text)


def has_parameters(runs: pd.DataFrame) -> Finding:
    """The networks have 11.7 and 25.6 million parameters, to the printed digits."""
    claimed = {"resnet18": 11.7, "resnet50": 25.6}
    return all_of(
        _size(runs, kind, "parameters", millions, 0.051)  # half the last printed digit
        for kind, millions in claimed.items()
    )


def has_flops(runs: pd.DataFrame) -> Finding:
    """The networks need 37.2 and 84.3 million multiply-adds for an image, within 2 %.

    The technical report counts convolutions, the last layer, and 4 operations for each number that
    a BatchNorm puts out. The store leaves out BatchNorm, which makes 1 % less.
    """
    claimed = {"resnet18": 37.2, "resnet50": 84.3}
    return all_of(
        _size(runs, kind, "multiply_adds", millions, 0.02 * millions)
        for kind, millions in claimed.items()
    )


def _size(runs: pd.DataFrame, kind: str, column: str, millions: float, within: float) -> Finding:
    counted = runs[runs["kind"] == kind][column].dropna().unique()
    if not len(counted):
        return undecided(f"{KINDS[kind]}: no run recorded it")
    right = bool(np.all(np.abs(counted / 1e6 - millions) <= within))
    counts = " and ".join(f"{count / 1e6:.2f} M" for count in counted)
    return Finding("holds" if right else "does not hold", f"{KINDS[kind]}: {counts}")


def _grid(runs: pd.DataFrame) -> pd.DataFrame:
    part: pd.DataFrame = runs.query("part == 'resnet'")
    return part
