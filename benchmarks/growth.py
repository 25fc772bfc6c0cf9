"""Claim: what is asked of all searches costs as much as there are searches, not their square.

    python -m benchmarks.growth [--searches 100 1000 10000] [--record]

Runs one real search of four SVMs on the digits, copies what it stored under so many names, and
times what every user waits for, each as a process of its own: `status`, a leaderboard, and
`search --dry-run`, which reads what a new search reads before its first trial. Prints the seconds
and the highest resident memory of each.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.measure import Figure, record
from tune_mnist.store.layout import proposals_file, record_file
from tune_mnist.store.plans import read_search

CLAIM = "what is asked of all searches grows with their number, not with its square"
PROGRAM = [sys.executable, "-m", "tune_mnist"]
COMMANDS = (
    ["status"],
    ["leaderboard", "--top", "10"],
    ["search", "svm", "--dataset", "digits", "--trials", "4", "--dry-run"],
)


def write_store(folder: Path, searches: int) -> None:
    """Fill a folder's results with that many copies of one real search."""
    line = ["search", "svm", "--dataset", "digits", "--trials", "4", "--name", "s"]
    subprocess.run([*PROGRAM, *line], cwd=folder, check=True, capture_output=True)
    results = folder / "results"
    original = read_search(results, "s")
    for number in range(searches - 1):
        name = f"s-{number:05d}"
        record_file(results, name).write_text(
            original.model_copy(update={"search": name}).to_json(), "utf-8"
        )
        for kind in ("reports", "trials"):
            shutil.copytree(results / kind / "search=s", results / kind / f"search={name}")
        shutil.copy(proposals_file(results, "s"), proposals_file(results, name))


def measured(folder: Path, command: list[str]) -> tuple[float, float]:
    """Return the wall seconds of a command and its highest resident memory in MiB."""
    start = time.perf_counter()
    process = subprocess.Popen([*PROGRAM, *command], cwd=folder, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{command}: exit code {process.returncode}")
    return seconds, used.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--searches", type=int, nargs="+", default=[100, 1000, 10000])
    parser.add_argument("--record", action="store_true", help="append to RESULTS.md")
    arguments = parser.parse_args()
    figures = []
    for searches in arguments.searches:
        with tempfile.TemporaryDirectory(prefix="tune-mnist-growth-") as at:
            write_store(Path(at), searches)
            for command in COMMANDS:
                seconds, mib = measured(Path(at), command)
                what = f"{command[0]}, {searches} searches"
                figures.append(Figure(what, f"{seconds:.2f} s, {mib:.0f} MiB"))
                print(figures[-1], flush=True)
    if arguments.record:
        counts = " ".join(map(str, arguments.searches))
        record(CLAIM, f"python -m benchmarks.growth --searches {counts}", figures)


if __name__ == "__main__":
    main()
