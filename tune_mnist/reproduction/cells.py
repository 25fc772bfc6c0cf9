"""Cells and tables of the technical report's page: text, and the class that shows what it is."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from tune_mnist.wording import duration


@dataclass(frozen=True)
class Cell:
    """A cell's text and its class: "", "number", "missing" or "noise"."""

    text: str
    css: str = "number"


@dataclass(frozen=True)
class Table:
    """A table of the page.

    Args:
        title: with its number in the technical report.
        heads: column headings.
        rows: cells under them.
        notes: what to know, defects of the published table first.
        fill: the command that fills the missing cells; "" if none is missing.
        folded: shown on demand.
    """

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()
    fill: str = ""
    folded: bool = False


def words(texts: Iterable[str]) -> tuple[Cell, ...]:
    """Return cells of words."""
    return tuple(Cell(text, "") for text in texts)


def missing() -> Cell:
    """Return the cell of what did not run."""
    return Cell("missing", "missing")


def percent_cell(fraction: float | None) -> Cell:
    """Return a fraction in percent; a dash without one."""
    there = fraction is not None and not math.isnan(fraction)
    return Cell(f"{100 * fraction:.2f}" if there and fraction is not None else "–")


def points_cell(difference: float) -> Cell:
    """Return a difference of fractions in points; a dash for NaN."""
    return Cell("–" if math.isnan(difference) else f"{100 * difference:+.2f}")


def time_cell(seconds: float | None) -> Cell:
    """Return a wall time; a dash without one."""
    there = seconds is not None and not math.isnan(seconds)
    return Cell(duration(seconds) if there and seconds is not None else "–")
