"""A search in which no trial starts says so, once; a trial that is late is killed."""

from __future__ import annotations

import math
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import ray

from tune_mnist.searching.observer import Observer
from tune_mnist.searching.on_ray.events import LATE_S, TrialEvents
from tune_mnist.searching.on_ray.recorder import Attempt, Recorder
from tune_mnist.searching.stopping.ending import Ending


class Told(Observer):
    """Keeps what it was told."""

    def __init__(self) -> None:
        self.stalls: list[tuple[float, Path]] = []

    def stalled(self, seconds: float, logs: Path) -> None:
        self.stalls.append((seconds, logs))


def test_no_trial_for_a_minute_is_told_once(
    running_ray: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    observer, now = Told(), [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    unused: Any = None
    events = TrialEvents(cast(Recorder, unused), cast(Ending, unused), observer, None)
    for now[0] in (0.0, 59.0, 61.0, 200.0):
        events.look()
    ((seconds, logs),) = observer.stalls
    assert seconds == 60
    assert (logs / "raylet.out").exists()


def test_while_a_trial_runs_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    observer, now = Told(), [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    unused: Any = None
    events = TrialEvents(cast(Recorder, unused), cast(Ending, unused), observer, None)
    running: dict[str, Any] = events._running
    running["1"] = object()
    for now[0] in (0.0, 500.0):
        events.look()
    running.clear()
    now[0] = 550.0
    events.look()
    assert observer.stalls == []


def test_a_late_trial_is_killed_but_not_while_it_waits_for_what_all_share(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    killed: list[str] = []
    monkeypatch.setattr(ray, "kill", killed.append)
    trial: Any = SimpleNamespace(temporary_state=SimpleNamespace(ray_actor="its process"))
    unused: Any = None
    events = TrialEvents(cast(Recorder, unused), cast(Ending, unused), Told(), 5.0)
    attempt = Attempt(trial, {}, turn=time.monotonic() - 1000)
    events._running["1"] = attempt
    events.late_s = math.inf
    events.look()
    other = Attempt(trial, {"C": 1.0}, turn=attempt.turn)
    events._running["2"] = other
    events.restart_clocks(waited_s=10, waited=lambda config: "C" not in config)
    assert attempt.turn > other.turn
    del events._running["2"]
    events.look()
    attempt.turn = time.monotonic() - (5 + LATE_S + 20) + 1
    events.look()
    assert killed == []
    attempt.turn -= 2
    events.look()
    assert killed == ["its process"]
