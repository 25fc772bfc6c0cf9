"""`importance`: which hyperparameters matter for accuracy and for wall time."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

from tune_mnist.cli.terminal import say
from tune_mnist.cli.words import ONLY_DATASET, Results, S3Endpoint

if TYPE_CHECKING:
    from tune_mnist.analysis.importance import Importance


class MetricOption(str, Enum):
    """What a hyperparameter may matter for."""

    val_accuracy = "val_accuracy"
    wall_time_s = "wall_time_s"


def importance(
    results: Results = "results",
    s3_endpoint: S3Endpoint = None,
    search: Annotated[str | None, typer.Option(help="Only this search.")] = None,
    dataset: Annotated[str | None, typer.Option(help=ONLY_DATASET)] = None,
    model: Annotated[str | None, typer.Option(help="Only this model: resnet or svm.")] = None,
    metric: Annotated[
        MetricOption | None, typer.Option(help="Show this alone; default both.")
    ] = None,
) -> None:
    """Show which hyperparameters matter for accuracy and for wall time."""
    from tune_mnist.analysis.constraints import read_selected
    from tune_mnist.analysis.importance import IMPORTANCE_METRICS, importances
    from tune_mnist.data_identity import ambiguity, data_names
    from tune_mnist.store.files.place import opened
    from tune_mnist.store.selection import Selection

    root = opened(results, s3_endpoint)
    trials = read_selected(root, Selection(search, dataset, model))
    if dataset is not None and (several := ambiguity(dataset, data_names(trials))):
        say(several)
    found = importances(trials, IMPORTANCE_METRICS if metric is None else (metric.value,))
    if not found:
        say("no completed trial yet")
    for one in found:
        _print(one)


def _print(found: Importance) -> None:
    """Print the hyperparameters of one model, or why nothing can be said."""
    from rich import box
    from rich.table import Table

    from tune_mnist.analysis.importance import FOR, note, share_text
    from tune_mnist.cli.console import console

    to = console()
    to.print(f"{found.model} on {found.dataset}, {found.place}", style="bold")
    if found.hyperparameters:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
        table.add_column("hyperparameter")
        metrics = list(found.hyperparameters[0].shares)
        for heading in ("configurations", *(f"for {FOR[metric]}" for metric in metrics)):
            table.add_column(heading, justify="right")
        for one in found.hyperparameters:
            shares = (share_text(one, metric) for metric in metrics)
            table.add_row(one.name, f"{one.active:,}", *shares)
        to.print(table)
    to.print(note(found), soft_wrap=True)
