"""Run a planned search from the command line: its live view, its ending, its exit code."""

from __future__ import annotations

import sys
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from tune_mnist.datasets import Dataset
    from tune_mnist.search.history.memory import Memory
    from tune_mnist.search.history.resume import Earlier
    from tune_mnist.search.history.warm_start import WarmStart
    from tune_mnist.search.on_ray.ending import Outcome
    from tune_mnist.search.planning.plan import Plan


def run_planned(
    plan: Plan,
    data: Dataset,
    results: Path,
    name: str,
    *,
    memory: Memory | None,
    console: Console,
    began: float,
    warm: WarmStart | None = None,
    earlier: Earlier | None = None,
    dashboard: bool = False,
) -> None:
    """Run a search and print how it ended.

    Args:
        plan, data: what is searched.
        results: the store's folder.
        name: of the search.
        memory: finished trials that are not run again; None runs every trial.
        console: where to print.
        began: when the time budget began to run, on the monotonic clock.
        warm: what earlier searches tell the sampler.
        earlier: what earlier runs of this search have done; None for a new one.
        dashboard: whether Ray's is started.
    Raises:
        InputError: the store refuses the search, or takes no more rows.
        KeyboardInterrupt: it was interrupted. typer.Exit: no trial succeeded.
    """
    from tune_mnist.cli.live import LiveView
    from tune_mnist.cli.search import forecast_text, print_notes
    from tune_mnist.errors import Fault, InputError
    from tune_mnist.search.history.past_times import plan_forecast
    from tune_mnist.search.on_ray.ray_session import TOKEN, ray_session
    from tune_mnist.search.on_ray.run import run_search
    from tune_mnist.spaces import parameter_types
    from tune_mnist.store.writer import Writer
    from tune_mnist.wording import duration

    # A search that goes on has measured a part of itself: that is no forecast.
    expected = None if earlier else plan_forecast(results, plan, data, memory)
    first = (*(warm.first if warm else ()), *(memory.order if memory else ()))
    addresses: list[str] = []

    def on_dashboard(address: str) -> None:
        addresses.append(address)
        console.print(f"dashboard: {address}  (it asks for the token in {TOKEN})")

    with Writer(results, name, parameter_types(), resume=earlier is not None) as writer:
        beginning: dict[str, Any] = {
            "first": list(first),
            "warm_start": warm.as_dict() if warm else None,
        }
        beginning["forecast"] = expected.as_dict() if expected else None
        writer.write_search(_recorded(plan, data, name, beginning, earlier))
        print_notes((*plan.notes, *data.notes))
        try:
            with LiveView(plan, console) as view:
                outcome = run_search(
                    plan,
                    data,
                    writer,
                    view,
                    memory=memory,
                    first=first,
                    observed=warm.observations if warm else (),
                    earlier=earlier,
                    session=ray_session(plan, data, on_dashboard if dashboard else None),
                    named_actors=dashboard,
                    began=began,
                )
        except InputError as error:
            fix = f"what has finished is safe; then: {_resume(name, results)}"
            raise InputError([*error.faults, Fault(name, "", "was ended", fix)]) from error
        if outcome.reason != "interrupted":
            writer.end_search(outcome.reason)
        _print_outcome(outcome, plan, results, name, addresses, console)
        if expected is not None:
            took = f"took {duration(time.monotonic() - began)}; forecast {forecast_text(expected)}"
            console.print(took, markup=False, highlight=False, soft_wrap=True)
    if outcome.reason == "interrupted":
        raise KeyboardInterrupt
    if outcome.best is None:
        raise typer.Exit(1)


def _recorded(
    plan: Plan, data: Dataset, name: str, beginning: dict[str, Any], earlier: Earlier | None
) -> dict[str, Any]:
    """Return what the store keeps of the plan; a search that goes on keeps how it began."""
    from tune_mnist.provenance import code_hash, git_commit, host, versions

    now = datetime.now(timezone.utc).isoformat()
    run = {
        "command": [*sys.argv],
        "host": host(),
        "versions": versions(),
        "git_commit": git_commit(),
        "code_hash": code_hash(),
    }
    if earlier is not None:
        kept = {key: value for key, value in earlier.plan.items() if key != "ended"}
        resumed = [*kept.get("resumed", ()), {"at": now, **run}]
        return {**kept, **plan.as_dict(), "resumed": resumed}
    return {
        **plan.as_dict(),
        "search": name,
        "dataset": data.name,
        "data_hash": data.content_hash,
        "split": data.split,
        "seed": plan.space.search.seed,
        **run,
        **beginning,
        "started": now,
    }


def _print_outcome(
    outcome: Outcome,
    plan: Plan,
    results: Path,
    name: str,
    addresses: list[str],
    console: Console,
) -> None:
    from tune_mnist.spaces import config_key
    from tune_mnist.wording import config_text, duration, percent

    counts = ", ".join(f"{count} {status}" for status, count in sorted(outcome.counts.items()))
    parts = [
        (outcome.shared, "measured on the way of a longer one; --no-share would train each"),
        (outcome.reused, "reused; --rerun would not"),
    ]
    notes = "".join(f" ({count} {text})" for count, text in parts if count)
    unfinished = f", {outcome.unfinished} unfinished" if outcome.unfinished else ""
    ended = "" if outcome.reason == "done" else f" (ended by: {outcome.reason})"

    def print_line(text: str) -> None:
        console.print(text, markup=False, soft_wrap=True, highlight=False)

    print_line(f"search {name}: {counts or 'no trial finished'}{notes}{unfinished}{ended}")
    if outcome.best is not None:
        row, metric = outcome.best, plan.space.objective.metric
        console.print(
            f"[bold]winner[/bold] {config_text(config_key(row['config']))}", soft_wrap=True
        )
        print_line(
            f"  validation {percent(row['val_accuracy'])}, test {percent(row['test_accuracy'])},"
            f" {duration(row['wall_time_s'])} on {row['device']}; chosen by {metric}"
        )
    if outcome.reason == "interrupted":
        print_line(f"go on: {_resume(name, results)}")
    page = f"python -m tune_mnist leaderboard --search {name}{_option(results)}"
    print_line(f"export the leaderboard: {page} --html leaderboard.html")
    for address in addresses:
        console.print(f"dashboard: {address} (it ended with the search)")


def _resume(name: str, results: Path) -> str:
    return f"python -m tune_mnist resume {name}{_option(results)}"


def _option(results: Path) -> str:
    from tune_mnist.cli.search import RESULTS

    return "" if results == RESULTS else f" --results {results}"
