"""A real search on an S3 server, as a person runs it: stored, resumed, ranked, exported."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.store.far.server import s3_server

Command = Callable[..., str]
ADDRESS = "s3://bucket/runs"


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Command]:
    """Run a command on a machine of a name, with `--s3-endpoint`; return what it printed."""
    folder = tmp_path_factory.mktemp("far")
    with s3_server() as endpoint:

        def run(machine: str, *words: str) -> str:
            own = {"XDG_CACHE_HOME": str(folder / machine)}
            keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
            store = ["--results", ADDRESS, "--s3-endpoint", endpoint]
            done = subprocess.run(
                [sys.executable, "-m", "tune_mnist", *words, *store],
                env={**os.environ, **keys, **own},
                cwd=folder,
                capture_output=True,
                text=True,
            )
            assert done.returncode == 0, done.stderr
            return done.stdout

        asked = ("--dataset", "digits", "--trials", "3", "--max-concurrent", "1", "--name", "s")
        run("a", "search", "svm", *asked)
        run("b", "resume", "s", "--trials", "4")
        yield run


def test_a_search_is_resumed_on_another_machine(command: Command) -> None:
    [row] = [line.split() for line in command("c", "status").splitlines()[1:]]
    assert row[:5] == ["s", "done", "4", "of", "4"]
    assert command("c", "status", "--check") == "nothing wrong: 1 searches, 4 trials\n"
    assert command("c", "replay", "s") == "s: 4 of 4 proposals reproduced\n"


def test_it_is_ranked_and_exported(command: Command, tmp_path: Path) -> None:
    ranked = json.loads(command("c", "leaderboard", "--format", "json"))
    assert sorted(row["trial"] for row in ranked) == ["00000", "00001", "00002", "00003"]
    assert "rank" in command("c", "leaderboard")
    command("c", "leaderboard", "--html", str(tmp_path / "page.html"))
    assert ranked[0]["search"] in (tmp_path / "page.html").read_text("utf-8")
    assert "4 completed configurations: too few to tell" in command("c", "importance")


def test_it_is_confirmed(command: Command) -> None:
    said = command("d", "confirm", "s", "--top", "1", "--seeds", "2")
    assert "deterministic" in said
    confirmed = [line.split() for line in command("c", "status").splitlines()[2:]]
    assert [(words[0], words[2:5]) for words in confirmed] == [("s-confirm", ["2", "of", "2"])]
