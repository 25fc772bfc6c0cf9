"""`search` and `resume`: make the request, show the plan, run it, show the winner."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tune_mnist.cli.terminal import interrupted_code, say
from tune_mnist.cli.words import RequestFile, command

if TYPE_CHECKING:
    from tune_mnist.actions.preparing import Prepared
    from tune_mnist.actions.requests import ResumeRequest, SearchRequest
    from tune_mnist.actions.search import Searched


def search(
    context: typer.Context,
    request: RequestFile = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and stop.")] = False,
) -> None:
    """Search a space on a data set; every finished trial goes into the results store."""
    from tune_mnist.actions.requests import SearchRequest
    from tune_mnist.cli.options import asked_for

    run_asked(asked_for(context, SearchRequest, request), dry_run=dry_run)


def run_asked(asked: SearchRequest, *, dry_run: bool = False) -> None:
    """Run a search as asked for, with its confirmation, and show how it ends.

    Args:
        asked: the request.
        dry_run: whether to print the plan and stop.

    Raises: as `run_and_show`.
    """
    from tune_mnist.actions.preparing import prepare
    from tune_mnist.actions.search import confirmation_of_request
    from tune_mnist.cli.confirm import show_confirmation
    from tune_mnist.cli.console import ReadingBar, console
    from tune_mnist.cli.shown import print_goals, print_notes, print_plan

    with ReadingBar() as bar:
        prepared = prepare(asked, bar)
    if dry_run:
        print_notes(prepared.notes)
        print_plan(prepared.plan, prepared.forecast, console())
        return
    searched = run_and_show(prepared)
    print_goals(searched.results, searched.name, prepared.plan.space, asked.within, console())
    confirmation = confirmation_of_request(asked, searched)
    if confirmation is not None:
        show_confirmation(confirmation)


def resume(context: typer.Context) -> None:
    """Resume a search that was interrupted, or give a finished one more trials."""
    from tune_mnist.actions.preparing import prepare_resumed
    from tune_mnist.actions.requests import ResumeRequest
    from tune_mnist.cli.console import ReadingBar
    from tune_mnist.cli.options import asked_for

    asked = asked_for(context, ResumeRequest)
    try:
        with ReadingBar() as bar:
            prepared = prepare_resumed(asked, bar)
        run_and_show(prepared)
    except KeyboardInterrupt as interrupt:  # once its trials run, Ctrl-C ends them in order
        say(f"search {asked.search}: interrupted before a trial began")
        say(f"resume it with: {_resumed_again(asked)}")
        raise typer.Exit(interrupted_code(interrupt)) from interrupt


def _resumed_again(asked: ResumeRequest) -> str:
    """Return the command that resumes the search; its store may not have been opened yet."""
    where = [] if str(asked.results) == "results" else ["--results", str(asked.results)]
    endpoint = ["--s3-endpoint", asked.s3_endpoint] if asked.s3_endpoint else []
    return command("resume", asked.search, *where, *endpoint)


def run_and_show(prepared: Prepared) -> Searched:
    """Run a prepared search in a live view and print how it ended.

    Raises:
        InputError: the store refuses the search, or takes no more rows.
        typer.Exit: it was interrupted, or no trial succeeded.
    """
    from tune_mnist.actions.search import SearchLostError, run
    from tune_mnist.cli.console import console
    from tune_mnist.cli.live import LiveView
    from tune_mnist.cli.shown import exit_if_interrupted, print_outcome, resume_command
    from tune_mnist.errors import Fault, InputError

    given = Path(prepared.request.results)
    try:
        with LiveView(prepared, console()) as view:
            searched = run(prepared, view)
    except SearchLostError as error:
        fix = f"resume it with: {resume_command(error.search, given)}"
        raise InputError([*error.faults, Fault(error.search, "", "can continue", fix)]) from error
    print_outcome(searched, prepared.plan, view.addresses, console())
    exit_if_interrupted(searched.outcome)
    if searched.best is None:
        raise typer.Exit(1)
    return searched
