"""The searches that are killed, run as the README types them: default, relative paths."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from tune_mnist.store.reader import read_reports, read_trials

Kind = Literal["svm", "asha", "hyperband"]
SPACES: Mapping[Kind, str] = {
    "svm": """
model: svm
dataset: digits
parameters:
  kernel: rbf
  C: {choice: [0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0]}
  gamma: {choice: [0.0001, 0.001, 0.01, 0.1, scale]}
search: {sampler: grid}
resources: {cpu: 1}
""",
    "asha": """
model: resnet
dataset: digits
parameters:
  batch_size: 16
  learning_rate: {choice: [0.0003, 0.001, 0.003, 0.01, 0.03, 0.1]}
  epochs: 4
  train_fraction: 0.05
fidelity: {parameter: epochs}
search: {sampler: grid}
resources: {cpu: 1}
""",
}
TRIALS: Mapping[Kind, int] = {"svm": 40, "asha": 6, "hyperband": 6}
OPTIONS = ("--cpus", "2", "--retries", "3")
TIMEOUT_S: Mapping[Kind, int] = {"svm": 20, "asha": 90, "hyperband": 90}
"""Limits of a trial where one is going to be stopped; other trials need a second or three."""
PATIENCE_S = 300.0

# Two constants are smaller, so that a search of seconds has saved states and late trials. The
# documented command does the rest; `pause_s` lies between reading the search and locking it.
_COMMAND = """
import sys, time
from tune_mnist.actions import search
from tune_mnist.searching.on_ray import events, run
run.SAVE_EVERY_S, events.LATE_S = 0.0, 3.0
check = search.check_running_ray
def pause(plan):
    time.sleep({pause_s})
    check(plan)
search.check_running_ray = pause
from tune_mnist.__main__ import main
main()
"""


@dataclass
class Search:
    """One search in its own folder, run as processes of the command line.

    Args:
        folder: the working directory; made here.
        kind: a grid of SVMs, or one of ResNets with saved states under a scheduler.
    """

    folder: Path
    kind: Kind = "svm"
    results: Path = field(init=False)
    _options: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Make the folder."""
        self.results = self.folder / "results"
        self.folder.mkdir()
        (self.folder / "grid.yaml").write_text(SPACES.get(self.kind, SPACES["asha"]))

    @property
    def model(self) -> str:
        """What it trains."""
        return "svm" if self.kind == "svm" else "resnet"

    def start(
        self,
        *,
        scheduled: bool = True,
        limited: bool = False,
    ) -> subprocess.Popen[bytes]:
        """Start it, with its scheduler, and with a limit for each trial."""
        scheduler = self.kind if scheduled and self.kind != "svm" else "none"
        named = ("--space", "grid.yaml", "--name", "s", "--scheduler", scheduler)
        limit = ("--trial-timeout", str(TIMEOUT_S[self.kind])) if limited else ()
        return self._run("search", self.model, *named, *OPTIONS, *limit)

    def resume(self, pause_s: float = 0.0) -> subprocess.Popen[bytes]:
        """Resume it, with a pause between its reading and its lock."""
        return self._run("resume", "s", *self._options, pause_s=pause_s)

    def move(self, chance: random.Random) -> str:
        """Move what there is, or go to another working directory; return what was done."""
        done = chance.choice(["folder renamed", "results renamed", "other working directory"])
        if done == "folder renamed":
            self.folder = self.folder.rename(self.folder.with_name(f"{self.folder.name}+"))
        elif done == "results renamed":
            self.results.rename(self.results.with_name(f"{self.results.name}+"))
            self.results = self.results.with_name(f"{self.results.name}+")
        else:
            self.folder = self.folder / "below"
            self.folder.mkdir()
        if done == "folder renamed":
            self.results = self.folder / self.results.name
        beside = os.path.relpath(self.results, self.folder)
        self._options = () if beside == "results" else ("--results", beside)
        return done

    def _run(
        self,
        *arguments: str,
        pause_s: float = 0.0,
    ) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", _COMMAND.format(pause_s=pause_s), *arguments]
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                command,
                cwd=self.folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def log(self) -> str:
        """Return what it has printed in this working directory."""
        log = self.folder / "log"
        return log.read_text("utf-8", "replace") if log.exists() else ""

    def begun(self) -> bool:
        """Return whether there is something to lose: a stored trial or a ResNet's saved state."""
        if self.kind == "svm":
            rows = self.results / "trials" / "search=s"
            return rows.is_dir() and any(rows.iterdir())
        return any(self.results.glob(".checkpoints/**/state.pt"))

    def rows(self) -> list[dict[str, Any]]:
        """Return all rows of the store."""
        if not (self.results / "searches").is_dir():
            return []
        return list(read_trials(self.results).to_pylist())

    def ended(self) -> dict[str, list[dict[str, Any]]]:
        """Return the rows that completed, or that a scheduler stopped, by configuration."""
        found: dict[str, list[dict[str, Any]]] = {}
        for row in self.rows():
            if row["status"] in ("completed", "stopped"):
                found.setdefault(row["config"], []).append(row)
        return found

    def reports(self) -> list[dict[str, Any]]:
        """Return all measurements of the store."""
        return list(read_reports(self.results).to_pylist())


@dataclass(frozen=True)
class Calm:
    """An undisturbed search, without a scheduler: what every configuration measures.

    Args:
        seconds: from its first stored trial or state to its end.
        rows: by configuration.
        curves: validation accuracy by configuration and step.
    """

    seconds: float
    rows: dict[str, dict[str, Any]]
    curves: dict[tuple[str, int], float]


def undisturbed(folder: Path, kind: Kind = "svm") -> Calm:
    """Run a search of the kind undisturbed."""
    search = Search(folder, kind)
    driver = search.start(scheduled=False)
    while driver.poll() is None and not search.begun():
        time.sleep(0.01)
    begin = time.monotonic()
    code = driver.wait(PATIENCE_S)
    rows = {config: rows[0] for config, rows in search.ended().items()}
    if code != 0 or len(rows) != TRIALS[kind]:
        raise RuntimeError(search.log())
    return Calm(time.monotonic() - begin, rows, curves(search))


def curves(search: Search) -> dict[tuple[str, int], float]:
    """Return the validation accuracy of each configuration at each step, of one processor."""
    configs = {
        (row["trial"], row["attempt"]): row["config"] for row in search.rows() if row["cpus"] == 1
    }
    return {
        (configs[key], report["step"]): report["val_accuracy"]
        for report in search.reports()
        if (key := (report["trial"], report["attempt"])) in configs
    }
