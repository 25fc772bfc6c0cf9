"""How claims are judged: intervals, and the three verdicts they allow.

Nothing here knows any claim. A verdict needs at least three independent differences or ratios. Two
runs that share their first epochs are not independent, so `paired` counts them once.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from scipy import stats

from tune_mnist.analysis.columns import Floats
from tune_mnist.analysis.confirmation import Interval
from tune_mnist.reproduction.runs import RESNET, SVM

Verdict = Literal["holds", "does not hold", "not decidable"]

CONFIDENCE = 0.95
_LEAST = 3
_NOTHING: Interval = (-math.inf, math.inf)


@dataclass(frozen=True)
class Finding:
    """What some runs say about a claim: the verdict, and the numbers behind it."""

    verdict: Verdict
    evidence: str


def all_of(findings: Iterable[Finding]) -> Finding:
    """Return several findings as one: it holds if all hold, and fails if one fails."""
    found = list(findings)
    verdicts = {finding.verdict for finding in found}
    verdict: Verdict = "not decidable"
    if "does not hold" in verdicts:
        verdict = "does not hold"
    elif verdicts == {"holds"}:
        verdict = "holds"
    return Finding(verdict, "; ".join(finding.evidence for finding in found))


def undecided(why: str) -> Finding:
    """Return the finding that these runs cannot decide, and why."""
    return Finding("not decidable", why)


def mean_interval(values: Floats) -> tuple[float, Interval]:
    """Return the mean of (n,) values and Student's 95 % interval; infinite for fewer than three."""
    mean = float(values.mean()) if len(values) else math.nan
    if len(values) < _LEAST:
        return mean, _NOTHING
    half = stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1) * stats.sem(values)
    return mean, (mean - float(half), mean + float(half))


def grid_ratio(above: pd.DataFrame, below: pd.DataFrame) -> tuple[float, Interval]:
    """Return the ratio of two grids' geometric mean times, with a 95 % interval.

    A claim about a grid is about its settings, which are no sample of others. So the interval is
    that of the noise between runs of one setting, pooled over both grids.

    Args:
        above, below: runs in one place, with `setting` and `wall_time_s`; neither is empty.
    Returns: the ratio, and its interval: 0 to infinity if no setting was timed twice.
    """
    mean, error, squares, freedom = 0.0, 0.0, 0.0, 0
    for sign, runs in ((1, above), (-1, below)):
        logs = np.log(runs["wall_time_s"]).groupby(runs["setting"])
        counts = logs.count()
        mean += sign * float(logs.mean().mean())
        error += float((1 / counts).sum()) / len(counts) ** 2
        squares += float((logs.var() * (counts - 1)).sum())
        freedom += int((counts - 1).sum())
    if not freedom:
        return math.exp(mean), (0.0, math.inf)
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, freedom)) * math.sqrt(error * squares / freedom)
    return math.exp(mean), (math.exp(mean - half), math.exp(mean + half))


def paired_ratio(above: Floats, below: Floats) -> tuple[float, Interval]:
    """Return the geometric mean of paired ratios with Student's 95 % interval."""
    mean, (low, high) = mean_interval(np.log(above / below))
    return math.exp(mean), (math.exp(low), math.exp(high) if math.isfinite(high) else math.inf)


def image_interval(first: float, second: float, images: int, comparisons: int = 1) -> Interval:
    """Return the 95 % interval of a difference of two accuracies on the same test images.

    Another draw of test images would give other accuracies. The two models disagree on at most as
    many images as both have errors, so the standard error is at most the root of the sum of their
    error rates / images: the interval is rather too wide than too narrow.

    Args:
        first, second: accuracies, fractions; the difference is the first less the second.
        images: how many test images there are.
        comparisons: how many intervals shall all be right at once (Bonferroni).
    """
    half = stats.norm.ppf(1 - (1 - CONFIDENCE) / 2 / comparisons)
    half *= math.sqrt((2 - first - second) / images)
    return first - second - float(half), first - second + float(half)


def above_zero(interval: Interval) -> Verdict:
    """Return whether a difference is positive: its whole interval, none of it, or a part."""
    low, high = interval
    if low > 0:
        return "holds"
    return "does not hold" if high <= 0 else "not decidable"


def within(interval: Interval, band: Interval) -> Verdict:
    """Return whether a figure is as claimed: its interval inside the band, outside, or across."""
    (low, high), (least, most) = interval, band
    if least <= low and high <= most:
        return "holds"
    return "does not hold" if high < least or most < low else "not decidable"


AGREE = [
    *("dataset", "kind", *RESNET, *SVM),
    *("seed", "data", "fraction", "test_set", "device", "where", "host"),
]
"""The columns in which the two runs of a pair agree, all but what is compared."""

REPEATS = ("epochs", "seed", "where", "host")
"""Pairs that differ in these alone are no independent evidence, so they count as one."""

_COMPARED = {
    "device": ("device", "where"),  # another device is another place
    "dataset": ("dataset", "data"),  # another data set has other images
}


def paired(
    runs: pd.DataFrame,
    column: str,
    pair: tuple[str | float, str | float],
    value: str = "test_accuracy",
    repeats: Sequence[str] = REPEATS,
) -> tuple[Floats, Floats]:
    """Return a measure under two values of a column, in pairs that agree in everything else.

    This is the one place that says what a pair is: two runs with the same hyperparameters (epochs
    too), seed, images, test set, device, host and cores (`AGREE`). A device is compared with
    another on any hosts, but its times on one host only.

    Args:
        runs: rows of `runs.COLUMNS`, or of `by_setting`, which have fewer of these columns.
        column: the column to compare by.
        pair: the two values of that column.
        value: the measure.
        repeats: pairs that differ in these columns alone count once, with their means.
    Returns: two arrays (n,), one value an independent pair, with the pairs in the same order.
    """
    apart = {*_COMPARED.get(column, (column,))}
    if column == "device" and not value.endswith("_s"):
        apart.add("host")
    measured = runs[runs[value].notna()]
    there = [name for name in AGREE if name in runs.columns and name not in apart]
    agree = [  # to group by columns that are equal in all runs takes long
        name
        for name in there
        if name in ("dataset", "kind") or measured[name].nunique(dropna=False) > 1
    ]
    first, second = (
        measured[measured[column] == one].groupby(agree, dropna=False)[value].mean().reset_index()
        for one in pair
    )
    both = first.merge(second, on=agree, suffixes=("_first", "_second"))
    unit = [name for name in agree if name not in repeats]
    means = both.groupby(unit, dropna=False)[[f"{value}_first", f"{value}_second"]].mean()
    return means.iloc[:, 0].to_numpy(float), means.iloc[:, 1].to_numpy(float)


def timed(verdict: Verdict, text: str, runs: pd.DataFrame) -> Finding:
    """Return a finding about wall times, which other trials on the host leave undecided.

    They slow one training down more than another, by an amount that nobody measured.

    Args:
        verdict: what the times say if nothing disturbed them.
        text: the evidence.
        runs: the rows whose times are compared.
    """
    beside = int(runs["beside"].eq(True).sum())  # missing in published runs
    if not beside:
        return Finding(verdict, text)
    return undecided(f"{text}, {beside} of {len(runs)} runs timed beside other trials")


def pairs_text(values: Floats) -> str:
    """Return how many pairs there are: "1 pair", "16 pairs"."""
    return "1 pair" if len(values) == 1 else f"{len(values)} pairs"


def points(fraction: float) -> str:
    """Return a difference of accuracies in points, with its sign."""
    return f"{100 * fraction:+.2f}"


def interval_text(interval: Interval, scale: float = 100.0, sign: str = "+") -> str:
    """Return an interval as text, in points; with `scale` 1 and no `sign`, in its own unit."""
    low, high = interval
    if not (math.isfinite(low) and math.isfinite(high)):
        return "no interval: fewer than 3"
    return f"95 % interval {scale * low:{sign}.2f} to {scale * high:{sign}.2f}"
