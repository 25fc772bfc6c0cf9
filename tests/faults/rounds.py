"""Kill a real search at random moments, resume it until it is done, and count what was lost.

    python -m tests.faults.rounds --rounds 50 --seed 0

Each round runs a grid of 40 SVMs on the digits through the command line. At a seeded moment it
kills (SIGKILL) the driver, the driver in the middle of a write, or a worker of Ray. Then it runs
`resume` until the search is done; it may kill the first resume too. Every round must end with the
accuracies of an undisturbed search, each configuration completed once, no contradiction between
proposals and rows, and no process left. It prints a line per round and a summary; the exit code is
1 if anything was lost.
"""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import psutil

from tune_mnist.searching.history.contradictions import contradictions
from tune_mnist.store.reader import read_reports, read_trials

Victim = Literal["driver", "write", "worker"]
TRIALS = 40
SPACE = """
model: svm
dataset: digits
parameters:
  kernel: rbf
  C: {choice: [0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0]}
  gamma: {choice: [0.0001, 0.001, 0.01, 0.1, scale]}
search: {sampler: grid, scheduler: none}
resources: {cpu: 1}
"""
OPTIONS = ("--cpus", "2", "--retries", "3")
GONE_S = 120.0
"""Seconds in which all processes of a killed search must end: two of Ray's agents take a minute
to notice."""
PATIENCE_S = 300.0


@dataclass(frozen=True)
class Round:
    """The result of one round: how often it was killed and resumed, and what is wrong."""

    victims: tuple[Victim, ...]
    kept: int
    resumes: int
    seconds: float
    faults: tuple[str, ...]
    processes: tuple[psutil.Process, ...]


class Search:
    """One search in its own folder, run as processes of the command line."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.results = folder / "results"
        folder.mkdir()
        (folder / "grid.yaml").write_text(SPACE)

    def start(self) -> subprocess.Popen[bytes]:
        return self._run("search", "svm", "--space", "grid.yaml", "--name", "svm", *OPTIONS)

    def resume(self) -> subprocess.Popen[bytes]:
        return self._run("resume", "svm")

    def _run(self, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tune_mnist", *arguments]
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log)

    def completed(self) -> dict[str, list[tuple[float, float]]]:
        """Return the validation and test accuracies of each configuration's completed rows."""
        found: dict[str, list[tuple[float, float]]] = {}
        if (self.results / "searches").is_dir():
            for row in read_trials(self.results).to_pylist():
                if row["status"] == "completed":
                    both = row["val_accuracy"], row["test_accuracy"]
                    found.setdefault(row["config"], []).append(both)
        return found


def family(driver: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """Return the driver's descendants: Ray's servers and the workers."""
    try:
        return psutil.Process(driver.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def strike(
    driver: subprocess.Popen[bytes],
    victim: Victim,
    search: Search,
    met: dict[int, psutil.Process],
    wait_s: float,
) -> bool:
    """Kill the victim at its moment; return False if the search ended before.

    Args:
        met: filled with the search's processes, by id.
        wait_s: seconds to wait after the first stored trial; a write or worker is the next one.
    """
    aside = search.results / ".writers" / "svm" / "aside"
    rows = search.results / "trials" / "search=svm"
    begin: float | None = None
    while driver.poll() is None:
        if begin is None:
            begin = time.monotonic() if rows.is_dir() and any(rows.iterdir()) else None
            met.update({process.pid: process for process in family(driver)})
        elif time.monotonic() - begin >= wait_s:
            if victim == "driver" or (victim == "write" and aside.exists()):
                driver.kill()
                return True
            if victim == "worker" and _kill_worker(driver):
                return True
        if victim != "write":
            time.sleep(0.005)  # a write takes milliseconds, so there we look without a pause
    return False


def _kill_worker(driver: subprocess.Popen[bytes]) -> bool:
    """Kill a process that trains, not one of Ray's agents, which would end the whole node."""
    for process in family(driver):
        try:
            title = process.cmdline()[:1]
            if title and title[0].startswith("ray::ImplicitFunc"):
                process.kill()
                return True
        except psutil.NoSuchProcess:
            continue
    return False


def play(
    folder: Path,
    calm: Search,
    seconds: float,
    chance: random.Random,
    victims_to_be: tuple[Victim, ...] = (),
) -> Round:
    """Run one round.

    Args:
        victims_to_be: what to kill, one per run of the search; if empty, one or two at random.
        seconds: from the undisturbed search's first stored trial to its end.
    """
    begin = time.monotonic()
    search = Search(folder)
    victims: list[Victim] = []
    faults: list[str] = []
    resumes = 0
    met: dict[int, psutil.Process] = {}
    count = chance.choice([1, 1, 2])
    planned = list(victims_to_be) or [chance.choice(get_args(Victim)) for _ in range(count)]
    driver = search.start()
    kept = 0
    while True:
        if planned:
            victim = planned.pop(0)
            if strike(driver, victim, search, met, chance.uniform(0, seconds)):
                victims.append(victim)
        try:
            code = driver.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            driver.kill()
            faults.append("the search hung")
            break
        found = search.completed()
        if code >= 0 and len(found) >= TRIALS:
            break
        kept = max(kept, len(found))
        if resumes == 10:
            faults.append(f"not done after 10 resumes; the last ended with {code}")
            break
        resumes += 1
        driver = search.resume()
    faults += differences(calm, search)
    seconds = time.monotonic() - begin
    return Round(tuple(victims), kept, resumes, seconds, tuple(faults), tuple(met.values()))


def differences(calm: Search, search: Search) -> list[str]:
    """Return how it differs from the undisturbed search: lost, duplicate or different trials."""
    expected, found = calm.completed(), search.completed()
    faults = [f"lost: {config}" for config in expected.keys() - found.keys()]
    faults += [f"of nowhere: {config}" for config in found.keys() - expected.keys()]
    for config, rows in found.items():
        if len(rows) > 1:
            faults.append(f"{len(rows)} times: {config}")
        if rows[0] != expected.get(config, rows)[0]:
            faults.append(f"another result: {config}")
    best, winner = (max(found.values(), default=None), max(expected.values()))
    if best is None or best[0] != winner[0]:
        faults.append(f"another winner: {best}, not {winner}")
    done = {(row["trial"], row["attempt"]) for row in read_trials(search.results).to_pylist()}
    reports = Counter(
        (row["trial"], row["attempt"]) for row in read_reports(search.results).to_pylist()
    )
    faults += [f"reports of {key}: {n}" for key, n in reports.items() if n > 1 or key not in done]
    return [*faults, *contradictions(search.results, "svm")[0]]


def undisturbed(folder: Path) -> tuple[Search, float]:
    """Run the search undisturbed; return it and how long it ran after its first stored trial."""
    calm = Search(folder)
    driver = calm.start()
    rows = calm.results / "trials" / "search=svm"
    while driver.poll() is None and not (rows.is_dir() and any(rows.iterdir())):
        time.sleep(0.01)
    begin = time.monotonic()
    if driver.wait(PATIENCE_S) != 0 or len(calm.completed()) != TRIALS:
        raise RuntimeError((folder / "log").read_text())
    return calm, time.monotonic() - begin


def line(number: int, played: Round) -> str:
    """Describe a round in one line."""
    words = f"{', '.join(played.victims) or 'nobody'} killed, {played.kept} trials kept"
    fault = "; ".join(played.faults) or "nothing lost"
    return f"{number}: {words}, {played.resumes} resumes, {played.seconds:.0f} s: {fault}"


def left_running(rounds: list[Round]) -> list[str]:
    """Return the names of the processes, of all rounds, that have not ended in time."""
    met = [process for played in rounds for process in played.processes]
    _, alive = psutil.wait_procs(met, timeout=GONE_S)
    return [process.name() for process in alive]


def main() -> int:
    """Run the rounds that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="rounds-"))
    calm, seconds = undisturbed(folder / "calm")
    rounds: list[Round] = []
    for number in range(asked.rounds):
        chance = random.Random(f"{asked.seed}-{number}")
        played = play(folder / str(number), calm, seconds, chance)
        rounds.append(played)
        print(line(number, played), flush=True)
        if not played.faults:
            shutil.rmtree(folder / str(number))
    victims = Counter(victim for played in rounds for victim in played.victims)
    faulty = sum(bool(played.faults) for played in rounds)
    kills = ", ".join(f"{count} {victim}" for victim, count in sorted(victims.items()))
    left = left_running(rounds)
    print(f"{len(rounds)} rounds, {victims.total()} kills ({kills}), {faulty} with a fault")
    print(f"processes left after {GONE_S:g} s: {', '.join(left) or 'none'}")
    if faulty or left:
        print(f"the stores of those rounds are in {folder}")
        return 1
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
