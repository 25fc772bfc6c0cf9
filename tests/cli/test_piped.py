"""What a search prints where nobody watches: a line a trial, few others, none of Ray's."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import datetime
from io import StringIO
from pathlib import Path

from rich.console import Console

from tests.searching.conftest import plan_text
from tune_mnist.actions.preparing import prepare_plan
from tune_mnist.actions.requests import SearchRequest
from tune_mnist.cli.live import LiveView
from tune_mnist.datasets import load_dataset
from tune_mnist.provenance import cpu_name

SVM = """
model: svm
dataset: digits
parameters:
  C: {choice: [0.1, 1.0, 10.0]}
search: {sampler: grid, max_concurrent: 1}
"""
DIVERGING = """
model: resnet
dataset: digits
parameters:
  learning_rate: 1.0e+30
  epochs: 1
  train_fraction: 0.05
search: {sampler: grid}
"""
GOLDEN = Path(__file__).with_name("piped.txt")


def piped(folder: Path, model: str, text: str, *options: str) -> subprocess.CompletedProcess[str]:
    (folder / "space.yaml").write_text(text)
    command = [sys.executable, "-m", "tune_mnist", "search", model, "--space", "space.yaml"]
    return subprocess.run(
        [*command, "--name", "s", *options], cwd=folder, capture_output=True, text=True, check=False
    )


def test_piped_output_is_what_it_was(tmp_path: Path) -> None:
    ended = piped(tmp_path, "svm", SVM)
    both = ended.stdout + "--- stderr\n" + ended.stderr
    plain = re.sub(r"\b\d+(\.\d+)? (s|min|h)\b", "<time>", both.replace(cpu_name(), "<cpu>"))
    assert plain == GOLDEN.read_text()
    assert ended.returncode == 0


def test_a_search_without_a_success_ends_with_code_1(tmp_path: Path) -> None:
    ended = piped(tmp_path, "resnet", DIVERGING)
    assert ended.returncode == 1
    assert "FloatingPointError: diverged" in ended.stdout
    assert len((ended.stdout + ended.stderr).splitlines()) <= 1 + 10
    assert "Traceback" not in ended.stdout + ended.stderr


def test_search_confirm_tells_a_deterministic_model_from_a_noisy_one(tmp_path: Path) -> None:
    ended = piped(tmp_path, "svm", SVM, "--confirm", "2", "--seeds", "2")
    assert ended.returncode == 0
    assert ended.stdout.count("deterministic: equal for every seed") == 2


def test_no_line_of_rays_is_printed_when_a_trial_is_ended(tmp_path: Path) -> None:
    text = DIVERGING.replace("1.0e+30", "0.001").replace("epochs: 1", "epochs: 500")
    ended = piped(tmp_path, "resnet", text, "--trial-timeout", "2")
    assert ended.returncode == 1
    assert "took more than 2 s" in ended.stdout
    assert "raylet" not in ended.stdout + ended.stderr


def test_a_trial_that_never_ran_is_printed_with_its_configuration(tmp_path: Path) -> None:
    printed = StringIO()
    plan = plan_text(tmp_path, SVM)
    request = SearchRequest(space="svm", results=tmp_path)
    prepared = prepare_plan(plan, load_dataset("digits"), request)
    row = {"trial": "00001", "status": "completed", "config": {"kernel": "rbf", "C": 1.0}}
    times = {"started": datetime(2026, 1, 1), "finished": datetime(2026, 1, 1)}
    with LiveView(prepared, Console(file=printed)) as view:
        view.trial_finished({**row, **times, "val_accuracy": 0.5, "wall_time_s": 2.0})
    assert printed.getvalue().startswith("00001 completed  rbf C=1  50.00%")


def test_a_trial_that_runs_again_is_printed_with_the_reason(tmp_path: Path) -> None:
    printed = StringIO()
    request = SearchRequest(space="svm", results=tmp_path)
    prepared = prepare_plan(plan_text(tmp_path, SVM), load_dataset("digits"), request)
    with LiveView(prepared, Console(file=printed)) as view:
        view.trial_moved("00001", "node-1")
        view.trial_moved("00002", None)
    assert printed.getvalue().splitlines()[:2] == [
        "00001 runs again: its node died (node-1)",
        "00002 runs again: its process died before it began",
    ]
