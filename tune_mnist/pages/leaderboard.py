"""The leaderboard page: one self-contained HTML file that loads nothing from the network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from tune_mnist.analysis.constraints import read_selected
from tune_mnist.analysis.ranking import goal_of
from tune_mnist.analysis.within import check_tolerance
from tune_mnist.data_identity import named_by_content
from tune_mnist.errors import input_error
from tune_mnist.metrics import ACCURACY, Constraint, Goal
from tune_mnist.pages.html_page import fill, write_page
from tune_mnist.pages.page_parts import (
    distinct_values,
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
        root: the store's folder.
        out: the file to write; it appears whole or not at all.
        selection: which trials the page shows.
        within: also name the cheapest configuration whose validation accuracy is at most this far
            below the best, a fraction; None does not ask for it.
        top: the most rows in each data set's ranking.
    Raises: InputError: no trial matches, `top` < 1, `within` is no fraction, or `out` cannot be
        written.
    """
    if top < 1:
        raise input_error("`top`", f"{top} rows are no ranking", "give 1 or more")
    if within is not None:
        check_tolerance(within)
    trials = read_selected(root, selection)
    if not len(trials):
        problem = f"no finished trial of {selection}" if str(selection) else "no finished trial"
        raise input_error(root, problem, "run a search, or drop a filter")
    reports = read_reports(root, search=selection.search)
    goal = goal_of(root, selection)
    page = render_leaderboard(
        trials, reports, where=selection.where, within=within, top=top, goal=goal
    )
    write_page(out, page)


def render_leaderboard(
    trials: pa.Table,
    reports: pa.Table,
    *,
    where: Sequence[Constraint],
    within: float | None,
    top: int,
    goal: Goal = ACCURACY,
) -> str:
    """Return the page.

    Args:
        trials: rows of the store, at least one.
        reports: measurements from the store; those of other trials are ignored.
        where: the constraints that these trials satisfy.
        within, top: as in `write_leaderboard`.
        goal: which trial wins.
    """
    trials = named_by_content(trials)
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
                goal=goal,
            )
            for index, name in enumerate(distinct_values(trials, "dataset"))
        ],
        failures=failures(failed),
        failures_note=failures_note(failed),
        provenance=provenance(trials),
    )
