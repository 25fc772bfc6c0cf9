"""`search`: plan a search, run it on Ray Tune, show the winner."""

from __future__ import annotations

import re
import secrets
import time
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tune_mnist.errors import input_error

if TYPE_CHECKING:
    from rich.console import Console

    from tune_mnist.datasets import Dataset
    from tune_mnist.search.history.resume import Earlier
    from tune_mnist.search.planning.forecast import Forecast
    from tune_mnist.search.planning.plan import Plan
    from tune_mnist.spaces import Space

RESULTS = Path("results")


def search(
    name: Annotated[
        str,
        typer.Argument(help="A space that ships (see `spaces`); with --space, the file's model."),
    ],
    space: Annotated[Path | None, typer.Option(help="A space file of your own.")] = None,
    dataset: Annotated[
        str | None, typer.Option(help="mnist, fashion-mnist, digits, or a folder of images.")
    ] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(envvar="TUNE_MNIST_DATA", help="Where to look for data sets first."),
    ] = None,
    test_set: Annotated[
        str, typer.Option(help="standard (the data set's own) or holdout (20 % of training).")
    ] = "standard",
    cpus: Annotated[
        int | None, typer.Option(help="Cores for the whole search; default all.")
    ] = None,
    gpus: Annotated[int, typer.Option(help="GPUs for the whole search.")] = 0,
    cpus_per_trial: Annotated[float | None, typer.Option(help="Cores of one trial.")] = None,
    gpus_per_trial: Annotated[
        float | None, typer.Option(help="GPUs of one trial; a fraction shares one.")
    ] = None,
    max_concurrent: Annotated[int | None, typer.Option(help="Trials side by side at most.")] = None,
    sampler: Annotated[
        str | None, typer.Option(help="Who proposes: grid, random, qmc, tpe, gp, cmaes, nsga2.")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="Who stops early: none, asha, hyperband, median, pbt.")
    ] = None,
    objective: Annotated[
        str | None, typer.Option(help="What to make best: val_accuracy,wall_time_s for example.")
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(help='What a winner satisfies: "wall_time_s <= 60"; may be given repeatedly.'),
    ] = None,
    fidelity: Annotated[
        str | None, typer.Option(help="What a scheduler deals out: epochs, train_fraction.")
    ] = None,
    within: Annotated[
        float | None,
        typer.Option(help="Name the cheapest that is worse by no more; 0.002 is 0.2 points."),
    ] = None,
    trials: Annotated[int | None, typer.Option(help="Trials to run at most.")] = None,
    time_budget: Annotated[
        float | None, typer.Option(help="Seconds after which the search ends.")
    ] = None,
    target: Annotated[
        float | None, typer.Option(help="Validation accuracy (0 to 1) that ends the search.")
    ] = None,
    plateau: Annotated[
        int | None, typer.Option(help="Trials in a row without a better one that end the search.")
    ] = None,
    trial_timeout: Annotated[
        float | None, typer.Option(help="Seconds after which a trial is ended as failed.")
    ] = None,
    retries: Annotated[
        int | None, typer.Option(help="How often a failed trial is tried again; default 0.")
    ] = None,
    no_share: Annotated[
        bool, typer.Option("--no-share", help="Train each trial by itself, prefixes too.")
    ] = False,
    seed: Annotated[
        int | None, typer.Option(help="Seed of the sampler and of every trial.")
    ] = None,
    search_name: Annotated[
        str | None, typer.Option("--name", help="Name of this search in the store.")
    ] = None,
    results: Annotated[Path, typer.Option(help="Folder of the results store.")] = RESULTS,
    rerun: Annotated[
        bool, typer.Option("--rerun", help="Run again what the store has finished already.")
    ] = False,
    warm_start: Annotated[
        str | None,
        typer.Option(help="Learn from past trials: a search, a data set, or auto for all."),
    ] = None,
    resume: Annotated[
        str | None, typer.Option(help="Go on with this search of the store; see `resume`.")
    ] = None,
    allow_change: Annotated[
        bool, typer.Option("--allow-change", help="Go on though space, data or code changed.")
    ] = False,
    confirm: Annotated[
        int | None,
        typer.Option(min=1, help="Run the best so many again on fresh seeds; see `confirm`."),
    ] = None,
    seeds: Annotated[int, typer.Option(min=2, help="Fresh seeds for each, with --confirm.")] = 5,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and stop.")] = False,
    dashboard: Annotated[
        bool, typer.Option("--dashboard", help="Start Ray's dashboard on 127.0.0.1.")
    ] = False,
) -> None:
    """Search a space on a data set; every finished trial goes into the results store."""
    began = time.monotonic()
    from rich.console import Console

    from tune_mnist.analysis.within import check_tolerance
    from tune_mnist.cli.goals import print_goals
    from tune_mnist.cli.running import run_planned
    from tune_mnist.search.history.memory import Memory
    from tune_mnist.search.history.past_times import plan_forecast
    from tune_mnist.search.history.warm_start import past_rows
    from tune_mnist.search.history.warm_start import warm_start as warm_from
    from tune_mnist.search.planning.machine import this_machine
    from tune_mnist.search.planning.plan import plan_search, with_engine
    from tune_mnist.spaces import override

    if within is not None:
        check_tolerance(within)
    searched = override(
        _read(name, space),
        dataset=dataset,
        objective=objective,
        where=where or (),
        fidelity=fidelity,
        search={
            "sampler": sampler,
            "scheduler": scheduler,
            "trials": trials,
            "time_budget_s": time_budget,
            "target": target,
            "plateau": plateau,
            "trial_timeout_s": trial_timeout,
            "retries": retries,
            "share": False if no_share else None,
            "seed": seed,
            "max_concurrent": max_concurrent,
        },
        resources={"cpu": cpus_per_trial, "gpu": gpus_per_trial},
    )
    machine = this_machine(ask_torch=gpus > 0 or searched.model != "svm")
    plan = plan_search(searched, cpus=cpus, gpus=gpus, machine=machine)
    data = load_data(searched.dataset, data_dir, test_set)
    plan = with_engine(plan, data, machine)
    warm = None
    if warm_start is not None:
        rows = past_rows(results, warm_start, searched)
        warm = warm_from(rows, searched, plan.device, data.content_hash)
        plan = replace(plan, notes=(*plan.notes, *warm.notes))
    console = Console()
    memory = None if rerun else Memory(results, plan, data)
    if dry_run:
        print_notes((*plan.notes, *data.notes))
        _print_plan(plan, plan_forecast(results, plan, data, memory), console)
        return
    earlier = going_on(results, resume, plan, data, allow_change) if resume is not None else None
    searched_as = resume or search_name or new_name(searched, data)
    run_planned(
        plan,
        data,
        results,
        searched_as,
        memory=memory,
        warm=warm,
        earlier=earlier,
        dashboard=dashboard,
        console=console,
        began=began,
    )
    print_goals(results, searched_as, searched, within, console)
    if confirm is not None:
        from tune_mnist.cli.confirm import confirm as confirm_search

        confirm_search(searched_as, confirm, seeds, cpus, gpus, data_dir, results)


def going_on(results: Path, name: str, plan: Plan, data: Dataset, allow_change: bool) -> Earlier:
    """Return what a search of the store has done; say what has changed since, and refuse it.

    Raises: InputError: no such search, it is running, or something changed and is not allowed to.
    """
    from tune_mnist.errors import Fault, InputError
    from tune_mnist.search.history.resume import differences, earlier_runs

    earlier = earlier_runs(results, name)
    changed = differences(earlier, plan, data)
    if changed and not allow_change:
        fix = "--allow-change goes on all the same, or start another search"
        raise InputError(Fault("--resume", name, change, fix) for change in changed)
    print_notes(tuple(f"{name}: {change}" for change in changed))
    return earlier


def _read(name: str, file: Path | None) -> Space:
    from tune_mnist.spaces import find_space, read_space

    if file is None:
        return read_space(find_space(name))
    space = read_space(file)
    if name not in (space.model, space.name):
        raise input_error(
            file, f"is a space for {space.model}, not for {name}", f"say: search {space.model}"
        )
    return space


def load_data(dataset: str, data_dir: Path | None, test_set: str) -> Dataset:
    """Read the data set, with a progress bar where many image files are decoded."""
    from typing import get_args

    from rich.console import Console
    from rich.progress import Progress

    from tune_mnist.datasets import TestSet, load_dataset
    from tune_mnist.errors import nearest

    choices = get_args(TestSet)
    chosen = next((choice for choice in choices if choice == test_set), None)
    if chosen is None:
        raise input_error("--test-set", f"{test_set!r} is unknown", nearest(test_set, choices))
    console = Console(stderr=True)
    bar = Progress(console=console, transient=True, disable=not console.is_terminal)
    task = bar.add_task("decoding images")

    def progress(done: int, total: int) -> None:
        bar.start()
        bar.update(task, completed=done, total=total)

    try:
        return load_dataset(dataset, data_dir, test_set=chosen, progress=progress)
    finally:
        bar.stop()


def load_recorded(plan: dict[str, Any], data_dir: Path | None) -> Dataset:
    """Read the data set that a stored plan ran on, with the test set that it had."""
    test_set = "standard" if plan["split"].endswith("test standard") else "holdout"
    return load_data(plan["space"]["dataset"], data_dir, test_set)


def new_name(space: Space, data: Dataset) -> str:
    """Return a name that no other search has: what it searches, and when."""
    now = datetime.now(timezone.utc).strftime("%Y%m%d-%H%M%S")
    # A folder of one's own may be called anything; two searches may start in the same second.
    about = re.sub(r"[^A-Za-z0-9.]+", "-", f"{space.name}-{data.name}").strip("-.")[:60]
    letter = "" if about[:1].isalpha() else f"{space.model}-"  # a name begins with a letter
    return f"{letter}{about}-{now}-{secrets.token_hex(2)}"


def print_notes(notes: tuple[str, ...]) -> None:
    """Print a line each on stderr."""
    from rich.console import Console

    console = Console(stderr=True, soft_wrap=True)
    for note in notes:
        console.print(note, style="yellow", highlight=False, markup=False)


def _print_plan(plan: Plan, expected: Forecast | None, console: Console) -> None:
    from rich.table import Table

    from tune_mnist.spaces import config_key, configurations
    from tune_mnist.wording import config_text

    search = plan.space.search
    bundles = " or ".join(f"{b['cpu']:g} CPU + {b['gpu']:g} GPU" for b in plan.bundles())
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
        ("space", f"{plan.space.name} ({plan.space.model}) on {plan.space.dataset}"),
        ("configurations", count),
        ("sampler, scheduler", f"{search.sampler}, {search.scheduler}"),
        ("ends after", ", ".join(f"{v:g} {k}" for k, v in ends.items() if v is not None)),
        ("engine", " – ".join(plan.engine or ("PyTorch",))),
        ("seed", str(search.seed)),
        ("bundle a trial", bundles),
        ("at most at once", f"{plan.concurrency} of {plan.cpus} CPU + {plan.gpus} GPU"),
        ("wall time", forecast_text(expected)),
    ):
        table.add_row(key, value)
    console.print(table, highlight=False)
    if search.sampler == "grid" and plan.configurations is not None and plan.configurations <= 100:
        for config in configurations(plan.space, plan.device):
            console.print("  " + config_text(config_key(config)), highlight=False, markup=False)


def forecast_text(expected: Forecast | None) -> str:
    """Return a forecast for people: "about 40 s, 35 s to 50 s in 8 of 10 cases"."""
    from tune_mnist.wording import duration

    if expected is None:
        return "unknown: the store has too few trials like these"
    low, high = duration(expected.low), duration(expected.high)
    return (
        f"about {duration(expected.seconds)}, {low} to {high} in 8 of 10 cases; of"
        f" {expected.trials} trials to train the store has timed {expected.timed}"
    )
