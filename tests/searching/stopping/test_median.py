"""The median stopping rule decides as Ray Tune's does."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
from ray.tune.schedulers import TrialScheduler

from tune_mnist.searching.on_ray.scheduling.schedulers import SCHEDULERS
from tune_mnist.searching.stopping.median import is_below_median
from tune_mnist.spaces.reading import read_external


@dataclass(frozen=True)
class Trial:
    trial_id: str


NONE_WAITS = SimpleNamespace(get_live_trials=list)  # of Tune's controller


@pytest.mark.parametrize("metric", ["val_accuracy", "val_loss"])
def test_the_same_trials_are_stopped_at_the_same_measurements(metric: str) -> None:
    given = {
        "dataset": "toy",
        "parameters": {"C": {"uniform": [0.0, 1.0]}, "epochs": 8},
        "objective": {"metric": metric},
        "search": {"scheduler": "median", "trials": 20},
    }
    space, draw = read_external(given), random.Random(0)
    rays: Any = SCHEDULERS["median"](space, "cpu")
    curves: dict[int, list[dict[str, Any]]] = defaultdict(list)
    decided = []
    trials = [Trial(str(number)) for number in range(20)]
    running = {number: draw.random() for number in range(20)}
    while running:
        number = draw.choice(list(running))
        step = len(curves[number]) + 1
        value = running[number] + draw.uniform(-0.2, 0.2)
        measured = {"step": step, "fidelity": float(step), metric: value}
        curves[number].append(measured)
        theirs = rays.on_trial_result(NONE_WAITS, trials[number], measured)
        others = [curve for other, curve in curves.items() if other != number]
        ours = is_below_median(space, curves[number], others)
        decided.append(ours)
        assert ours == (theirs == TrialScheduler.STOP)
        if ours or step == 8:
            del running[number]
    assert True in decided
