"""`status` and `replay`: the searches of a store listed, and one of them proposed again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tune_mnist.cli.terminal import say
from tune_mnist.cli.words import Results, S3Endpoint

if TYPE_CHECKING:
    from pathlib import Path


def status(
    results: Results = "results",
    s3_endpoint: S3Endpoint = None,
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Check instead that each trial was proposed once and finished once; exit code 2"
            " if not.",
        ),
    ] = False,
) -> None:
    """List the searches of the store: running, interrupted or done."""
    from tune_mnist.store.files.place import opened

    root = opened(results, s3_endpoint)
    if check:
        _check(root)
        return
    from rich.table import Table

    from tune_mnist.actions.status import status as searches
    from tune_mnist.cli.console import console

    table = Table(box=None, header_style="dim", pad_edge=False)
    for heading in ("search", "state", "finished", "space", "data set", "started"):
        table.add_column(heading, no_wrap=True)
    for one in searches(root):
        record = one.record
        of = "" if record.trials is None else f" of {record.trials:,}"
        started = record.started[:19].replace("T", " ")
        space = str(record.space.get("name", ""))
        finished = f"{one.finished:,}{of}"
        table.add_row(one.search, one.state, finished, space, record.dataset, started)
    console().print(table)


def _check(root: Path) -> None:
    from tune_mnist.actions.status import check

    checked = check(root)
    for line in checked.contradictions:
        say(line)
    if checked.contradictions:
        raise typer.Exit(2)
    say(f"nothing wrong: {checked.searches:,} searches, {checked.trials:,} trials")


def replay(
    search: Annotated[str, typer.Argument(help="A search of the store.")],
    results: Results = "results",
    s3_endpoint: S3Endpoint = None,
) -> None:
    """Propose a search again, with each result where it arrived then: is it reproduced?"""
    from tune_mnist.actions.status import replay as propose_again
    from tune_mnist.store.files.place import opened

    again = propose_again(opened(results, s3_endpoint), search)
    say(f"{search}: {again.reproduced} of {again.proposals} proposals reproduced")
    if again.reproduced < again.proposals:
        raise typer.Exit(1)
