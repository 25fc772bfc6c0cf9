"""A part of Ray dies under a search: it ends within seconds, and resumes from what finished."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

SPACE = """
model: resnet
dataset: digits
parameters:
  epochs: {choice: [1, 500]}
  train_fraction: 0.05
search: {sampler: grid, max_concurrent: 1, share: false}
"""


@pytest.mark.parametrize("server", ["raylet", "gcs_server"])
def test_a_search_whose_ray_died_says_so_and_ends(server: str, tmp_path: Path) -> None:
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
        processes = psutil.Process(driver.pid).children(recursive=True)
        next(process for process in processes if process.name() == server).kill()
        began = time.monotonic()
        _, errors = driver.communicate(timeout=120)
    assert driver.returncode == 2
    assert time.monotonic() - began < 30  # 10 s on a quiet machine
    assert "Traceback" not in errors
    assert f"Ray: its process {server} has died" in errors
    assert "resume s" in errors
    assert len(list(rows.glob("*.parquet"))) == 1  # the one that was training has not failed
    assert psutil.wait_procs(processes, timeout=10)[1] == []
