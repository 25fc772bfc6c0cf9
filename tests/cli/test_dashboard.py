"""Ray's dashboard: on 127.0.0.1, with the trials under names that a person can read."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import IO

from tune_mnist.searching.on_ray.ray_session import TOKEN


def test_dashboard_lists_the_trials_under_readable_names(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tune_mnist", "search", "resnet", "--dataset", "digits"]
    options = ["--dashboard", "--cpus", "1", "--trials", "1"]
    with subprocess.Popen(
        [*command, *options], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    ) as search:
        assert search.stdout is not None
        address = printed_address(search.stdout)
        assert address.startswith("http://127.0.0.1:")
        try:
            names = actor_names(address)
        finally:
            search.terminate()
            search.stdout.read()
    assert names == ["00000-resnet18-batch_size=16-sgd-learning_rate=0.001-epochs=2"]


def printed_address(output: IO[str]) -> str:
    for line in output:
        found = re.match(r"dashboard: (\S+)", line)
        if found:
            return found.group(1)
    raise AssertionError("the search ended without printing the dashboard's address")


def actor_names(address: str) -> list[str]:
    """Ask the dashboard's own API until the first actor is up."""
    header = {"Authorization": f"Bearer {TOKEN.read_text().strip()}"}
    request = urllib.request.Request(f"{address}/api/v0/actors?detail=1", headers=header)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                actors = json.load(answer)["data"]["result"]["result"]
        except urllib.error.HTTPError:
            actors = []  # the dashboard is still starting
        names = [actor["repr_name"] for actor in actors if actor["repr_name"]]
        if names:
            return names
        time.sleep(0.5)
    raise AssertionError("no actor appeared in the dashboard")
