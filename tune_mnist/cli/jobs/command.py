"""`submit`, `jobs list`, `jobs logs`, `jobs stop`; and `jobs run`, which a job itself runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tune_mnist.cli.terminal import say
from tune_mnist.cli.words import RequestFile, command

if TYPE_CHECKING:
    from tune_mnist.actions.submit import Job

jobs_app = typer.Typer(
    help="Searches that run as jobs of a Ray cluster: list, follow, stop.", no_args_is_help=True
)

_Address = Annotated[
    str | None,
    typer.Option(
        "--address",
        envvar="RAY_ADDRESS",
        help="The cluster's dashboard, http://host:8265; default the one that Ray finds.",
    ),
]
_JobId = Annotated[str, typer.Argument(metavar="JOB", help="Id of a job; see `jobs list`.")]


def submit(
    context: typer.Context,
    request: RequestFile = None,
    follow: Annotated[
        bool, typer.Option("--follow/--no-follow", help="Print the job's log until it ends.")
    ] = True,
) -> None:
    """Run a search as a job of a Ray cluster: its driver runs there, and needs this machine no
    more. --address is that of the dashboard, http://host:8265."""
    from tune_mnist.actions import submit as action
    from tune_mnist.actions.requests import SearchRequest
    from tune_mnist.cli.options import asked_for

    asked = asked_for(context, SearchRequest, request)
    job = action.submit(asked)
    say(f"job {job.id} runs the search {job.search}")
    if follow:
        _follow(asked.address, job.id)


@jobs_app.command("list")
def list_(address: _Address = None) -> None:
    """List the jobs that run or ran searches."""
    from rich.table import Table

    from tune_mnist.actions.submit import list_jobs
    from tune_mnist.cli.console import console

    table = Table(box=None, header_style="dim", pad_edge=False)
    for heading in ("job", "search", "status", "started", "ended"):
        table.add_column(heading, no_wrap=True)
    for job in list_jobs(address):
        times = (f"{at:%Y-%m-%d %H:%M:%S}" if at else "–" for at in (job.started, job.ended))
        table.add_row(job.id, job.search, job.status.lower(), *times)
    console().print(table)


@jobs_app.command()
def logs(job: _JobId, address: _Address = None) -> None:
    """Print the log of a job, and follow it until the job ends."""
    _follow(address, job)


@jobs_app.command()
def stop(job: _JobId, address: _Address = None) -> None:
    """Ask a job to end; what has finished is in the store, and the search can be resumed."""
    from tune_mnist.actions import submit as action

    stopped = action.stop(address, job)
    if stopped.has_ended:
        say(f"job {job} has ended: {stopped.status.lower()}")
    else:
        say(f"job {job} ends now; submit its search again to resume it")


@jobs_app.command()
def run(
    request: Annotated[
        Path, typer.Argument(metavar="REQUEST", help="A JSON file with the fields of a request.")
    ],
) -> None:
    """Start the search of a request, or resume it if the store has it: what a job runs."""
    from tune_mnist.actions.requests import SearchRequest, make_request, read_request
    from tune_mnist.actions.submit import as_job
    from tune_mnist.cli.search import run_asked

    run_asked(as_job(make_request(SearchRequest, read_request(request), str(request))))


def _follow(address: str | None, job: str) -> None:
    """Print a job's log until it ends.

    Raises: typer.Exit: the job did not succeed; with the code of its driver.
    """
    from tune_mnist.actions import submit as action

    try:
        for text in action.follow(address, job):
            say(text, end="")
    except KeyboardInterrupt:
        say(f"the job goes on; follow it with: {command('jobs', 'logs', job)}", error=True)
        raise
    ended: Job = action.find_job(address, job)
    if ended.status != "SUCCEEDED":
        say(f"job {job} has {ended.status.lower()}", error=True)
        raise typer.Exit(ended.exit_code or 1)
