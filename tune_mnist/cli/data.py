"""`data`: what a search would train on, as a table and as a page of images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tune_mnist.cli.terminal import say

if TYPE_CHECKING:
    from tune_mnist.datasets import Dataset

_LISTED = 40
"""Classes that the table lists."""


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
    _print_table(found)
    print_notes(found.notes)
    if html is not None:
        _write_sheet(found, html)
        say(f"wrote {html}")


def _print_table(found: Dataset) -> None:
    """Print the summary, the split, and the images of each class in each part."""
    from rich import box
    from rich.table import Table

    from tune_mnist.actions.data import PARTS, class_lines
    from tune_mnist.cli.console import console

    to = console()
    to.print(found.summary(), style="bold", soft_wrap=True)
    to.print(f"split: {found.split}; data {found.content_hash[:12]}", style="dim", soft_wrap=True)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    table.add_column("class", overflow="fold")
    for part in PARTS:
        table.add_column(part, justify="right")
    lines = class_lines(found)
    for line in lines[:_LISTED]:
        table.add_row(line.name, *(f"{count:,}" for count in line.counts))
    to.print(table)
    if len(lines) > _LISTED:
        to.print(f"and {len(lines) - _LISTED:,} more classes")


def _write_sheet(found: Dataset, out: Path) -> None:
    from tune_mnist.actions.data import PARTS, class_lines, sample_images
    from tune_mnist.pages.contact_sheet import Sheet, SheetClass, write_contact_sheet

    lines, images = class_lines(found), sample_images(found)
    classes = tuple(
        SheetClass(line.name, tuple(zip(PARTS, line.counts, of_class, strict=True)))
        for line, of_class in zip(lines, images, strict=False)
    )
    height, width = found.train.images.shape[1:3]
    parts = zip(PARTS, (found.train, found.val, found.test), strict=True)
    facts = (
        ("classes", f"{len(lines):,}"),
        *((name, f"{len(part):,}") for name, part in parts),
        ("pixels", f"{width}×{height}"),
        ("channels", "colour" if found.train.images.ndim == 4 else "grey"),
    )
    lede = found.summary().removeprefix(f"{found.name}: ")
    sheet = Sheet(found.name, lede, facts, found.notes, classes, len(lines))
    sources = (("Split", found.split), ("Data, its hash", found.content_hash))
    write_contact_sheet(out, sheet, sources)
