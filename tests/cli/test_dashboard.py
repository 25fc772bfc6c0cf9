"""A search as an unlucky user types it, with Ray's dashboard: started once, asked several things.

The interpreter's path has a space, the working directory is full of files that are called like
libraries, and a killed search has left a folder behind.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil
import pytest

from tests.searching.on_ray.test_ray_session import listening
from tests.searching.on_ray.test_scratch import killed_in
from tune_mnist.searching.on_ray.ray_start import token_file

SEARCH = ["-m", "tune_mnist", "search", "resnet", "--dataset", "digits", "--dashboard"]
HARMFUL = ("random", "yaml", "threadpoolctl", "psutil", "numpy")


@dataclass(frozen=True)
class Seen:
    """What was seen of a search while it ran and after it was ended."""

    address: str
    actors: list[str]
    listening: set[str]
    imported: bool
    temporary: list[str]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    folder = tmp_path_factory.mktemp("s")
    for name in HARMFUL:
        (folder / f"{name}.py").write_text("open('imported', 'w'); raise ImportError('harm')")
    (folder / "an environment").symlink_to(sys.prefix)
    # Short, for the paths of Ray's sockets, and with a space as well.
    temporary = Path(tempfile.mkdtemp(prefix="t "))
    killed_in(temporary)
    with subprocess.Popen(
        [folder / "an environment" / "bin" / "python", *SEARCH, "--cpus", "1", "--trials", "1"],
        cwd=folder,
        env={**os.environ, "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        text=True,
    ) as search:
        assert search.stdout is not None
        address = printed_address(search.stdout)
        try:
            actors = actor_names(address)
            addresses = listening(psutil.Process(search.pid))
        finally:
            search.terminate()
            search.stdout.read()
    left = sorted(found.name for found in temporary.iterdir())
    shutil.rmtree(temporary)
    return Seen(address, actors, addresses, (folder / "imported").exists(), left)


def test_the_dashboard_lists_the_trials_under_readable_names(seen: Seen) -> None:
    assert seen.actors == ["00000-resnet18-batch_size=16-sgd-learning_rate=0.001-epochs=2"]


def test_everything_listens_on_this_machine_alone(seen: Seen) -> None:
    assert seen.address.startswith("http://127.0.0.1:")
    assert seen.listening == {"127.0.0.1"}


def test_a_file_called_like_a_library_in_the_working_directory_is_not_run(seen: Seen) -> None:
    assert not seen.imported


def test_no_temporary_file_is_left_not_even_a_killed_search_s(seen: Seen) -> None:
    assert seen.temporary == []


def printed_address(output: IO[str]) -> str:
    for line in output:
        found = re.match(r"dashboard: (\S+)", line)
        if found:
            return found.group(1)
    raise AssertionError("the search ended without printing the dashboard's address")


def actor_names(address: str) -> list[str]:
    """Ask the dashboard's own API until the first actor is up."""
    header = {"Authorization": f"Bearer {token_file().read_text().strip()}"}
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
