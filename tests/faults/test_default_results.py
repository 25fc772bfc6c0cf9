"""Search, Ctrl-C, resume as the README types them: in the default, relative results folder."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

from tune_mnist.store.reader import read_reports, read_trials

SPACE = """
model: resnet
dataset: digits
parameters:
  batch_size: 64
  learning_rate: {choice: [0.01, 0.001]}
  epochs: 6
  train_fraction: 0.3
search: {sampler: grid, max_concurrent: 1}
"""
COMMAND = """
import sys
from tune_mnist.cli import run
from tune_mnist.searching.on_ray import run as search_run
search_run.SAVE_EVERY_S = 0.0
sys.exit(run(sys.argv[1:]))
"""


def start(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    with (folder / "log").open("ab") as log:
        line = [sys.executable, "-c", COMMAND, *arguments]
        return subprocess.Popen(line, cwd=folder, stdout=log, stderr=log)


def test_an_interrupted_resnet_continues_from_its_saved_state(tmp_path: Path) -> None:
    (tmp_path / "space.yaml").write_text(SPACE)
    first = start(tmp_path, "search", "resnet", "--space", "space.yaml", "--name", "s")
    states = tmp_path / "results" / ".checkpoints" / "s"
    until = time.monotonic() + 120
    while len(list(states.glob("*/*/checkpoint_*/*"))) < 3 and time.monotonic() < until:
        time.sleep(0.1)
    first.send_signal(signal.SIGINT)
    assert first.wait(60) == 130, (tmp_path / "log").read_text()

    assert start(tmp_path, "resume", "s").wait(240) == 0, (tmp_path / "log").read_text()
    rows = read_trials(tmp_path / "results", search="s").to_pylist()
    assert [(row["trial"], row["status"]) for row in rows] == [
        ("00000", "completed"),
        ("00001", "completed"),
    ]
    steps = read_reports(tmp_path / "results", search="s").to_pylist()
    resumed = [one["step"] for one in steps if one["trial"] == "00000"]
    assert (min(resumed) > 1, max(resumed)) == (True, 6)
