"""SIGTERM (docker stop, Slurm) and SIGHUP (a closed terminal) end a search as Ctrl-C does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tune_mnist.cli import run

SPACE = """
model: svm
dataset: digits
parameters:
  C: {log_uniform: [0.001, 1000.0]}
search: {sampler: random, trials: 1000, max_concurrent: 1}
"""
COMMAND = [sys.executable, "-m", "tune_mnist", "search", "svm", "--space", "space.yaml"]


@pytest.mark.parametrize(
    ("name", "send"),
    [("SIGTERM", os.kill), ("SIGHUP", os.kill), ("SIGTERM", os.killpg)],
    ids=["SIGTERM", "SIGHUP", "SIGTERM-to-the-group"],
)
def test_a_signal_ends_the_search_and_says_how_to_resume(
    name: str,
    send: Callable[[int, int], None],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent = signal.Signals[name]
    (tmp_path / "space.yaml").write_text(SPACE)
    with (tmp_path / "log").open("w") as log:
        line = [*COMMAND, "--name", "s"]
        driver = subprocess.Popen(
            line, cwd=tmp_path, stdout=log, stderr=log, start_new_session=True
        )
    until = time.monotonic() + 120
    while "completed" not in (tmp_path / "log").read_text() and time.monotonic() < until:
        time.sleep(0.1)
    send(driver.pid, sent)
    began = time.monotonic()
    assert driver.wait(60) == 128 + sent, (tmp_path / "log").read_text()
    assert time.monotonic() - began < 30  # 10 s on a quiet machine
    said = (tmp_path / "log").read_text()
    assert "resume it with: python -m tune_mnist resume s" in said
    assert "Traceback" not in said
    monkeypatch.chdir(tmp_path)
    assert run(["status"]) == 0
    assert "interrupted" in capfd.readouterr().out
