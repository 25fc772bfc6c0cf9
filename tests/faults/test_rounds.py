"""Real searches are struck at seeded moments: resumed, they lose nothing (more in rounds.py)."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.faults.kills.searches import undisturbed
from tests.faults.rounds import play


def test_svms_killed_in_mid_write_and_without_a_worker_lose_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2-of-the-environment")
    calm = undisturbed(tmp_path / "calm", "svm")
    played = play(tmp_path / "svm", "svm", calm, random.Random(0), ("write", "worker"))
    assert played.faults == []
    assert played.victims[0] == "write"
    assert played.resumes >= 1
    written = [path for path in tmp_path.rglob("results*/**/*") if path.is_file()]
    assert written
    assert not [path for path in written if b"hunter2" in path.read_bytes()]


def test_resnets_continue_from_their_states_after_ctrl_c_and_a_kill(tmp_path: Path) -> None:
    calm = undisturbed(tmp_path / "calm", "asha")
    played = play(tmp_path / "asha", "asha", calm, random.Random(1), ("SIGINT", "driver"))
    assert played.faults == []
    assert played.victims[0] == "SIGINT"
    assert played.resumes >= 1
    begun: dict[str, int] = {}
    for report in played.search.reports():
        begun[report["trial"]] = min(report["step"], begun.get(report["trial"], report["step"]))
    assert max(begun.values()) > 1  # that run did not train its first epochs again
