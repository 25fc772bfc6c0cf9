"""A search as an unlucky user types it, with Ray's dashboard: started once, asked several things.

The interpreter's path has a space, the working directory is full of files that are called like
libraries, and a killed search has left a folder behind.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil
import pytest
from playwright.sync_api import Browser

from tests.searching.on_ray.test_ray_session import listening
from tests.searching.on_ray.test_scratch import killed_in

SEARCH = ["-m", "tune_mnist", "search", "resnet", "--dataset", "digits", "--dashboard"]
HARMFUL = ("random", "yaml", "threadpoolctl", "psutil", "numpy")


@dataclass(frozen=True)
class Seen:
    """What was seen of a search while it ran and after it was ended."""

    address: str
    page: str
    uninvited: int
    listening: set[str]
    imported: bool
    temporary: list[str]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Seen:
    folder = tmp_path_factory.mktemp("s")
    for name in HARMFUL:
        (folder / f"{name}.py").write_text("open('imported', 'w'); raise ImportError('harm')")
    (folder / "an environment").symlink_to(sys.prefix)
    # Short, for the paths of Ray's sockets, and with a space as well.
    temporary = Path(tempfile.mkdtemp(prefix="t "))
    killed_in(temporary)
    with subprocess.Popen(
        [folder / "an environment" / "bin" / "python", *SEARCH, "--cpus", "1", "--trials", "99"],
        cwd=folder,
        env={**os.environ, "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        text=True,
    ) as search:
        assert search.stdout is not None
        address, dashboard = printed_addresses(search.stdout)
        try:
            page = trials_page(address, browser)
            uninvited = answer_without_token(dashboard)
            addresses = listening(psutil.Process(search.pid))
        finally:
            search.terminate()
            search.stdout.read()
    left = sorted(found.name for found in temporary.iterdir())
    shutil.rmtree(temporary)
    return Seen(address, page, uninvited, addresses, (folder / "imported").exists(), left)


def test_the_printed_address_opens_and_lists_the_trials_under_readable_names(seen: Seen) -> None:
    text = "".join(seen.page.split())  # a narrow column breaks the name
    assert "00000-resnet18-batch_size=16-sgd-learning_rate=0.001-epochs=2" in text
    assert "token" not in text.lower()


def test_who_has_no_token_is_still_refused(seen: Seen) -> None:
    assert seen.uninvited == 401


def test_everything_listens_on_this_machine_alone(seen: Seen) -> None:
    assert seen.address.startswith("http://127.0.0.1:")
    assert seen.listening == {"127.0.0.1"}


def test_a_file_called_like_a_library_in_the_working_directory_is_not_run(seen: Seen) -> None:
    assert not seen.imported


def test_no_temporary_file_is_left_not_even_a_killed_search_s(seen: Seen) -> None:
    assert seen.temporary == []


def printed_addresses(output: IO[str]) -> tuple[str, str]:
    """The address to open, and the dashboard's own, of the two lines that a search prints."""
    for line in output:
        if found := re.match(r"dashboard: (\S+)", line):
            own = re.search(r"in to (\S+), which asks for the token in", output.readline())
            assert own is not None
            return found.group(1), own.group(1)
    raise AssertionError("the search ended without printing the dashboard's address")


def answer_without_token(dashboard: str) -> int:
    try:
        with urllib.request.urlopen(f"{dashboard}/api/v0/actors?detail=1", timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        return refused.code


def trials_page(address: str, browser: Browser) -> str:
    """Open the printed address as it is, wait for the first trial's process, return the text."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(address)
    page.wait_for_selector("text=00000-resnet18", timeout=60_000)
    text = page.inner_text("body")
    context.close()
    return text
