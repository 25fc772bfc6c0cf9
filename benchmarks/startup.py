"""Claim: TPE that begins with six points of a Sobol sequence is as good as with ten at random.

    python -m benchmarks.startup [--seeds N] [--tables NAME ...]

Prints the third table of docs/decisions/010-search-defaults.md: mean regret in points, with its
standard error, at a ninth and at a third of the grid's cost. The grids are those of
`search_efficiency.py`, replayed with two workers.
"""

from __future__ import annotations

import argparse
import math
import statistics
from collections.abc import Sequence
from unittest import mock

from benchmarks.replay import NAMES, Table, Trace, load, regret_at
from benchmarks.search_efficiency import HORIZON, PARTS, our_traces
from tune_mnist.searching.proposing import samplers

SOBOL = (4, 6, 8, 10)


def traces(table: Table, sobol: int | None, seeds: int) -> list[Trace]:
    """Replay TPE that begins with so many Sobol points; None: as Optuna does, ten at random."""
    horizon = HORIZON * table.grid_seconds()
    if sobol is None:
        at_random = mock.patch.object(samplers, "_starting", return_value=False)
        with at_random, mock.patch.object(samplers, "_STARTUP", 10):
            return our_traces(table, "tpe", seeds, horizon)
    with mock.patch.object(samplers, "_STARTUP", sobol):
        return our_traces(table, "tpe", seeds, horizon)


def regret(table: Table, found: Sequence[Trace]) -> str:
    """Return the mean regret in points ± its standard error at each of `PARTS`."""
    shown = []
    for part in PARTS:
        points = [100 * regret_at(trace, part * table.grid_seconds()) for trace in found]
        error = statistics.stdev(points) / math.sqrt(len(points))
        shown.append(f"{statistics.mean(points):.3f}±{error:.3f}")
    return ", ".join(shown)


def _main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--tables", nargs="+", choices=NAMES, default=NAMES[2:])
    asked = parser.parse_args()
    for name in asked.tables:
        table = load(name)
        for sobol in (None, *SOBOL):
            begins = "10 at random" if sobol is None else f"{sobol} of Sobol"
            found = regret(table, traces(table, sobol, asked.seeds))
            print(f"{name}, tpe begins with {begins}: {found} ({asked.seeds} seeds)", flush=True)


if __name__ == "__main__":
    _main()
