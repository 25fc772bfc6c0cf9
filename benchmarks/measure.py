"""How every benchmark measures: two rivals in alternation, median and spread, one table.

    ours, peer = interleave(run_ours, run_peer, rounds=5)
    figure = compare("leaderboard of 1M trials", ours, peer)
    record("Ranks a million trials in under 1 s", "python -m benchmarks.store", [figure])

The rivals alternate, and swap who goes first, so that a machine that slows down or warms up
slows or warms both. The ratio is taken round by round; its spread is the range over the rounds.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import numpy  # noqa: F401  # loads the BLAS that `machine` names
from threadpoolctl import threadpool_info

RESULTS = Path(__file__).with_name("RESULTS.md")
HEADER = """\
# Benchmark results

Written by `--record`, misses included. Times are medians, with the lowest and highest round
in brackets; a ratio is the peer's time over ours, so more than 1x means that ours is faster.

| date (UTC) | commit | claim | what | ours | peer | ratio | command | machine |
|---|---|---|---|---|---|---|---|---|
"""


@dataclass(frozen=True)
class Timings:
    """Wall seconds of the same work done several times, in the order of the rounds."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The median of the rounds, in seconds."""
        return statistics.median(self.seconds)

    def __str__(self) -> str:
        spread = f" ({min(self.seconds):.3g}–{max(self.seconds):.3g})"
        return f"{self.median:.3g} s" + (spread if len(self.seconds) > 1 else "")


@dataclass(frozen=True)
class Figure:
    """One line of the results: what was measured, ours, and the peer's where there is one."""

    what: str
    ours: str
    peer: str = ""
    ratio: str = ""

    def __str__(self) -> str:
        against = f"; peer {self.peer}; {self.ratio}" if self.peer else ""
        return f"{self.what}: {self.ours}{against}"


def interleave(
    ours: Callable[[], object], peer: Callable[[], object], rounds: int
) -> tuple[Timings, Timings]:
    """Time both once a round, each going first in every other round.

    Args:
        ours: the work as we do it; called `rounds` times.
        peer: the same work as the peer does it; called `rounds` times.
        rounds: >= 1. Warm caches with a call of your own where a cold start is not the claim.
    Returns: the timings of ours and of the peer.
    """
    seconds: tuple[list[float], list[float]] = ([], [])
    for turn in range(rounds):
        order = ((0, ours), (1, peer)) if turn % 2 == 0 else ((1, peer), (0, ours))
        for rival, work in order:
            seconds[rival].append(timed(work))
    return Timings(tuple(seconds[0])), Timings(tuple(seconds[1]))


def timed(work: Callable[[], object]) -> float:
    """Return the wall seconds that one call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def compare(what: str, ours: Timings, peer: Timings, scale: float = 1.0) -> Figure:
    """Return the figure of an interleaved run.

    Args:
        what: what was measured, naming the peer.
        ours: timings of ours, from `interleave`.
        peer: timings of the peer, from the same `interleave`.
        scale: how many times larger our work was than the peer's, where the peer could only be
            timed on a part; multiplies the ratio, and the figure says so.
    """
    ratios = [
        scale * theirs / mine for mine, theirs in zip(ours.seconds, peer.seconds, strict=True)
    ]
    ratio = f"{statistics.median(ratios):.3g}x ({min(ratios):.3g}–{max(ratios):.3g})"
    if scale != 1.0:
        ratio += f", the peer's time scaled by {scale:g}"
    return Figure(what, str(ours), str(peer), ratio)


def machine() -> str:
    """Return processor, usable cores, memory, GPU if any, system, Python and BLAS kernels."""
    parts = [
        f"{_processor()}, {usable_cores()} cores, {_memory_gib():.0f} GiB",
        *_gpus(),
        f"{platform.system()} {platform.machine()}",
        f"Python {platform.python_version()}",
        *_blas(),
    ]
    return ", ".join(parts)


def usable_cores() -> int:
    """Return how many cores this process may run on (`taskset` lowers it)."""
    return len(os.sched_getaffinity(0))


def record(claim: str, command: str, rows: Sequence[Figure], path: Path = RESULTS) -> None:
    """Append one line a figure to the results, with date, commit and machine."""
    date = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M")
    before, after = [date, _commit(), claim], [f"`{command}`", machine()]
    text = "" if path.exists() else HEADER
    for row in rows:
        cells = [*before, row.what, row.ours, row.peer, row.ratio, *after]
        text += "| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |\n"
    with path.open("a", encoding="utf-8") as results:
        results.write(text)


def measured_by(module: str, claim: str, measure: Callable[[int], Figure]) -> None:
    """Run a benchmark of one figure as its command line asks.

    Args:
        module: its name, as in `python -m benchmarks.<module>`.
        claim: what it is to show.
        measure: returns the figure of so many rounds.
    """
    parser = argparse.ArgumentParser(description=f"Claim: {claim}")
    parser.add_argument("--short", action="store_true", help="one round")
    parser.add_argument("--record", action="store_true", help="append to benchmarks/RESULTS.md")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    rounds = 1 if arguments.short else arguments.rounds
    print(f"Claim: {claim}", flush=True)
    figure = measure(rounds)
    print(figure)
    if arguments.record:
        record(claim, f"python -m benchmarks.{module} --rounds {rounds}", [figure])


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def _gpus() -> list[str]:
    return _output(["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]).splitlines()


def _blas() -> list[str]:
    """Return whose kernels numpy's BLAS took: on the wrong ones it is half as fast."""
    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    return [f"{pool['internal_api']} {pool.get('architecture', '')}".strip() for pool in pools[:1]]


def _commit() -> str:
    here = ["git", "-C", str(RESULTS.parent)]
    commit = _output([*here, "rev-parse", "--short", "HEAD"]).strip()
    dirty = _output([*here, "status", "--porcelain", "--", "../tune_mnist", "."])
    return commit + "+" * bool(dirty)


def _output(command: list[str]) -> str:
    """Return what a command prints, or "" where it is missing or fails."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return ""
