"""`leaderboard`: the ranking of a store's trials, in the terminal or as a page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tune_mnist.cli.terminal import say
from tune_mnist.cli.words import ONLY_DATASET, Results, S3Endpoint
from tune_mnist.errors import input_error

if TYPE_CHECKING:
    import pyarrow as pa
    from rich.console import Console

    from tune_mnist.analysis.within import Cheapest
    from tune_mnist.metrics import Goal


class Format(str, Enum):
    """How the ranking is printed."""

    table = "table"
    json = "json"
    csv = "csv"


def leaderboard(
    results: Results = "results",
    s3_endpoint: S3Endpoint = None,
    search: Annotated[str | None, typer.Option(help="Only this search.")] = None,
    dataset: Annotated[str | None, typer.Option(help=ONLY_DATASET)] = None,
    model: Annotated[str | None, typer.Option(help="Only this model: resnet or svm.")] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(help='Only trials such as "wall_time_s <= 60"; may be given several times.'),
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="Trials to rank.")] = 20,
    within: Annotated[
        float | None,
        typer.Option(
            help="Also name the cheapest configuration at most this much worse than the best;"
            " 0.002 is 0.2 points."
        ),
    ] = None,
    pareto: Annotated[
        str | None,
        typer.Option(help="Rank by several objectives: val_accuracy,wall_time_s,parameters."),
    ] = None,
    format: Annotated[Format, typer.Option(help="How to print the ranking.")] = Format.table,
    html: Annotated[
        Path | None, typer.Option(help="Write a self-contained page to this file instead.")
    ] = None,
) -> None:
    """Rank the finished trials: by their search's goal, or by validation accuracy."""
    from tune_mnist.analysis.constraints import CONSTRAINABLE, read_selected
    from tune_mnist.analysis.ranking import goal_of, top_ranking
    from tune_mnist.metrics import ACCURACY, parse_constraint
    from tune_mnist.store.files.place import opened
    from tune_mnist.store.selection import Selection

    _check_combination(within, pareto, format, html)
    limits = tuple(parse_constraint(text, CONSTRAINABLE) for text in where or ())
    selection = Selection(search, dataset, model, limits)
    root = opened(results, s3_endpoint)
    if html is not None:
        from tune_mnist.pages.leaderboard import write_leaderboard

        write_leaderboard(root, html, selection, within=within, top=top)
        say(f"wrote {html}")
        return
    goal = goal_of(root, selection)
    if limits or within is not None or pareto is not None or goal != ACCURACY:
        trials = read_selected(root, selection)
        _print_answers(trials, goal, top, within, pareto, format)
    else:
        rows = top_ranking(root, top=top, selection=selection)
        _print(rows, format)
    if dataset is not None and format is Format.table:
        _say_if_ambiguous(root, search, dataset)


def _say_if_ambiguous(root: Path, search: str | None, dataset: str) -> None:
    """Say so if the name that a person gave stands for several data sets."""
    from tune_mnist.data_identity import ambiguity
    from tune_mnist.store.reader import read_data_names

    if several := ambiguity(dataset, read_data_names(root, search=search)):
        say(several)


def _check_combination(
    within: float | None, pareto: str | None, format: Format, html: Path | None
) -> None:
    """Raise InputError for options whose answers the output cannot hold."""
    if pareto is not None and html is not None:
        problem = "the page always shows the Pareto front of accuracy and wall time"
        raise input_error("--pareto", problem, "leave out --pareto or --html")
    if within is not None and html is None and format is Format.csv:
        raise input_error("--within", "CSV has only the ranking", "use --format json")


def _print_answers(
    trials: pa.Table,
    goal: Goal,
    top: int,
    within: float | None,
    pareto: str | None,
    format: Format,
) -> None:
    """Print the ranking by one or several objectives, and the cheapest within the tolerance."""
    import pyarrow as pa

    from tune_mnist.analysis.pareto import pareto_sets, parse_objectives, set_sentence
    from tune_mnist.analysis.ranking import goal_note, ranked_trials, ranking
    from tune_mnist.analysis.within import cheapest_within
    from tune_mnist.data_identity import named_by_content
    from tune_mnist.metrics import ACCURACY
    from tune_mnist.winner import satisfied

    trials = named_by_content(trials)  # before the first rows are taken
    able = trials.filter(satisfied(trials, goal.constraints))
    notes = []
    if pareto is not None:
        sets = pareto_sets(able, parse_objectives(pareto), top)
        rows = pa.concat_tables(found.trials[:top] for found in sets)
        notes = [set_sentence(found) for found in sets]
    else:
        rows = ranking(ranked_trials(trials, goal)[:top], goal)
        if goal != ACCURACY:
            notes = [f"ranked by {goal_note(goal)}; trials that cannot win come last"]
    answers = None if within is None else cheapest_within(able, within)
    _print(rows, format, answers, notes)


def _print(
    rows: pa.Table,
    format: Format,
    answers: Sequence[Cheapest] | None = None,
    notes: Sequence[str] = (),
) -> None:
    """Print a ranking, and below it the notes and answers; JSON holds both in one object."""
    from tune_mnist.analysis.ranking import faster_note, json_rows, to_csv, to_json
    from tune_mnist.analysis.within import as_json, sentence

    if format is Format.csv:
        say(to_csv(rows), end="")
    elif format is Format.json and answers is None:
        say(to_json(rows))
    elif format is Format.json:
        both = {"ranking": json_rows(rows), "within": [as_json(answer) for answer in answers or ()]}
        say(json.dumps(both, indent=2))
    else:
        from tune_mnist.cli.console import console

        print_table(rows, console())
        for line in (*notes, faster_note(rows), *map(sentence, answers or ())):
            if line:
                say(line)


def print_table(rows: pa.Table, to: Console) -> None:
    """Print the ranking. A column with the same value in every row moves to a line above it."""
    import pyarrow as pa
    from rich import box
    from rich.table import Table

    from tune_mnist.wording import cell_text, heading

    columns = {
        field: [cell_text(field, value) for value in rows[field.name].to_pylist()]
        for field in rows.schema
        if field.name not in ("trial", "data_hash")
    }
    names = ("model", "dataset", "search", "device", "status")
    same = [f for f, cells in columns.items() if f.name in names and len(set(cells)) == 1]
    facts = " · ".join(f"{heading(field)}: {columns[field][0]}" for field in same)
    to.print(facts, style="dim")
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    shown_columns = {field: cells for field, cells in columns.items() if field not in same}
    for field in shown_columns:
        number = not pa.types.is_string(field.type)
        wide = field.name == "config"
        table.add_column(
            heading(field).replace(" accuracy", "").replace("latency batch 1", "latency"),
            justify="right" if number else "left",
            no_wrap=number or wide,
            overflow="ellipsis",
        )
    for cells in zip(*shown_columns.values(), strict=True):
        table.add_row(*cells)
    to.print(table)
