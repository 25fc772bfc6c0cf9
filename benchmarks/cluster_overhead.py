"""Claim: a trial costs the same on a cluster of 1, 2, 4 or 8 nodes, in time and driver memory.

    python -m benchmarks.cluster_overhead [--short] [--record] [--trials N]

1,000 trials that sleep a tenth of a second, four at once, on real Ray nodes of this machine that
have eight CPUs together, however many they are. So only the number of nodes changes; the driver,
the store and the number of trial processes stay as they are. Prints the seconds a trial beyond its
sleep and the driver's highest resident memory.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile

from benchmarks.measure import Figure, record
from benchmarks.trivial_trials import seconds_of_trivial_trials
from tests.cluster.conftest import environment, running_nodes

CLAIM = "a trial costs the same on 1, 2, 4 and 8 nodes, within 20 %"
NODES = (1, 2, 4, 8)
CPUS = 8
AT_ONCE = 4
TRIAL_S = 0.1


def drive(address: str, trials: int) -> None:
    """Search on a cluster; print the seconds and the highest resident memory of this process."""
    from tune_mnist.searching.on_ray.session.ray_session import find_machine

    machine = find_machine(address)
    seconds = seconds_of_trivial_trials(trials, machine, trial_s=TRIAL_S, at_once=AT_ONCE)
    kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"seconds": seconds, "mib": kib / 1024}))


def measured(nodes: int, trials: int) -> tuple[float, float]:
    """Return the seconds a trial beyond its sleep, and the driver's memory in MiB."""
    with running_nodes(*[CPUS // nodes] * nodes) as running, tempfile.TemporaryDirectory() as cache:
        command = [sys.executable, "-m", "benchmarks.cluster_overhead", "--trials", str(trials)]
        done = subprocess.run(
            [*command, "--drive", running.address],
            env=environment(XDG_CACHE_HOME=cache),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    found = json.loads(done.stdout.splitlines()[-1])
    return (found["seconds"] - trials * TRIAL_S / AT_ONCE) / trials, found["mib"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true", help="fewer trials, on 1 and 2 nodes")
    parser.add_argument("--record", action="store_true", help="append to RESULTS.md")
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--drive", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.drive:
        drive(arguments.drive, arguments.trials)
        return
    trials = 40 if arguments.short else arguments.trials
    figures = []
    first: tuple[float, float] | None = None
    for nodes in NODES[:2] if arguments.short else NODES:
        seconds, mib = found = measured(nodes, trials)
        first = first or found
        ratios = f"{seconds / first[0]:.2f}x the time, {mib / first[1]:.2f}x the memory of one node"
        what = f"{trials} trials, {nodes} nodes"
        figures.append(Figure(what, f"{seconds:.4f} s a trial, {mib:.0f} MiB", "", ratios))
        print(f"{figures[-1]}; {ratios}", flush=True)
    if arguments.record:
        record(CLAIM, f"python -m benchmarks.cluster_overhead --trials {trials}", figures)


if __name__ == "__main__":
    main()
