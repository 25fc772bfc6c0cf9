"""`resume`, `status` and `replay`: searches of the store, gone on with, listed, proposed again."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

Results = Annotated[Path, typer.Option(help="Folder of the results store.")]
DataDir = Annotated[
    Path | None, typer.Option(envvar="TUNE_MNIST_DATA", help="Where to look for data sets first.")
]


def resume(
    search: Annotated[str, typer.Argument(help="A search of the store.")],
    trials: Annotated[
        int | None, typer.Option(help="Trials in total, the finished among them.")
    ] = None,
    time_budget: Annotated[
        float | None, typer.Option(help="Seconds from now after which it ends.")
    ] = None,
    cpus: Annotated[int | None, typer.Option(help="Cores for all of it; default all.")] = None,
    gpus: Annotated[int | None, typer.Option(help="GPUs; default as it had.")] = None,
    data_dir: DataDir = None,
    results: Results = Path("results"),
    allow_change: Annotated[
        bool, typer.Option("--allow-change", help="Go on though data or code changed.")
    ] = False,
) -> None:
    """Go on with a search that was interrupted, or that is to have more trials."""
    began = time.monotonic()
    from rich.console import Console

    from tune_mnist.cli.running import run_planned
    from tune_mnist.cli.search import going_on, load_recorded
    from tune_mnist.search.history.memory import Memory
    from tune_mnist.search.history.resume import earlier_runs
    from tune_mnist.search.planning.machine import this_machine
    from tune_mnist.search.planning.plan import plan_search, with_engine
    from tune_mnist.spaces import override

    earlier = earlier_runs(results, search)
    recorded = earlier.plan
    space = override(earlier.space, search={"trials": trials, "time_budget_s": time_budget})
    data = load_recorded(recorded, data_dir)
    gpus = recorded["resources"]["gpus"] if gpus is None else gpus
    machine = this_machine(ask_torch=gpus > 0 or space.model != "svm")
    plan = with_engine(plan_search(space, cpus=cpus, gpus=gpus, machine=machine), data, machine)
    run_planned(
        plan,
        data,
        results,
        search,
        memory=Memory(results, plan, data),
        earlier=going_on(results, search, plan, data, allow_change),
        console=Console(),
        began=began,
    )


def status(results: Results = Path("results")) -> None:
    """List the searches of the store: running, interrupted or done."""
    from rich.console import Console
    from rich.table import Table

    from tune_mnist.store.reader import read_plans

    table = Table(box=None, header_style="dim", pad_edge=False)
    for heading in ("search", "state", "finished", "space", "data set", "started"):
        table.add_column(heading, no_wrap=True)
    for name, plan in read_plans(results).items():
        table.add_row(name, *_state(results, name, plan))
    Console(width=None if Console().is_terminal else 160).print(table, highlight=False)


def _state(results: Path, name: str, plan: dict[str, Any]) -> tuple[str, str, str, str, str]:
    """Return what the table says of one search."""
    from tune_mnist.store.lock import living_writer
    from tune_mnist.store.reader import read_trials

    done = len(set(read_trials(results, search=name, columns=["trial"])["trial"].to_pylist()))
    of = plan.get("trials")
    writer = living_writer(results, name)
    ended = plan.get("ended")
    if writer:
        state = f"running ({writer})"
    elif ended is None:
        state = "interrupted"
    else:
        state = "done" if ended["reason"] == "done" else f"done ({ended['reason']})"
    return (
        state,
        f"{done:,}" if of is None else f"{done:,} of {of:,}",
        str(plan.get("space", {}).get("name", "")),
        str(plan.get("dataset", "")),
        str(plan.get("started", ""))[:19].replace("T", " "),
    )


def replay(
    search: Annotated[str, typer.Argument(help="A search of the store.")],
    results: Results = Path("results"),
) -> None:
    """Propose a search again, told each result where it was told then; is it reproduced?"""
    from tune_mnist.search.history.resume import earlier_of
    from tune_mnist.search.history.resume import replay as replayed
    from tune_mnist.search.proposing.proposals import Proposals
    from tune_mnist.store.reader import read_search

    earlier = earlier_of(results, search, read_search(results, search))
    proposals = Proposals(earlier.space, earlier.plan["device"], earlier.first, earlier.observed)
    again, reproduced = replayed(proposals, earlier)
    print(f"{search}: {reproduced} of {len(again)} proposals reproduced")
    if reproduced < len(again):
        raise typer.Exit(1)
