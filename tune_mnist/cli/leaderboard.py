"""`leaderboard`: the ranking of the trials in a results store; in a terminal or as a page."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer


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


def _print_table(rows: object) -> None:
    import pyarrow as pa
    from rich.console import Console
    from rich.table import Table

    from tune_mnist.analysis.ranking import heading, shown

    assert isinstance(rows, pa.Table)
    table = Table(box=None, header_style="bold", pad_edge=False)
    fields = [field for field in rows.schema if field.name not in ("status", "trial")]
    for field in fields:
        number = pa.types.is_floating(field.type) or pa.types.is_integer(field.type)
        table.add_column(heading(field), justify="right" if number else "left")
    for row in rows.to_pylist():
        table.add_row(*(shown(field, row[field.name]) for field in fields))
    Console().print(table, highlight=False)
