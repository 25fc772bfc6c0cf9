"""What `model predict` and `model evaluate` print and write."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tune_mnist.cli.terminal import say
from tune_mnist.metrics import LATENCY_WORDS
from tune_mnist.wording import milliseconds, percent

if TYPE_CHECKING:
    from tune_mnist.actions.exporting.using import Evaluation, Prediction

_LISTED = 40
"""Classes that are printed; the page has all."""


def print_predictions(predictions: Sequence[Prediction], form: str) -> None:
    """Print predictions as a table, JSON or CSV."""
    if form == "json":
        rows = [
            {"file": one.file, "classes": one.classes, "probabilities": one.probabilities}
            for one in predictions
        ]
        say(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    if form == "csv":
        say(_as_csv(predictions), end="")
        return
    from rich.table import Table

    from tune_mnist.cli.console import console

    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("image", overflow="fold")
    table.add_column("class", overflow="fold")
    for one in predictions:
        chances = one.probabilities or [None] * len(one.classes)
        said = (
            name if chance is None else f"{name} {percent(chance)}"
            for name, chance in zip(one.classes, chances, strict=True)
        )
        table.add_row(one.file, ", ".join(said))
    console().print(table)


def _as_csv(predictions: Sequence[Prediction]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["file", "rank", "class", "probability"])
    for one in predictions:
        chances = one.probabilities or [""] * len(one.classes)
        for rank, (name, chance) in enumerate(zip(one.classes, chances, strict=True), start=1):
            writer.writerow([one.file, rank, name, chance])
    return text.getvalue()


def print_evaluation(found: Evaluation) -> None:
    """Print how good a model is."""
    low, high = found.interval
    say(
        f"{percent(found.accuracy)} of {found.images:,} test images of {found.data.name}"
        f" (95 %: {percent(low)} to {percent(high)}); balanced {percent(found.balanced_accuracy)}"
    )
    say(f"to predict an image here takes {_latencies_in_words(found)}")
    for name, recall in recalls_in_words(found)[:_LISTED]:
        say(f"  {name}: {recall}")
    if len(found.recalls) > _LISTED:
        say(f"  and {len(found.recalls) - _LISTED:,} more classes")


def _latencies_in_words(found: Evaluation) -> str:
    times = (
        f"{milliseconds(found.latencies[name])} {said}" for name, said in LATENCY_WORDS.items()
    )
    return ", ".join(times)


def recalls_in_words(found: Evaluation) -> list[tuple[str, str]]:
    """Return each class's name and recall."""
    return [
        (name, "no test image" if recall is None else percent(recall))
        for name, recall in zip(found.data.classes, found.recalls, strict=True)
    ]


def write_evaluation_page(found: Evaluation, folder: Path, out: Path) -> None:
    """Write how good a model is as a page, with its confusion matrix."""
    from tune_mnist.actions.exporting.picture import confusion_png
    from tune_mnist.pages.evaluation import EvaluationSheet, write_evaluation

    data, (low, high) = found.data, found.interval
    sheet = EvaluationSheet(
        title=f"{folder.name} on {data.name}",
        lede=f"{percent(found.accuracy)} of {found.images:,} test images have the right class.",
        facts=(
            ("accuracy", percent(found.accuracy)),
            ("95 % of it", f"{percent(low)} to {percent(high)}"),
            ("balanced accuracy", percent(found.balanced_accuracy)),
            ("test images", f"{found.images:,}"),
            ("to predict an image", _latencies_in_words(found)),
        ),
        recalls=tuple(recalls_in_words(found)),
        picture=confusion_png(found.confusion, data.classes),
    )
    write_evaluation(out, sheet, (("Split", data.split), ("Data, its hash", data.content_hash)))
