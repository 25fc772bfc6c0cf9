"""Strike searches on a cluster whose store is on S3, resume them elsewhere, count what was lost.

    python -m tests.cluster.rounds --rounds 20 --seed 0

Each round starts three real Ray nodes and searches 16 SVMs on them. After a seeded number of
stored trials it strikes once:

    node      a node is killed: its trials run again on the other, and the search goes on
    head      the head is killed: the search is resumed on another cluster
    driver    the driver is killed: the search is resumed from another machine
    network   the driver is cut off from the store for about a minute; meanwhile another machine
              resumes the search, so that two drivers of one search are alive

"Another machine" has another host name and its own empty cache: all that it knows of the search is
in the bucket. Each round must end with every configuration completed exactly once, with the winner
of the undisturbed search, and without a traceback. The exit code is 1 if one did not.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.cluster.conftest import CONFIGURATIONS, SPACE, Nodes, environment, running_nodes
from tests.cluster.link import Link
from tests.store.far.server import s3_server
from tune_mnist.spaces import read_space
from tune_mnist.store.files.place import opened
from tune_mnist.store.reader import read_trials
from tune_mnist.winner import winner

STRIKES = ("node", "head", "driver", "network")
STORE = "s3://bucket/rounds"
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
PATIENCE_S = 600.0
REFUSED = 2


@dataclass(frozen=True)
class Machine:
    """Where a driver runs.

    Args:
        folder: its own; made here.
        endpoint: how it reaches S3.
    """

    folder: Path
    endpoint: str

    def run(self, address: str, *words: str) -> subprocess.Popen[bytes]:
        """Start a command of ours here, on a cluster; what it prints goes to the log."""
        self.folder.mkdir(exist_ok=True)
        (self.folder / "space.yaml").write_text(SPACE)
        where = ("--address", address, "--results", STORE, "--s3-endpoint", self.endpoint)
        command = [sys.executable, "-m", "tune_mnist", *words, *where]
        if os.geteuid() == 0:
            named = f'hostname {self.folder.name} && exec "$@"'
            command = ["unshare", "--uts", "sh", "-c", named, "sh", *command]
        with (self.folder / "log").open("ab") as log:
            environ = environment(XDG_CACHE_HOME=str(self.folder / "cache"), **KEYS)
            return subprocess.Popen(command, cwd=self.folder, env=environ, stdout=log, stderr=log)

    def log(self) -> str:
        """Return what was printed here."""
        return (self.folder / "log").read_text("utf-8", "replace")


@dataclass
class Round:
    """One round: what it searches and where, and what is wrong."""

    name: str
    folder: Path
    endpoint: str
    faults: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)

    def machine(self, name: str, endpoint: str | None = None) -> Machine:
        """Return a machine of this round."""
        return Machine(self.folder / name, endpoint or self.endpoint)

    def rows(self) -> list[dict[str, Any]]:
        """Return what the search has stored so far."""
        root = opened(STORE, self.endpoint)
        if not (root / "searches" / f"{self.name}.json").exists():
            return []
        rows: list[dict[str, Any]] = read_trials(root, search=self.name).to_pylist()
        return rows

    def start(self, machine: Machine, nodes: Nodes, after: int) -> subprocess.Popen[bytes]:
        """Start the search; return when it has stored so many trials."""
        words = ("search", "svm", "--space", "space.yaml", "--name", self.name, "--rerun")
        running = machine.run(nodes.address, *words)
        until = time.monotonic() + PATIENCE_S
        while running.poll() is None and len(self.rows()) < after:
            if time.monotonic() > until:
                self.faults.append(f"has not stored {after} trials")
                break
            time.sleep(0.1)
        self.events.append(f"{len(self.rows())} trials stored")
        return running

    def ended(self, running: subprocess.Popen[bytes], *codes: int) -> None:
        """Wait for a driver to end with one of these exit codes."""
        try:
            code = running.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            running.kill()
            self.faults.append("a driver hung")
            return
        self.events.append(f"exit {code}")
        if code not in codes:
            self.faults.append(f"exit code {code}")

    def resume(self, machine: Machine, nodes: Nodes) -> None:
        """Resume the search; while another driver writes it, ask again."""
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            running = machine.run(nodes.address, "resume", self.name)
            if running.wait(PATIENCE_S) != REFUSED or "being written" not in machine.log():
                break
            time.sleep(2.0)
        self.ended(running, 0)


def play(played: Round, strike: str, chance: random.Random) -> None:
    """Run one round, to its end."""
    after = chance.randrange(1, CONFIGURATIONS - 4)
    with ExitStack() as stack:
        nodes = stack.enter_context(running_nodes(1, 1))
        if strike == "network":
            _cut(played, nodes, chance, after)
            return
        running = played.start(played.machine("first"), nodes, after)
        if strike == "node":
            nodes.kill(chance.choice([1, 2]))
            played.ended(running, 0)
        elif strike == "driver":
            running.kill()
            played.ended(running, -9)
            played.resume(played.machine("second"), nodes)
        else:
            nodes.kill(0)
            played.ended(running, REFUSED)
            others = stack.enter_context(running_nodes(1))
            played.resume(played.machine("second"), others)


def _cut(played: Round, nodes: Nodes, chance: random.Random, after: int) -> None:
    link = Link(urlsplit(played.endpoint).port or 0)
    running = played.start(played.machine("first", link.endpoint), nodes, after)
    seconds = chance.uniform(50, 80)  # the lease lasts 60: the second may come before the mending
    link.cut(seconds)
    played.events.append(f"cut for {seconds:.0f} s")
    played.resume(played.machine("second"), nodes)
    played.ended(running, 0, REFUSED)  # refused: the second has taken over
    link.close()


def judge(played: Round, calm: tuple[object, object]) -> None:
    """Add what is wrong with the rows that a round has left."""
    rows = played.rows()
    counts = Counter(row["config"] for row in rows if row["status"] == "completed")
    if len(counts) != CONFIGURATIONS:
        played.faults.append(f"{CONFIGURATIONS - len(counts)} configurations lost")
    twice = [config for config, count in counts.items() if count > 1]
    if twice:
        played.faults.append(f"twice: {twice}")
    if winning(played) != calm:
        played.faults.append(f"the winner is {winning(played)}, not {calm}")
    for log in played.folder.glob("*/log"):
        if "Traceback" in log.read_text("utf-8", "replace"):
            played.faults.append(f"traceback in {log}")


def winning(played: Round) -> tuple[object, object]:
    """Return the configuration and the validation accuracy of the winner."""
    space = next(played.folder.glob("*/space.yaml"))
    best = winner(played.rows(), read_space(space).goal)
    return (best["config"], best["val_accuracy"]) if best else (None, None)


def undisturbed(folder: Path, endpoint: str) -> tuple[object, object]:
    """Run the search without a strike; return its winner."""
    calm = Round("calm", folder, endpoint)
    folder.mkdir()
    with running_nodes(1, 1) as nodes:
        calm.ended(calm.start(calm.machine("first"), nodes, CONFIGURATIONS), 0)
    if calm.faults:
        raise RuntimeError(calm.machine("first").log())
    return winning(calm)


def main() -> int:
    """Run the rounds that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first round")
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="cluster-rounds-"))
    os.environ |= {**KEYS, "XDG_CACHE_HOME": str(folder / "cache")}
    faulty, victims = 0, Counter[str]()
    with s3_server() as endpoint:
        calm = undisturbed(folder / "calm", endpoint)
        for number in range(asked.first, asked.first + asked.rounds):
            chance = random.Random(f"{asked.seed}-{number}")
            strike = STRIKES[number % len(STRIKES)]
            played = Round(f"round-{number}", folder / str(number), endpoint)
            played.folder.mkdir()
            begin = time.monotonic()
            play(played, strike, chance)
            judge(played, calm)
            said = "; ".join(played.faults) or "nothing lost"
            took = f"{time.monotonic() - begin:.0f} s"
            print(f"{number} {strike}: {', '.join(played.events)}, {took}: {said}", flush=True)
            faulty += bool(played.faults)
            victims[strike] += 1
    strikes = ", ".join(f"{count} {strike}" for strike, count in victims.items())
    print(f"{asked.rounds} rounds ({strikes}), {faulty} with a fault; logs in {folder}")
    return int(faulty > 0)


if __name__ == "__main__":
    sys.exit(main())
