"""Search, Ctrl-C, resume as the README types them: in the default, relative results folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tune_mnist.store.reader import read_reports, read_trials

SPACE = """
model: resnet
dataset: digits
parameters:
  batch_size: 64
  learning_rate: {choice: [0.01, 0.001]}
  epochs: 4
  train_fraction: 0.1
search: {sampler: grid, max_concurrent: 1}
"""
COMMAND = """
import sys
from tune_mnist.cli import run
from tune_mnist.searching.on_ray import run as search_run
search_run.SAVE_EVERY_S = 0.0
sys.exit(run(sys.argv[1:]))
"""
# Ray Tune holds a trial at each report until the driver has seen it, so this never comes late.
CTRL_C_AFTER_TWO_REPORTS = """
import os
import signal
from tune_mnist.cli.live import LiveView
reports = []
def trial_reported(self, trial, measurement):
    reports.append(trial)
    if len(reports) == 2:
        os.kill(os.getpid(), signal.SIGINT)
LiveView.trial_reported = trial_reported
"""


def run(folder: Path, *arguments: str, before: str = "") -> int:
    with (folder / "log").open("ab") as log:
        line = [sys.executable, "-c", before + COMMAND, *arguments]
        return subprocess.run(line, cwd=folder, stdout=log, stderr=log, timeout=300).returncode


def log(folder: Path) -> str:
    return (folder / "log").read_text()


def test_an_interrupted_resnet_continues_from_its_saved_state(tmp_path: Path) -> None:
    (tmp_path / "space.yaml").write_text(SPACE)
    asked = ("search", "resnet", "--space", "space.yaml", "--name", "s")
    assert run(tmp_path, *asked, before=CTRL_C_AFTER_TWO_REPORTS) == 130, log(tmp_path)
    assert run(tmp_path, "resume", "s") == 0, log(tmp_path)
    rows = read_trials(tmp_path / "results", search="s").to_pylist()
    assert [(row["trial"], row["status"]) for row in rows] == [
        ("00000", "completed"),
        ("00001", "completed"),
    ]
    steps = read_reports(tmp_path / "results", search="s").to_pylist()
    resumed = [one["step"] for one in steps if one["trial"] == "00000"]
    assert (min(resumed) > 1, max(resumed)) == (True, 4)
