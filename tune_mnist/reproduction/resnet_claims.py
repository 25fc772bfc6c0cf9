"""The technical report's claims about ResNets (section 2), as checks of any runs of its grid.

What a pair is stands in `evidence.paired`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from tune_mnist.reproduction.evidence import (
    CONFIDENCE,
    Finding,
    above_zero,
    all_of,
    interval_text,
    mean_interval,
    paired,
    paired_ratio,
    pairs_text,
    points,
    timed,
    undecided,
    within,
)
from tune_mnist.reproduction.runs import (
    DATASETS,
    KINDS,
    NETWORKS,
    PLACE,
    SETTING,
    by_setting,
    highest,
)

_GRID = 16  # settings of one network on one data set
_HARDER = (0.08, 0.12)
_NEGLIGIBLE = (-0.0055, 0.0055)  # what the technical report calls negligible
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
    """Return the pooled standard deviation of repeated runs' test accuracy, and its freedom.

    A run is repeated by another seed in the same place, on the same images.
    """
    groups = runs.groupby([*SETTING, *PLACE], dropna=False)["test_accuracy"]
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
    grid = _grid(runs)
    pairs = paired(grid, "kind", ("resnet50", "resnet18"), "wall_time_s")
    if not len(pairs[0]):
        return undecided("no pair was timed on one machine")
    ratio, interval = paired_ratio(*pairs)
    text = f"{ratio:.2f}× over {pairs_text(pairs[0])}, {interval_text(interval, 1, '')}"
    return timed(within(interval, _FASTER), text, grid[grid["wall_time_s"].notna()])


@dataclass(frozen=True)
class Gain:
    """What choosing by test instead of validation accuracy gains, on one data set and network.

    Args:
        told: where, and what it seems to gain on the run that was chosen.
        points: the difference of test accuracy on the seeds that chose nothing; None if unknown.
        variance: of that difference.
        freedom: degrees of freedom of the variance; infinite for 0, where both chose one setting.
    """

    told: str
    points: float | None
    variance: float = 0.0
    freedom: float = math.inf


def test_would_choose_the_same(runs: pd.DataFrame) -> Finding:
    """Choosing by test accuracy gains less than 0.55 points, on average over the four grids.

    The run that was chosen is lucky on its own test images, so it is no evidence for its setting.
    """
    known = _grid(runs)
    gains = [_gain(known, dataset, kind) for dataset in DATASETS for kind in NETWORKS]
    told = "; ".join(gain.told for gain in gains)
    points_gained = [gain.points for gain in gains if gain.points is not None]
    if len(points_gained) < len(gains):
        return undecided(told)
    mean = sum(points_gained) / len(gains)
    error = math.sqrt(sum(gain.variance for gain in gains)) / len(gains)
    half = 0.0
    if error:
        freedom = min(gain.freedom for gain in gains)
        half = float(stats.t.ppf((1 + CONFIDENCE) / 2, freedom)) * error
    interval = (mean - half, mean + half)
    told = f"{points(mean)} points on other seeds, {interval_text(interval)}; {told}"
    return Finding(within(interval, _NEGLIGIBLE), told)


test_would_choose_the_same.__test__ = False  # type: ignore[attr-defined]  # pytest must skip it


def _gain(runs: pd.DataFrame, dataset: str, kind: str) -> Gain:
    name = f"{KINDS[kind]} on {DATASETS[dataset]}"
    mine = runs[(runs["dataset"] == dataset) & (runs["kind"] == kind)]
    chosen = mine[mine["val_accuracy"].notna()]
    if chosen["setting"].nunique() < _GRID:
        return Gain(f"{name}: {chosen['setting'].nunique()} of {_GRID} settings", None)
    picks = [highest(chosen, column) for column in ("test_accuracy", "val_accuracy")]
    optimism = picks[0]["test_accuracy"] - picks[1]["test_accuracy"]
    text = f"{name}: {points(optimism)} points where chosen"
    if picks[0]["setting"] == picks[1]["setting"]:
        return Gain(f"{text}, the same setting", 0.0)
    first, second = (
        mine[(mine["setting"] == pick["setting"]) & (mine["seed"] != pick["seed"])]["test_accuracy"]
        for pick in picks
    )
    sd, freedom = pooled_noise(mine)
    if not (len(first) and len(second) and freedom):
        return Gain(f"{text}; no other seeds to compare the two settings on", None)
    difference = float(first.mean() - second.mean())
    variance = sd**2 * (1 / len(first) + 1 / len(second))
    return Gain(f"{text}, {points(difference)} on other seeds", difference, variance, freedom)


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
