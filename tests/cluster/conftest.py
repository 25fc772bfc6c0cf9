"""A Ray cluster of three nodes, with token authentication, and drivers that search on it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tune_mnist.spaces import read_space
from tune_mnist.store.reader import read_trials
from tune_mnist.winner import winner

TOKEN = "5f2c6a0e9b7d4c318f1e2d3c4b5a6978" * 2
ROOT = Path(__file__).parents[2]

SPACE = """
model: svm
dataset: digits
parameters:
  kernel: rbf
  C: {choice: [0.01, 0.03, 0.1, 0.2, 0.3, 0.5, 1.0, 3.0]}
  gamma: {choice: [0.001, 0.003]}
search: {sampler: grid}
"""
CONFIGURATIONS = 16


@dataclass(frozen=True)
class Nodes:
    """A running cluster.

    Args:
        address: of its head.
        dashboard: of its head, "host:port".
        process: tests/cluster/nodes.py.
    """

    address: str
    dashboard: str
    process: subprocess.Popen[str]

    def kill(self, number: int) -> None:
        """Kill a node as a power cut does; 0 is the head."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(f"kill {number}\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "done\n"


def environment(**changed: str) -> dict[str, str]:
    """Return the environment of a process that has the cluster's token."""
    with_token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": TOKEN, "PYTHONPATH": str(ROOT)}
    environ = {**os.environ, **with_token, **changed}
    return {name: value for name, value in environ.items() if value}


@contextmanager
def running_nodes(*processors: int | str, hidden: Path | None = None) -> Iterator[Nodes]:
    """Give a cluster with a head, and a node for each number of CPUs; end it after the block.

    Args:
        processors: a node of "2+1" has 2 CPUs and declares a GPU.
        hidden: a folder that only the head sees.
    """
    with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp", ignore_cleanup_errors=True) as at:
        command = [sys.executable, "-W", "ignore", "-m", "tests.cluster.nodes", at]
        command += ["--hide", str(hidden)] if hidden else []
        with subprocess.Popen(
            [*command, *map(str, processors)],
            env=environment(),
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as process:
            assert process.stdout
            address, dashboard = process.stdout.readline().split()
            yield Nodes(address, dashboard, process)
            process.communicate()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the drivers, on the head's machine; no other node sees it."""
    return tmp_path_factory.mktemp("searches")


@pytest.fixture(scope="module")
def nodes(folder: Path) -> Iterator[Nodes]:
    """A head without CPUs and two nodes with one each; the second declares a GPU."""
    with running_nodes(1, "1+1", hidden=folder) as running:
        yield running


def driver(folder: Path, *words: str, **environ: str) -> subprocess.Popen[str]:
    """Start a command of ours in a folder; what it prints goes to its pipes."""
    return subprocess.Popen(
        [sys.executable, "-m", "tune_mnist", *words],
        cwd=folder,
        env=environment(**environ),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def search(folder: Path, address: str, name: str) -> subprocess.Popen[str]:
    """Start the search of all tests here."""
    (folder / "space.yaml").write_text(SPACE)
    words = ("search", "svm", "--space", "space.yaml", "--name", name, "--rerun")
    return driver(folder, *words, "--address", address)


def rows_of(folder: Path, name: str) -> list[dict[str, Any]]:
    """Return the rows that a search has stored so far."""
    rows: list[dict[str, Any]] = read_trials(folder / "results", search=name).to_pylist()
    return rows


def stored(folder: Path, name: str) -> list[dict[str, Any]]:
    """Return the rows that a search has stored so far; none if it has not begun."""
    begun = (folder / "results" / "searches" / f"{name}.json").exists()
    return rows_of(folder, name) if begun else []


def check_each_once(folder: Path, name: str) -> None:
    """Check that each configuration has completed exactly once."""
    rows = rows_of(folder, name)
    assert Counter(row["status"] for row in rows) == {"completed": CONFIGURATIONS}
    assert len({row["config"] for row in rows}) == CONFIGURATIONS


def winning(folder: Path, name: str) -> tuple[object, object]:
    """Return the configuration and the accuracy of a search's winner."""
    best = winner(rows_of(folder, name), read_space(folder / "space.yaml").goal)
    assert best is not None
    return best["config"], best["val_accuracy"]
