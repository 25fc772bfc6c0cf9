"""`confirm`: run the best of a finished search again on fresh seeds; is its winner one?"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from tune_mnist.analysis.confirmation import Standing, Standings
    from tune_mnist.datasets import Dataset
    from tune_mnist.search.history.confirmation import Confirmation
    from tune_mnist.search.planning.plan import Plan

SEEDS = 5
"""Fresh seeds for each configuration at most, unless said otherwise."""


def confirm(
    search: Annotated[str, typer.Argument(help="A finished search of the store.")],
    top: Annotated[
        int | None, typer.Option(min=1, help="Configurations to run again; default 3.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=2, help="Fresh seeds for each at most.")] = SEEDS,
    cpus: Annotated[int | None, typer.Option(help="Cores for all of it; default all.")] = None,
    gpus: Annotated[int | None, typer.Option(help="GPUs; default as the search had.")] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(envvar="TUNE_MNIST_DATA", help="Where to look for data sets first."),
    ] = None,
    results: Annotated[Path, typer.Option(help="Folder of the results store.")] = Path("results"),
) -> None:
    """Run the best trials of a search again on fresh seeds, and say whether its winner is one."""
    from rich.console import Console

    from tune_mnist.cli.search import load_recorded
    from tune_mnist.search.history.confirmation import confirmation_of, plan_confirmation
    from tune_mnist.search.planning.machine import this_machine

    confirmation = confirmation_of(results, search, top=top, seeds=seeds)
    recorded = confirmation.plan
    data = load_recorded(recorded, data_dir)
    machine = this_machine(ask_torch=recorded["space"]["model"] != "svm")
    plan = plan_confirmation(
        confirmation, data, cpus=cpus, gpus=gpus, machine=machine, root=results
    )
    console = Console(width=None if sys.stdout.isatty() else 160)
    run_confirmation(confirmation, plan, data, results, console)


def run_confirmation(
    confirmation: Confirmation, plan: Plan, data: Dataset, results: Path, console: Console
) -> None:
    """Run what is still to be run, and print how the configurations stand."""
    from tune_mnist.analysis.confirmation import repeats, standings, wanted_seeds
    from tune_mnist.cli.live import LiveView
    from tune_mnist.search.history.confirmation import ConfirmSearcher, finished_rows
    from tune_mnist.search.on_ray.ray_session import ray_session
    from tune_mnist.search.on_ray.run import run_search
    from tune_mnist.spaces import parameter_types
    from tune_mnist.store.writer import Writer

    seeds, resolution = len(confirmation.seeds), 1 / len(data.val)

    def standing(rows: Sequence[Sequence[dict[str, Any]]]) -> Standings:
        return standings([repeats(of_one) for of_one in rows], resolution=resolution)

    reason = "done"
    with Writer(results, confirmation.name, parameter_types(), resume=True) as writer:
        writer.write_search(_plan_dict(confirmation, plan, data))
        searcher = ConfirmSearcher(
            confirmation,
            finished_rows(results, confirmation),
            lambda rows: wanted_seeds(standing(rows), seeds),
        )
        session = ray_session(plan, data)
        with LiveView(plan, console) as view:
            outcome = run_search(plan, data, writer, view, searcher=searcher, session=session)
        reason = outcome.reason
    now = standing(finished_rows(results, confirmation))
    _print_standings(now, confirmation, console)
    if reason == "interrupted":
        raise KeyboardInterrupt


def _plan_dict(confirmation: Confirmation, plan: Plan, data: Dataset) -> dict[str, Any]:
    from tune_mnist.provenance import code_hash, git_commit, host, versions

    return {
        **plan.as_dict(),
        "search": confirmation.name,
        "confirms": confirmation.as_dict(),
        "dataset": data.name,
        "data_hash": data.content_hash,
        "split": data.split,
        "seed": plan.space.search.seed,
        "command": [*sys.argv],
        "host": host(),
        "versions": versions(),
        "git_commit": git_commit(),
        "code_hash": code_hash(),
        "started": datetime.now(timezone.utc).isoformat(),
    }


def _print_standings(now: Standings, confirmation: Confirmation, console: Console) -> None:
    from rich.table import Table
    from rich.text import Text

    from tune_mnist.spaces import config_key
    from tune_mnist.wording import config_text

    names = [config_text(config_key(config)) for config in confirmation.configs]
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("configuration", overflow="fold")
    table.add_column("seeds", justify="right")
    table.add_column("mean ± sd", no_wrap=True)
    table.add_column("mean within", no_wrap=True)
    table.add_column("behind the leader, within", no_wrap=True)
    table.add_column("verdict", overflow="fold")
    for index in sorted(range(len(names)), key=lambda index: _rank(now, index)):
        one = now.of_each[index]
        difference = "–" if one.difference is None else _points(one.difference, signed=True)
        interval = "" if one.difference is None else f" {_interval(one.difference_interval)}"
        table.add_row(
            Text(names[index]),
            str(one.seeds),
            _mean(one),
            "–" if one.mean is None else _interval(one.mean_interval, signed=False),
            difference + interval,
            Text(verdict(now, index)),
        )
    console.print(table, highlight=False, soft_wrap=True)
    console.print(_conclusion(now, names, confirmation), highlight=False, soft_wrap=True)


def _rank(now: Standings, index: int) -> tuple[bool, bool, float]:
    one = now.of_each[index]
    return index != now.leader, one.error is not None, -(one.mean or 0.0)


def verdict(now: Standings, index: int) -> str:
    """Return what is known of a configuration, in words."""
    one = now.of_each[index]
    if one.error is not None:
        return f"failed on a fresh seed: {one.error}"
    told = "leads" if index == now.leader else "separable"
    if index != now.leader and not one.separable:
        told = "equal" if one.difference_interval == (0, 0) else _open(one)
    return f"{told}; deterministic: equal for every seed" if one.deterministic else told


def _open(one: Standing) -> str:
    return f"not separable after {one.seeds} seeds"


def _conclusion(now: Standings, names: Sequence[str], confirmation: Confirmation) -> str:
    from tune_mnist.analysis.confirmation import ALPHA

    stored = f"stored as {confirmation.name}, seeds {', '.join(map(str, confirmation.seeds))}"
    if now.leader is None:
        return f"nothing to compare; {stored}"
    exact = all(one.deterministic for one in now.of_each)
    sure = "exactly" if exact else f"at {1 - ALPHA:.0%} over all looks"
    if len(names) == 1:
        told = "one configuration: nothing to compare it with"
    elif now.winner is not None:
        told = f"confirmed: {names[now.winner]} is the best of {len(names)}, {sure}"
    elif exact:
        told = "no winner: the best are equal, and no seed will tell them apart"
    else:
        more = f"python -m tune_mnist confirm {confirmation.search} --seeds"
        told = f"the order is open; {more} {2 * len(confirmation.seeds)} would go on"
    return f"{told}\n{stored}"


def _mean(one: Standing) -> str:
    if one.mean is None:
        return "–"
    mean = f"{one.mean:.2%}"
    return mean if one.deviation is None else f"{mean} ± {_points(one.deviation)}"


def _points(fraction: float, *, signed: bool = False) -> str:
    return f"{100 * fraction:+.2f}" if signed else f"{100 * fraction:.2f}"


def _interval(ends: tuple[float, float], *, signed: bool = True) -> str:
    low, high = (_points(end, signed=signed) for end in ends)
    return f"[{low}, {high}]"
