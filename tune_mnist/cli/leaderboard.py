"""`leaderboard`: the ranking of the trials in a results store; in a terminal or as a page."""

from __future__ import annotations

import sys
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import pyarrow as pa


class Format(str, Enum):
    """How the ranking is printed."""

    table = "table"
    json = "json"
    csv = "csv"


def leaderboard(
    results: Annotated[Path, typer.Option(help="Folder of the results store.")] = Path("results"),
    search: Annotated[str | None, typer.Option(help="Only this search.")] = None,
    dataset: Annotated[str | None, typer.Option(help="Only this data set.")] = None,
    model: Annotated[str | None, typer.Option(help="Only this model: resnet or svm.")] = None,
    top: Annotated[int, typer.Option(min=1, help="Trials to rank.")] = 20,
    format: Annotated[Format, typer.Option(help="How to print the ranking.")] = Format.table,
    html: Annotated[
        Path | None, typer.Option(help="Write a self-contained page to this file instead.")
    ] = None,
) -> None:
    """Rank the finished trials by validation accuracy."""
    if html is not None:
        from tune_mnist.analysis.leaderboard import write_leaderboard

        write_leaderboard(results, html, search=search, dataset=dataset, model=model, top=top)
        print(f"wrote {html}")
        return
    from tune_mnist.analysis import ranking

    rows = ranking.top_ranking(results, top=top, search=search, dataset=dataset, model=model)
    if format is Format.json:
        print(ranking.to_json(rows))
    elif format is Format.csv:
        print(ranking.to_csv(rows), end="")
    else:
        _print_table(rows)


def _print_table(rows: pa.Table) -> None:
    """Print the ranking; a column that says the same in every row goes into one line above."""
    import pyarrow as pa
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from tune_mnist.analysis.ranking import heading, shown

    columns = {
        field: [shown(field, value) for value in rows[field.name].to_pylist()]
        for field in rows.schema
        if field.name != "trial"
    }
    names = ("model", "dataset", "search", "device", "status")
    same = [f for f, cells in columns.items() if f.name in names and len(set(cells)) == 1]
    console = Console(width=None if sys.stdout.isatty() else 160)
    facts = " · ".join(f"{heading(field)}: {columns[field][0]}" for field in same)
    console.print(facts, style="dim", highlight=False, markup=False)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    shown_columns = {field: cells for field, cells in columns.items() if field not in same}
    for field in shown_columns:
        number = not pa.types.is_string(field.type)
        wide = field.name == "config"
        table.add_column(
            heading(field).replace(" accuracy", ""),
            justify="right" if number else "left",
            no_wrap=number or wide,
            overflow="ellipsis",
        )
    for cells in zip(*shown_columns.values(), strict=True):
        table.add_row(*map(Text, cells))
    console.print(table, highlight=False)
