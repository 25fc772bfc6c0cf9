"""`data`: what a search would train on, as a table and as a page of images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tune_mnist.cli.terminal import say


def data(
    context: typer.Context,
    html: Annotated[
        Path | None, typer.Option(help="Also write some images of each class to this page.")
    ] = None,
    clear_cache: Annotated[
        bool, typer.Option("--clear-cache", help="Remove the cache of decoded images first.")
    ] = False,
) -> None:
    """Show a data set as a search would see it: its classes, its parts, and what is odd."""
    from tune_mnist.actions.data import clear_cache as clear
    from tune_mnist.actions.data import look
    from tune_mnist.actions.requests import DataRequest
    from tune_mnist.cli.console import ReadingBar
    from tune_mnist.cli.data.shown import print_table, write_sheet
    from tune_mnist.cli.options import asked_for
    from tune_mnist.cli.shown import print_notes

    asked = asked_for(context, DataRequest)
    if clear_cache:
        folder, entries, size = clear()
        say(f"removed {entries:,} data sets, {size / 1e6:,.1f} MB, from {folder}")
        if asked.dataset is None and html is None:
            return
    with ReadingBar() as bar:
        found = look(asked, bar)
    print_table(found)
    print_notes(found.notes)
    if html is not None:
        write_sheet(found, html)
        say(f"wrote {html}")
