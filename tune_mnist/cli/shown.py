"""A plan, its notes, a search's outcome and its goals, as the terminal shows them."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tune_mnist.actions.search import Searched, scores
from tune_mnist.cli.console import console
from tune_mnist.cli.leaderboard import print_table
from tune_mnist.cli.words import command, in_options
from tune_mnist.searching.planning.forecast import Forecast
from tune_mnist.searching.planning.plan import Plan
from tune_mnist.searching.stopping.ending import Outcome
from tune_mnist.spaces import Space, config_key, configurations
from tune_mnist.store.files.place import given, saved_models
from tune_mnist.store.schema import TRIALS
from tune_mnist.wording import cell_text, config_text, duration, heading, model_text

_LISTED = 100
"""Configurations of a grid that a plan lists."""


def print_notes(notes: Sequence[str]) -> None:
    """Print a line each on stderr."""
    to = console(error=True, soft_wrap=True)
    for note in notes:
        to.print(in_options(note), style="yellow")


def print_plan(plan: Plan, expected: Forecast | None, to: Console) -> None:
    """Print what would run."""
    search = plan.space.search
    bundles = " or ".join(f"{b['cpu']:g} CPU + {b['gpu']:g} GPU" for b in plan.bundles())
    cluster = plan.cluster
    where = f"the Ray cluster at {cluster.address}, {len(cluster.nodes)} nodes" if cluster else ""
    count = "infinitely many" if plan.configurations is None else f"{plan.configurations:,}"
    ends = {
        "trials": plan.trials,
        "seconds": search.time_budget_s,
        f"{plan.space.objective.metric} of": search.target,
    }
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim")
    table.add_column()
    for key, value in (
        ("space", f"{plan.space.name} ({', '.join(plan.space.models)}) on {plan.space.dataset}"),
        ("configurations", count),
        ("sampler, scheduler", f"{search.sampler}, {search.scheduler}"),
        ("ends after", ", ".join(f"{v:g} {k}" for k, v in ends.items() if v is not None)),
        ("engine", " – ".join(plan.engine or ("PyTorch",))),
        ("seed", str(search.seed)),
        ("bundle a trial", bundles),
        ("at most at once", f"{plan.concurrency} of {plan.cpus} CPU + {plan.gpus} GPU"),
        ("wall time", _forecast_text(expected)),
        *([("runs on", where)] if where else []),
    ):
        table.add_row(key, value)
    to.print(table)
    if (
        search.sampler == "grid"
        and plan.configurations is not None
        and plan.configurations <= _LISTED
    ):
        for config in configurations(plan.space, plan.device):
            to.print("  " + config_text(config_key(config)))


def _forecast_text(expected: Forecast | None) -> str:
    """Return a forecast for people: "about 40 s, 35 s to 50 s in 8 of 10 cases"."""
    if expected is None:
        return "unknown: the store has too few trials like these"
    low, high = duration(expected.low), duration(expected.high)
    return (
        f"about {duration(expected.seconds)}, {low} to {high} in 8 of 10 cases; of"
        f" {expected.trials} trials to train the store has timed {expected.timed}"
    )


def _chosen_by(row: Mapping[str, Any], metric: str) -> str:
    """Return the metric, and its value unless the scores beside it show that."""
    if metric in ("val_accuracy", "wall_time_s") or row.get(metric) is None:
        return metric
    field = TRIALS.field(metric)
    percent = " %" if heading(field).endswith(" %") else ""
    return f"{metric} {cell_text(field, row[metric])}{percent}"


def print_outcome(searched: Searched, plan: Plan, addresses: Sequence[str], to: Console) -> None:
    """Print how a search ended, its winner, and what can be done with it."""
    outcome, name = searched.outcome, searched.name
    counts = ", ".join(f"{count} {status}" for status, count in sorted(outcome.counts.items()))
    parts = [
        (outcome.shared, "measured by a longer one on its way; --no-share would train each"),
        (outcome.reused, "reused; --rerun would run them again"),
    ]
    notes = "".join(f" ({count} {text})" for count, text in parts if count)
    unfinished = f", {outcome.unfinished} unfinished" if outcome.unfinished else ""
    ended = "" if outcome.reason == "done" else f" (ended by: {outcome.reason})"

    def print_line(text: str) -> None:
        to.print(text, soft_wrap=True)

    print_line(f"search {name}: {counts or 'no trial finished'}{notes}{unfinished}{ended}")
    if (row := outcome.best) is not None:
        text = config_key(row["config"])
        winner = model_text(row["model"], text) if plan.space.several else config_text(text)
        to.print(Text.assemble(("winner", "bold"), f" {winner}"), soft_wrap=True)
        print_line(f"  {scores(row)}; chosen by {_chosen_by(row, plan.space.objective.metric)}")
    if outcome.reason == "interrupted":
        print_line(f"resume it with: {resume_command(name, searched.results)}")
    if outcome.best is not None and outcome.best["trial"] in saved_models(searched.results, name):
        export = command("model", "export", name, *_results_option(searched.results))
        print_line(f"take its model home: {export} --out winner")
    page = command("leaderboard", "--search", name, *_results_option(searched.results))
    print_line(f"export the leaderboard: {page} --html leaderboard.html")
    for address in addresses if plan.cluster is None else ():
        to.print(f"dashboard: {address} (it ended with the search)")
    if searched.forecast is not None:
        took = duration(searched.seconds)
        print_line(f"took {took}; forecast {_forecast_text(searched.forecast)}")


def exit_if_interrupted(outcome: Outcome) -> None:
    """Raise typer.Exit with the shell's code of the signal, if one interrupted the run."""
    if outcome.reason == "interrupted":
        raise typer.Exit(128 + (outcome.signal or signal.SIGINT))


def resume_command(name: str, results: Path) -> str:
    """Return the command line that resumes a search."""
    return command("resume", name, *_results_option(results))


def _results_option(results: Path) -> list[str]:
    if results == Path("results").absolute():
        return []
    place, s3_endpoint = given(results)
    return ["--results", place, *(["--s3-endpoint", s3_endpoint] if s3_endpoint else [])]


def print_goals(
    results: Path, search: str, space: Space, within: float | None, to: Console
) -> None:
    """Print the Pareto set of several objectives, and the cheapest almost as good as the best.

    Trials that were stopped early do not count, because they only seem cheap.

    Args:
        results: the store. At least one completed trial of the search must satisfy the space's
            constraints.
        search: the search's name.
        space: the space that was searched.
        within: how much worse than the best an accuracy may be, a fraction; None does not ask.
        to: where to print.
    """
    import pyarrow.compute as pc

    from tune_mnist.analysis.constraints import read_selected
    from tune_mnist.analysis.pareto import pareto_sets, set_sentence
    from tune_mnist.analysis.within import cheapest_within, sentence
    from tune_mnist.store.selection import Selection

    trials = read_selected(results, Selection(search, where=space.constraints))
    trials = trials.filter(pc.equal(trials["status"], "completed"))
    if len(space.objectives) > 1:
        metrics = tuple(objective.metric for objective in space.objectives)
        for found in pareto_sets(trials, metrics, at_least=1):
            print_table(found.trials, to)
            to.print(set_sentence(found), soft_wrap=True)
    for answer in cheapest_within(trials, within) if within is not None else ():
        to.print(sentence(answer), soft_wrap=True)
