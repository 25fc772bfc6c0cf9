"""A real search loses its driver in mid-write, then a worker: resumed, it loses nothing."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.faults.rounds import play, undisturbed


def test_a_search_killed_twice_ends_as_the_undisturbed_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2-of-the-environment")
    calm, seconds = undisturbed(tmp_path / "calm")
    played = play(tmp_path / "killed", calm, seconds / 2, random.Random(0), ("write", "worker"))
    assert played.faults == ()
    assert played.victims[0] == "write"
    assert played.resumes >= 1
    written = [path for path in tmp_path.rglob("results/**/*") if path.is_file()]
    assert written
    assert not [path for path in written if b"hunter2" in path.read_bytes()]
