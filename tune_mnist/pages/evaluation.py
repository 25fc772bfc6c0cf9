"""How good a model is on a data set, in one self-contained HTML file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tune_mnist.pages.contact_sheet import data_uri
from tune_mnist.pages.html_page import fill, tiles_of, write_page


@dataclass(frozen=True)
class EvaluationSheet:
    """What the page shows.

    Args:
        title: the model and the data set.
        lede: the result, in a sentence.
        facts: names and values.
        recalls: each class's name and recall, in words.
        picture: the confusion matrix as a PNG file.
    """

    title: str
    lede: str
    facts: tuple[tuple[str, str], ...]
    recalls: tuple[tuple[str, str], ...]
    picture: bytes


def write_evaluation(out: Path, sheet: EvaluationSheet, sources: Sequence[tuple[str, str]]) -> None:
    """Write the page, which loads nothing from the network and runs no script.

    Args:
        out: the file to write; it appears whole or not at all.
        sheet: what it shows.
        sources: names and values of where it comes from.

    Raises: InputError: `out` cannot be written.
    """
    here = Path(__file__)
    page = fill(
        here.with_name("evaluation.html"),
        here.with_name("evaluation.css"),
        scripts=False,
        title=sheet.title,
        lede=sheet.lede,
        tiles=tiles_of(sheet.facts),
        recalls=sheet.recalls,
        picture=data_uri(sheet.picture),
        provenance=sources,
    )
    write_page(out, page)
