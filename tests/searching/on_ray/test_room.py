"""What a search on a cluster waits for is said once, and ends it after an hour."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import ray

from tests.searching.conftest import SVM, plan_text
from tune_mnist.errors import InputError
from tune_mnist.searching.on_ray.session.room import SAID_AFTER_S, WAITS_S, Waiting


def test_a_search_without_room_says_what_it_waits_for_and_ends(
    running_ray: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a real Ray, whose two CPUs another takes, and where a third waits for its place."""
    other = ray.util.placement_group([{"CPU": 2}])
    ray.get(other.ready())
    ours = ray.util.placement_group([{"CPU": 1}])
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    waiting = Waiting(plan_text(tmp_path, SVM))
    said = []
    try:
        for now[0] in (1000.0, 1001.0, 1001.0 + SAID_AFTER_S, 1100.0):
            said.append(waiting.look(running=False))
        expected = "waiting for 1 CPU; the cluster has 2 CPUs, all in use"
        assert said == [None, None, expected, None]
        now[0] = 1001.0 + WAITS_S
        with pytest.raises(InputError, match=rf"{expected}, for 1 h.*resume the search when"):
            waiting.look(running=False)
        assert waiting.look(running=True) is None
        assert waiting.said == ""
    finally:
        ray.util.remove_placement_group(ours)
        ray.util.remove_placement_group(other)


def test_a_search_whose_trial_is_being_started_waits_for_nothing(
    running_ray: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    waiting = Waiting(plan_text(tmp_path, SVM))
    for now[0] in (1000.0, 2000.0, 9000.0):
        assert waiting.look(running=False) is None
