"""A trial that is starved of memory is tried once more on twice the bundle; the search goes on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tune_mnist.store.reader import read_trials

SPACE = """
model: svm
dataset: digits
parameters: {kernel: rbf, C: {choice: [1.0, 10.0]}}
search: {sampler: grid}
"""
ALWAYS = {"RAY_memory_usage_threshold": "0.0001", "RAY_memory_monitor_refresh_ms": "100"}


def test_rays_memory_monitor_ends_no_search(tmp_path: Path) -> None:
    """It finds too little memory whenever it looks, and ends what runs."""
    (tmp_path / "space.yaml").write_text(SPACE)
    line = "-m tune_mnist search svm --space space.yaml --cpus 2 --name s"
    ended = subprocess.run(
        [sys.executable, *line.split()],
        cwd=tmp_path,
        env={**os.environ, **ALWAYS},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert "Traceback" not in ended.stdout + ended.stderr
    rows = read_trials(tmp_path / "results", search="s").to_pylist()
    assert sorted((row["trial"], row["attempt"], row["cpus"]) for row in rows) == [
        ("00000", 1, 1.0),
        ("00000", 2, 2.0),
        ("00001", 1, 1.0),
        ("00001", 2, 2.0),
    ]
    assert all("the machine ran low on memory" in row["error"] for row in rows)
