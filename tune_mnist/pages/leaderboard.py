"""The leaderboard page: one HTML file with everything in it, which asks the network for nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from tune_mnist.analysis.constraints import read_selected
from tune_mnist.analysis.within import check_tolerance
from tune_mnist.errors import input_error
from tune_mnist.metrics import Constraint
from tune_mnist.pages.html_page import fill, write_page
from tune_mnist.pages.page_parts import (
    distinct,
    failures,
    failures_note,
    lede,
    provenance,
    section,
    tiles,
    title,
)
from tune_mnist.store.reader import read_reports
from tune_mnist.store.selection import EVERYTHING, Selection


def write_leaderboard(
    root: Path,
    out: Path,
    selection: Selection = EVERYTHING,
    *,
    within: float | None = None,
    top: int = 20,
) -> None:
    """Write the leaderboard of a store, or of part of it, as one self-contained HTML page.

    Args:
        root: the results folder.
        out: the file to write; it appears whole or not at all.
        selection: which trials it shows.
        within: name the cheapest configuration at most so far below the best validation accuracy.
        top: rows of each data set's ranking.
    Raises: InputError: no trial matches, `top` < 1, `within` is no fraction, or `out` cannot be
        written.
    """
    if top < 1:
        raise input_error("`top`", f"{top} rows are no ranking", "give 1 or more")
    if within is not None:
        check_tolerance(within)
    trials = read_selected(root, selection)
    if not len(trials):
        problem = f"no trial of {selection}" if str(selection) else "no trial yet"
        raise input_error(root, problem, "run a search, or ask for less")
    reports = read_reports(root, search=selection.search)
    write_page(out, render(trials, reports, where=selection.where, within=within, top=top))


def render(
    trials: pa.Table,
    reports: pa.Table,
    *,
    where: Sequence[Constraint],
    within: float | None,
    top: int,
) -> str:
    """Return the page.

    Args:
        trials: rows of the store, at least one.
        reports: the store's reports, of at least these trials.
        where: what these trials were chosen by.
        within: as `write_leaderboard`.
        top: rows of each data set's ranking.
    """
    failed = trials.filter(pc.equal(trials["status"], "failed"))
    return fill(
        Path(__file__).with_name("leaderboard.html"),
        title=title(trials),
        lede=lede(trials),
        where=[str(constraint) for constraint in where],
        tiles=tiles(trials),
        sections=[
            section(
                trials.filter(pc.equal(trials["dataset"], name)),
                reports,
                f"data-{index}",
                within=within,
                top=top,
            )
            for index, name in enumerate(distinct(trials, "dataset"))
        ],
        failures=failures(failed),
        failures_note=failures_note(failed),
        provenance=provenance(trials),
    )
