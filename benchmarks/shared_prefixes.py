"""Claim: ResNets that differ only in their epochs cost at most 0.6 of training each by itself.

    python -m benchmarks.shared_prefixes [--short] [--record] [--rounds 5]

`search resnet` on scikit-learn's digits over epochs {2, 3} and batch sizes {32, 64}, with shared
prefixes and with `--no-share`, one trial at a time. A cost is the sum of the trials' own wall
times, Ray's not in it; a trial that another one's training answers costs nothing. Five epochs
become three; drawing the weights and the look at the test images are paid once a training.
Accuracies must be equal, number for number, or the benchmark fails.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.measure import Figure, Timings, compare, measured_by
from tune_mnist.store.reader import read_trials

CLAIM = "shared prefixes cost at most 0.6 of the plain grid, 1.67x less, at equal accuracies"
SPACE = {
    "model": "resnet",
    "dataset": "digits",
    "parameters": {
        "architecture": "resnet18",
        "batch_size": {"choice": [32, 64]},
        "optimizer": "sgd",
        "learning_rate": 0.01,
        "epochs": {"choice": [2, 3]},
    },
    "search": {"sampler": "grid", "scheduler": "none"},
}

Accuracies = list[tuple[str, float, float]]


def search(*options: str) -> tuple[float, Accuracies]:
    """Run the search; return the seconds of its trainings, and each configuration's accuracies."""
    with tempfile.TemporaryDirectory() as folder:
        space, results = Path(folder, "prefixes.yaml"), Path(folder, "results")
        space.write_text(json.dumps(SPACE))  # JSON is YAML
        command = [sys.executable, "-m", "tune_mnist", "search", "resnet", "--space", str(space)]
        command += ["--cpus", "2", "--max-concurrent", "1", "--results", str(results), *options]
        subprocess.run(command, capture_output=True, check=True)
        rows: list[dict[str, Any]] = read_trials(results).to_pylist()
    seconds = sum(row["wall_time_s"] for row in rows if not row["shared_with"])
    accuracies = sorted((row["config"], row["val_accuracy"], row["test_accuracy"]) for row in rows)
    return seconds, accuracies


def measure(rounds: int) -> Figure:
    """Return the figure of both ways, run in alternation."""
    shared, plain = [], []
    for turn in range(rounds):
        if turn % 2:
            plain.append(search("--no-share"))
            shared.append(search())
        else:
            shared.append(search())
            plain.append(search("--no-share"))
        part = shared[-1][0] / plain[-1][0]
        print(
            f"  {shared[-1][0]:.2f} s, each by itself {plain[-1][0]:.2f} s: {part:.3f}", flush=True
        )
        if shared[-1][1] != plain[-1][1]:
            raise SystemExit(f"accuracies differ: {shared[-1][1]}, by itself {plain[-1][1]}")
    mine, theirs = (Timings(tuple(seconds for seconds, _ in of)) for of in (shared, plain))
    return compare(
        "ResNet-18 on digits, epochs {2, 3}, batch {32, 64}, vs --no-share", mine, theirs
    )


if __name__ == "__main__":
    measured_by("shared_prefixes", CLAIM, measure)
