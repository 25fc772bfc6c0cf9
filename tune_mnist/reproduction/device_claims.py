"""The technical report's claims about CPU and GPU (section 4): four trainings of ten epochs."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from tune_mnist.analysis.columns import Floats
from tune_mnist.reproduction.evidence import (
    AGREE,
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
from tune_mnist.reproduction.runs import KINDS, NETWORKS

_EQUAL = (-0.0055, 0.0055)  # the technical report's own "negligible" 0.55 points
_TIME = (2.25 / 1.1, 2.25 * 1.1)
_ONE_TRAINING = ("epochs", "where", "host")  # two seeds are timed apart
_ONE_DEVICE = "no training ran on both a CPU and a GPU"


def equal_on_cpu_and_gpu(runs: pd.DataFrame) -> Finding:
    """Accuracy is equal on CPU and GPU, up to the 0.55 points that it calls negligible."""
    gpu, cpu = paired(_part(runs), "device", ("gpu", "cpu"))
    if not len(gpu):
        return undecided(_ONE_DEVICE)
    mean, interval = mean_interval(gpu - cpu)
    text = f"GPU {points(mean)} points over {pairs_text(gpu)}, {interval_text(interval)}"
    return Finding(within(interval, _EQUAL), text)


def deterministic(runs: pd.DataFrame) -> Finding:
    """The same training, run again in the same place, gives exactly the same accuracy.

    A CPU and a GPU that differ refute nothing: they add up in another order. Neither do two
    versions of the code or of its libraries.
    """
    same = [*AGREE, "code"]
    known = runs[runs["test_accuracy"].notna() & runs["seed"].notna()]
    accuracies = known.groupby(same, dropna=False)["test_accuracy"].agg(["size", "min", "max"])
    again = accuracies[accuracies["size"] > 1]
    if again.empty:
        return undecided("no training ran twice with one seed in one place")
    spread = again["max"] - again["min"]
    text = f"{(spread > 0).sum()} of {len(again)} repeated trainings differ"
    if spread.max() > 0:
        return Finding("does not hold", f"{text}, by up to {100 * spread.max():.2f} points")
    return Finding("holds", text) if len(again) >= 3 else undecided(f"{text}: fewer than 3")


def gpu_speedup_grows(runs: pd.DataFrame) -> Finding:
    """On one host, the GPU speeds up the larger network more than the smaller one."""
    whole = _all_four(_part(runs))
    gains: dict[str, Floats] = {}
    for kind in ("resnet50", "resnet18"):
        of_kind = whole[whole["kind"] == kind]
        cpu, gpu = paired(of_kind, "device", ("cpu", "gpu"), "wall_time_s", _ONE_TRAINING)
        gains[kind] = cpu / gpu
    larger, smaller = gains.values()
    if not len(larger):
        return undecided(f"{_ONE_DEVICE} of one host")
    mean, interval = mean_interval(np.log(larger / smaller))
    factors = (math.exp(interval[0]), math.exp(interval[1]) if interval[1] < 700 else math.inf)
    text = f"ResNet-50 gains {math.exp(mean):.2f}× what ResNet-18 gains, over {pairs_text(larger)}"
    speedups = ", ".join(f"{KINDS[kind]} {of.mean():.2f}×" for kind, of in gains.items())
    text = f"{text}, {interval_text(factors, 1, '')} ({speedups})"
    return timed(above_zero(interval), text, whole)


def _all_four(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the runs of trainings that both networks did on both devices of one host."""
    known = runs[runs["wall_time_s"].notna()]
    same = [name for name in AGREE if name not in ("kind", "device", "where")]
    cells = known.assign(cell=known["kind"] + known["device"]).groupby(same, dropna=False)["cell"]
    whole: pd.DataFrame = known[cells.transform("nunique") == 2 * len(NETWORKS)]
    return whole


def time_follows_flops(runs: pd.DataFrame) -> Finding:
    """On each device, ResNet-50 takes 2.25 times as long as ResNet-18, within 10 %."""
    networks = runs[runs["kind"].isin(NETWORKS)]
    found = []
    for device, of_device in networks.groupby("device"):
        pairs = paired(of_device, "kind", ("resnet50", "resnet18"), "wall_time_s")
        if not len(pairs[0]):
            continue
        ratio, interval = paired_ratio(*pairs)
        spread = interval_text(interval, 1, "")
        text = f"{str(device).upper()}: {ratio:.2f}× over {pairs_text(pairs[0])}, {spread}"
        known = of_device[of_device["wall_time_s"].notna()]
        found.append(timed(within(interval, _TIME), text, known))
    return all_of(found) if found else undecided("no pair was timed on one machine")


def _part(runs: pd.DataFrame) -> pd.DataFrame:
    part: pd.DataFrame = runs.query("part == 'devices'")
    return part
