"""`report`: run what the technical report's grids still lack, and show its figures beside ours."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from tune_mnist.cli.terminal import say
from tune_mnist.cli.words import DataDir, Results, S3Endpoint, command

report_app = typer.Typer(
    help="The technical report that this project grew out of, reproduced and audited.",
    no_args_is_help=True,
)


@report_app.command()
def html(
    file: Annotated[Path, typer.Argument(help="The page to write: one self-contained file.")],
    results: Results = "results",
    s3_endpoint: S3Endpoint = None,
) -> None:
    """Write the technical report's tables, figures and claims beside ours."""
    from tune_mnist.reproduction.page import write_report
    from tune_mnist.store.files.place import opened

    root = opened(results, s3_endpoint)
    write_report(root, file, partial(_run_command, results, s3_endpoint))
    say(f"wrote {file}")


def _run_command(results: str, s3_endpoint: str | None, part: str) -> str:
    """Return the command that runs what a store still lacks of a part of the grids, or of "all"."""
    options = [] if part == "all" else ["--part", part]
    options += [] if results == "results" else ["--results", results]
    options += [] if s3_endpoint is None else ["--s3-endpoint", s3_endpoint]
    return command("report", "run", *options)


@report_app.command()
def run(
    part: Annotated[
        str | None,
        typer.Option(help="winners, svm, resnet or devices; default all, in this order."),
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(help="mnist or fashion-mnist alone; default both.")
    ] = None,
    fraction: Annotated[
        float, typer.Option(help="Part of the training images, in (0, 1]; labelled wherever shown.")
    ] = 1.0,
    seeds: Annotated[int, typer.Option(min=1, help="Seeds 0, 1, ... of each configuration.")] = 1,
    test_set: Annotated[
        str,
        typer.Option(help="standard (10,000 images) or holdout (the 12,000 that its text names)."),
    ] = "standard",
    cpus: Annotated[int | None, typer.Option(help="Cores for all of it; default all.")] = None,
    data_dir: DataDir = None,
    results: Results = "results",
    s3_endpoint: S3Endpoint = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would run.")] = False,
) -> None:
    """Run what the store still lacks of the technical report; call it again to continue."""
    from tune_mnist.actions.requests import SearchRequest, make_request
    from tune_mnist.cli.console import ReadingBar, console
    from tune_mnist.cli.search import run_and_show
    from tune_mnist.reproduction.jobs import GridRequest, jobs, lacking, prepare_job
    from tune_mnist.searching.planning.machine import this_machine
    from tune_mnist.store.files.place import opened

    wanted = GridRequest(part, dataset, fraction, seeds)
    given = {"cpus": cpus, "data_dir": data_dir, "test_set": test_set, "s3_endpoint": s3_endpoint}
    root = opened(results, s3_endpoint)
    request = make_request(SearchRequest, {"space": "report", "results": root, **given})
    machine = this_machine(ask_torch=wanted.has_networks)
    if "devices" in wanted.parts and not machine.gpus:
        console().print("no GPU here: the CPU half of devices runs", style="yellow")
    for job in jobs(wanted, "gpu" if machine.gpus else "cpu"):
        left = lacking(job, "gpu" if machine.gpus else "cpu", request)
        console().print(f"{job}: {len(left)} of {len(job.configs)} to run")
        if left and not dry_run:
            with ReadingBar() as bar:
                prepared = prepare_job(job, left, machine, request, bar)
            run_and_show(prepared)
