"""Cells and tables of the technical report's page: texts, and the CSS classes of each."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from tune_mnist.wording import duration


@dataclass(frozen=True)
class Cell:
    """A cell's text and CSS classes: "" (words), "number", "number part", "missing" or "noise"."""

    text: str
    css: str = "number"


@dataclass(frozen=True)
class Table:
    """A table of the page.

    Args:
        title: the title, with the table's number in the technical report.
        heads: the column headings.
        rows: the cells under them.
        notes: what a reader must know, beginning with defects of the published table.
        fill: the part of the grids that would fill the missing cells, or "all"; "" if no cell is
            missing.
        folded: whether the page shows it only on demand.
    """

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()
    fill: str = ""
    folded: bool = False


def words(texts: Iterable[str]) -> tuple[Cell, ...]:
    """Return a cell of words for each text."""
    return tuple(Cell(text, "") for text in texts)


def missing() -> Cell:
    """Return the cell for a run that is missing."""
    return Cell("missing", "missing")


def percent_cell(fraction: float | None) -> Cell:
    """Return a cell with a fraction in percent; a dash for None or NaN."""
    there = fraction is not None and not math.isnan(fraction)
    return Cell(f"{100 * fraction:.2f}" if there and fraction is not None else "–")


def points_cell(difference: float) -> Cell:
    """Return a cell with a difference of fractions in points; a dash for NaN."""
    return Cell("–" if math.isnan(difference) else f"{100 * difference:+.2f}")


def time_cell(seconds: float | None) -> Cell:
    """Return a cell with a wall time; a dash for None or NaN."""
    there = seconds is not None and not math.isnan(seconds)
    return Cell(duration(seconds) if there and seconds is not None else "–")
