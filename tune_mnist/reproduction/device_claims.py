"""The technical report's claims about CPU and GPU (section 4): four trainings of ten epochs."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tune_mnist.reproduction.evidence import (
    Finding,
    all_of,
    interval_text,
    mean_interval,
    paired,
    paired_ratio,
    pairs_text,
    points,
    undecided,
    within,
)
from tune_mnist.reproduction.runs import KINDS, NETWORKS

_UNIT = ["kind", "optimizer"]
_EQUAL = (-0.0055, 0.0055)  # the technical report's own "negligible" 0.55 points
_TIME = (2.25 / 1.1, 2.25 * 1.1)
_ONE_DEVICE = "no training ran on both a CPU and a GPU"


def equal_on_cpu_and_gpu(runs: pd.DataFrame) -> Finding:
    """Accuracy is equal on CPU and GPU, up to the 0.55 points that it calls negligible."""
    gpu, cpu = paired(_part(runs), "device", ("gpu", "cpu"), _UNIT)
    if not len(gpu):
        return undecided(_ONE_DEVICE)
    mean, interval = mean_interval(gpu - cpu)
    text = f"GPU {points(mean)} points over {pairs_text(gpu)}, {interval_text(interval)}"
    return Finding(within(interval, _EQUAL), text)


def deterministic(runs: pd.DataFrame) -> Finding:
    """Training is deterministic: CPU and GPU give exactly the same accuracy."""
    gpu, cpu = paired(_part(runs), "device", ("gpu", "cpu"), [*_UNIT, "seed"])
    if not len(gpu):
        return undecided(_ONE_DEVICE)
    differences = np.abs(gpu - cpu)
    most = 100 * differences.max()
    text = f"{(differences > 0).sum()} of {pairs_text(gpu)} differ, by up to {most:.2f} points"
    if differences.max() > 0:
        return Finding("does not hold", text)
    return Finding("holds", text) if len(gpu) >= 3 else undecided(text)


def gpu_speedup_grows(runs: pd.DataFrame) -> Finding:
    """With either optimizer, the GPU speeds up the larger network more than the smaller one."""
    ratios: dict[str, dict[str, float]] = {}
    for optimizer in ("sgd", "adam"):
        mine = _part(runs)[_part(runs)["optimizer"] == optimizer]
        cpu, gpu = paired(mine, "device", ("cpu", "gpu"), ["kind"], "wall_time_s")
        if len(cpu) < len(NETWORKS):
            return undecided(_ONE_DEVICE)
        ratios[optimizer] = dict(zip(sorted(NETWORKS), cpu / gpu, strict=True))
    found = []
    for optimizer, of in ratios.items():
        text = ", ".join(f"{KINDS[kind]} {ratio:.2f}×" for kind, ratio in of.items())
        larger = of["resnet50"] > of["resnet18"]
        found.append(Finding("holds" if larger else "does not hold", f"{optimizer}: {text}"))
    return all_of(found)


def time_follows_flops(runs: pd.DataFrame) -> Finding:
    """On each device, ResNet-50 takes 2.25 times as long as ResNet-18, within 10 %."""
    networks = runs[runs["kind"].isin(NETWORKS)]
    unit = ["where", "dataset", "batch_size", "optimizer", "learning_rate"]
    found = []
    for device, of_device in networks.groupby("device"):
        pairs = paired(of_device, "kind", ("resnet50", "resnet18"), unit, "wall_time_s")
        if not len(pairs[0]):
            continue
        ratio, interval = paired_ratio(*pairs)
        spread = interval_text(interval, 1, "")
        text = f"{str(device).upper()}: {ratio:.2f}× over {pairs_text(pairs[0])}, {spread}"
        found.append(Finding(within(interval, _TIME), text))
    return all_of(found) if found else undecided("no pair was timed on one machine")


def _part(runs: pd.DataFrame) -> pd.DataFrame:
    part: pd.DataFrame = runs.query("part == 'devices'")
    return part
