"""The contact sheet of a data set: some images of each class, in one self-contained HTML file."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tune_mnist.pages.html_page import fill, tiles_of, write_page


@dataclass(frozen=True)
class SheetClass:
    """A class on the sheet.

    Args:
        name: of the class.
        parts: for each part of the data set its name, how many images of the class it has, and
            some of them as PNG files.
    """

    name: str
    parts: tuple[tuple[str, int, tuple[bytes, ...]], ...]


@dataclass(frozen=True)
class Sheet:
    """What a contact sheet shows.

    Args:
        name: of the data set.
        lede: what it is, in a sentence.
        facts: names and values.
        notes: what a person should know before training, a line each.
        classes: with their images.
        all_classes: how many classes there are, the ones without a place here included.
    """

    name: str
    lede: str
    facts: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    classes: tuple[SheetClass, ...]
    all_classes: int


def write_contact_sheet(out: Path, sheet: Sheet, sources: Sequence[tuple[str, str]]) -> None:
    """Write the sheet as a page that loads nothing from the network and runs no script.

    Args:
        out: the file to write; it appears whole or not at all.
        sheet: what it shows.
        sources: names and values of where it comes from.

    Raises: InputError: `out` cannot be written.
    """
    here = Path(__file__)
    page = fill(
        here.with_name("contact_sheet.html"),
        here.with_name("contact_sheet.css"),
        scripts=False,
        title=sheet.name,
        lede=sheet.lede,
        tiles=tiles_of(sheet.facts),
        notes=sheet.notes,
        classes=sheet.classes,
        more=sheet.all_classes - len(sheet.classes),
        provenance=sources,
        data_uri=data_uri,
    )
    write_page(out, page)


def data_uri(png: bytes) -> str:
    """Return a PNG file as an address that holds the image itself."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
