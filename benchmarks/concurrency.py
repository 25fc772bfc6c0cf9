"""Claim: short trials keep the processes that they start, and more at once are faster.

    python -m benchmarks.concurrency [--record]

160 trials of 0.4 s, 4 and 16 at once, and 300 trials of 0.1 s, 4 at once, by our search on Ray
Tune; each with Tune as it is, which kills processes that still start, and as we use it. Prints the
seconds and the processes that were started for trials.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from contextlib import nullcontext
from typing import Any

from benchmarks.measure import Figure, record
from benchmarks.trivial_trials import seconds_of_trivial_trials
from tune_mnist.searching.planning.machine import Machine

CLAIM = "short trials keep the processes that they start"
RUNS = ((4, 160, 0.4), (16, 160, 0.4), (4, 300, 0.1))


def measure(at_once: int, trials: int, trial_s: float, kept: bool) -> None:
    """Run one search; print its seconds and the processes that it has started for trials."""
    from ray.air.execution._internal.actor_manager import RayActorManager

    from tune_mnist.searching.on_ray import run

    started = 0
    add_actor = RayActorManager.add_actor

    def counted(manager: RayActorManager, *arguments: Any, **named: Any) -> Any:
        nonlocal started
        started += 1
        return add_actor(manager, *arguments, **named)

    setattr(RayActorManager, "add_actor", counted)  # noqa: B010
    if not kept:
        setattr(run, "starting_processes_kept", nullcontext)  # noqa: B010
    machine = Machine(cpus=at_once, gpus=0, memory_bytes=2**33)
    seconds = seconds_of_trivial_trials(trials, machine, trial_s=trial_s, at_once=at_once)
    print(f"{seconds:.1f} s in {started} processes")


def in_process(*words: str) -> str:
    """Run one search in a process of its own; return what it prints last."""
    command = [sys.executable, "-m", "benchmarks.concurrency", "--one", *words]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.splitlines()[-1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--record", action="store_true", help="append to RESULTS.md")
    parser.add_argument("--one", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        at_once, trials, trial_s, kept = arguments.one
        measure(int(at_once), int(trials), float(trial_s), kept == "kept")
        return
    figures = []
    for at_once, trials, trial_s in RUNS:
        words = (str(at_once), str(trials), str(trial_s))
        tunes, ours = in_process(*words, "killed"), in_process(*words, "kept")
        what = f"{trials} trials of {trial_s} s, {at_once} at once; peer: Tune as it is"
        figures.append(Figure(what, ours, tunes))
        print(figures[-1], flush=True)
    if arguments.record:
        record(CLAIM, "python -m benchmarks.concurrency", figures)


if __name__ == "__main__":
    main()
