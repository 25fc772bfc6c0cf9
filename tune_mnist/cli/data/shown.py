"""A data set as a table in the terminal and as a page of images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tune_mnist.datasets import Dataset

_LISTED = 40
"""Classes that the table lists."""


def print_table(found: Dataset) -> None:
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


def write_sheet(found: Dataset, out: Path) -> None:
    """Write some images of each class as a page."""
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
