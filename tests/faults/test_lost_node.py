"""Ray's node dies under a search: the search ends, and can be resumed from what finished."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import psutil

SPACE = """
model: resnet
dataset: digits
parameters:
  epochs: {choice: [1, 500]}
search: {sampler: grid, max_concurrent: 1, share: false}
"""


def test_a_search_whose_ray_died_says_so_and_ends(tmp_path: Path) -> None:
    (tmp_path / "space.yaml").write_text(SPACE)
    command = [sys.executable, "-m", "tune_mnist", "search", "resnet", "--space", "space.yaml"]
    with subprocess.Popen(
        [*command, "--name", "s"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as driver:
        rows = tmp_path / "results" / "trials" / "search=s"
        while driver.poll() is None and not (rows.is_dir() and any(rows.iterdir())):
            time.sleep(0.1)
        for process in psutil.Process(driver.pid).children(recursive=True):
            if process.name() == "raylet":
                process.kill()
        _, errors = driver.communicate(timeout=120)
    assert driver.returncode in (1, 2)  # 1: Ray's own library has ended the process
    assert "Traceback" not in errors
    assert driver.returncode == 1 or "resume s" in errors
    assert len(list(rows.glob("*.parquet"))) == 1  # the one that was training has not failed
