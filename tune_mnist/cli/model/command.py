"""`model`: a saved model as a folder that works without tune_mnist, and what such a folder says."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tune_mnist.actions.field_texts import MOVED
from tune_mnist.cli.leaderboard import Format
from tune_mnist.cli.terminal import say
from tune_mnist.cli.words import DataDir, Results, S3Endpoint

model_app = typer.Typer(
    help="Saved models: take the winner of a search home.", no_args_is_help=True
)


@model_app.command()
def export(
    search: Annotated[str, typer.Argument(help="A search of the store.")],
    out: Annotated[Path, typer.Option(help="Folder to write; it must not exist yet.")],
    trial: Annotated[
        str | None, typer.Option(help="Trial whose model to export; default the winner.")
    ] = None,
    format_: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="onnx or pt2; default safetensors for a ResNet, skops for the others.",
        ),
    ] = None,
    dataset: Annotated[str | None, typer.Option(help=MOVED)] = None,
    data_dir: DataDir = None,
    results: Results = "results",
    s3_endpoint: S3Endpoint = None,
) -> None:
    """Write a saved model with its card, its script and a check in a fresh process."""
    from tune_mnist.actions.exporting.export import export as action
    from tune_mnist.actions.requests import ExportRequest, make_request
    from tune_mnist.cli.console import ReadingBar

    given = {"search": search, "out": out, "trial": trial, "format": format_, "dataset": dataset}
    where = {"data_dir": data_dir, "results": results, "s3_endpoint": s3_endpoint}
    with ReadingBar() as bar:
        exported = action(make_request(ExportRequest, {**given, **where}), bar)
    check = exported.check
    ties = check.images - check.equal
    but = f", {ties} a tie but for rounding" if ties else ""
    say(f"wrote {exported.folder}: {exported.file} of trial {exported.trial}")
    say(
        f"checked in a fresh process: {check.equal} of {check.images} validation images are"
        f" predicted as in its training{but}"
    )


_Folder = Annotated[
    Path, typer.Argument(metavar="DIR", help="Folder that `model export` wrote, by anybody.")
]


@model_app.command()
def predict(
    folder: _Folder,
    images: Annotated[list[Path], typer.Argument(help="Image files, and folders of them.")],
    top: Annotated[
        int, typer.Option(min=1, help="Classes to name, where the model has probabilities.")
    ] = 1,
    format_: Annotated[Format, typer.Option("--format", help="How to print.")] = Format.table,
) -> None:
    """Say what an exported model sees in images."""
    from tune_mnist.actions.exporting.using import predict as action
    from tune_mnist.cli.model.shown import print_predictions

    print_predictions(action(folder, images, top), format_.value)


@model_app.command()
def evaluate(
    folder: _Folder,
    dataset: Annotated[
        str, typer.Option(help="mnist, fashion-mnist, digits, or a folder or file of images.")
    ],
    data_dir: DataDir = None,
    test_set: Annotated[
        str, typer.Option(help="standard (the data set's own) or holdout (20 % of training).")
    ] = "standard",
    html: Annotated[
        Path | None, typer.Option(help="Also write the confusion matrix to this page.")
    ] = None,
) -> None:
    """Measure an exported model on the test images of a data set."""
    from tune_mnist.actions.exporting.using import evaluate as action
    from tune_mnist.actions.requests import DataRequest, make_request
    from tune_mnist.cli.console import ReadingBar
    from tune_mnist.cli.model.shown import print_evaluation, write_evaluation_page

    given = {"dataset": dataset, "data_dir": data_dir, "test_set": test_set}
    with ReadingBar() as bar:
        found = action(folder, make_request(DataRequest, given), bar)
    print_evaluation(found)
    if html is not None:
        write_evaluation_page(found, folder, html)
        say(f"wrote {html}")
