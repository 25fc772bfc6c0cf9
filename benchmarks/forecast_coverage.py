"""Claim: a forecast's interval holds what a search then takes in 8 of 10 recorded cases.

    python -m benchmarks.forecast_coverage [--draws N]

Recorded runs of the same trials, made at different times and loads: our SVMs of
`results/reference`, each grid twice in one evening; ours of ResNet on digits, five seeds; and the
technical report's ResNets, three runs of each grid. Each run is one search. A case takes one search
as the one to come, one or more of the others as the past, and forgets a part of that past at
random, so that some trials are new. The trials are laid end to end on two workers; what a search
spends before and after them is not in these records.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import pandas as pd

from tune_mnist.reproduction.published import published, published_folder
from tune_mnist.searching.planning.forecast import Timed, Workers, forecast, worked_off
from tune_mnist.spaces import Config
from tune_mnist.store.reader import read_trials

TABLES = Path(__file__).with_name("tables")
WORKERS = 2
KEPT = (1.0, 0.5)  # parts of the past that are known
_FEWEST = 4  # timed configurations, without which nothing is forecast

Searches = dict[str, list[Timed]]
"""The timed trials of each search of one grid."""


@dataclass(frozen=True)
class Case:
    """A search that was forecast, and what it took.

    Args:
        grid: where the times are from.
        held: whether the interval holds what it took.
        width: the interval's upper end over its lower end.
    """

    grid: str
    held: bool
    width: float


def recorded() -> dict[str, Searches]:
    """Return every grid that ran several times, by what it is."""
    return {**_our_svms(), "ours, ResNet on digits": _our_resnets(), **_report()}


def _our_svms() -> dict[str, Searches]:
    """Our SVM grids; the two test sets ask for the same work within 3 %."""
    trials = read_trials(published_folder().parent, equal={"model": "svm"}).to_pylist()
    found: dict[str, Searches] = {}
    for row in trials:
        held = (row["finished"] - row["started"]).total_seconds()
        one = Timed(json.loads(row["config"]), max(row["wall_time_s"], held), row["search"])
        of_grid = found.setdefault(f"ours, SVM on {row['dataset']}", {})
        of_grid.setdefault(row["search"], []).append(one)
    return found


def _our_resnets() -> Searches:
    table = pd.read_csv(TABLES / "resnet_digits.csv")
    whole = table[table["fidelity"] == table["fidelity"].max()]
    return _searches(whole, ["batch_size", "optimizer", "learning_rate"], ["seed"])


def _report() -> dict[str, Searches]:
    runs = published("resnet")
    parameters = ["architecture", "batch_size", "optimizer", "learning_rate", "epochs"]
    return {
        f"the technical report's, {dataset}": _searches(of, parameters, ["run", "pin_memory"])
        for dataset, of in runs.groupby("dataset")
    }


def _searches(table: pd.DataFrame, parameters: list[str], search: list[str]) -> Searches:
    return {
        str(name): [
            Timed(_config(row, parameters), float(row["wall_time_s"]), str(name))
            for row in rows.to_dict("records")
        ]
        for name, rows in table.groupby(search)
    }


def _config(row: Mapping[Any, Any], parameters: list[str]) -> Config:
    return {name: row[name] for name in parameters}


def cases(draws: int) -> Iterator[Case]:
    """Yield the cases: `draws` for each search, number of past searches and part of them known."""
    rng = random.Random(0)
    for grid, searches in recorded().items():
        for name, real in searches.items():
            others = [other for other in searches if other != name]
            for count in range(1, len(others) + 1):
                for kept in KEPT:
                    for _ in range(draws):
                        yield _case(grid, real, _past(searches, others, count, kept, rng))


def _past(
    searches: Searches, others: list[str], count: int, kept: float, rng: random.Random
) -> list[Timed]:
    past = [one for name in rng.sample(others, count) for one in searches[name]]
    configs = sorted({json.dumps(one.config, sort_keys=True) for one in past})
    known = set(rng.sample(configs, max(_FEWEST, round(kept * len(configs)))))
    return [one for one in past if json.dumps(one.config, sort_keys=True) in known]


def _case(grid: str, real: list[Timed], past: list[Timed]) -> Case:
    took = worked_off([one.seconds for one in real], WORKERS)
    told = forecast(past, [one.config for one in real], workers=Workers(WORKERS))
    assert told is not None  # every past has enough distinct configurations
    return Case(grid, told.low <= took <= told.high, told.high / told.low)


def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=3, help="cases of each kind")
    found = list(cases(parser.parse_args().draws))
    by_grid = groupby(found, key=lambda case: case.grid)
    for grid, of_grid in [*((name, list(of)) for name, of in by_grid), ("all", found)]:
        held = sum(case.held for case in of_grid) / len(of_grid)
        width = sorted(case.width for case in of_grid)[len(of_grid) // 2]
        print(f"{grid}: {held:.0%} of {len(of_grid)} cases held, median width {width:.2f}x")


if __name__ == "__main__":
    _main()
