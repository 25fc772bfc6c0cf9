"""The leaderboard page: one HTML file with everything in it, which asks the network for nothing.

Jinja2 fills `leaderboard.html`: it escapes whatever it is given unless told otherwise, so that
search names, errors and class names are text and never markup; torch installs it anyway. The
page's content security policy lets only its own two scripts run, each known by its hash.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import jinja2
import pyarrow as pa
import pyarrow.compute as pc
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from tune_mnist.analysis.constraints import read_satisfying
from tune_mnist.analysis.page_parts import (
    distinct,
    failures,
    failures_note,
    lede,
    provenance,
    section,
    tiles,
    title,
)
from tune_mnist.analysis.within import check_tolerance
from tune_mnist.errors import input_error
from tune_mnist.metrics import Constraint
from tune_mnist.store.reader import read_reports

_HERE = Path(__file__).parent


def write_leaderboard(
    root: Path,
    out: Path,
    *,
    search: str | None = None,
    dataset: str | None = None,
    model: str | None = None,
    where: Sequence[Constraint] = (),
    within: float | None = None,
    top: int = 20,
) -> None:
    """Write the leaderboard of a store, or of part of it, as one self-contained HTML page.

    Args:
        root: the results folder.
        out: the file to write; it appears whole or not at all.
        search, dataset, model: show only trials of these.
        where: show only trials that satisfy all of these.
        within: name the cheapest configuration at most so far below the best validation accuracy.
        top: rows of each data set's ranking.
    Raises: InputError: no trial matches, `top` < 1, `within` is no fraction, or `out` cannot be
        written.
    """
    if top < 1:
        raise input_error("--top", f"{top} rows are no ranking", "give 1 or more")
    if within is not None:
        check_tolerance(within)
    trials = read_satisfying(root, where, search=search, dataset=dataset, model=model)
    if not len(trials):
        asked = {"search": search, "dataset": dataset, "model": model}
        which = ", ".join(f"{name} {value}" for name, value in asked.items() if value)
        raise input_error(
            root, f"no trial {f'of {which}' if which else 'yet'}", "run a search, or ask for less"
        )
    reports = read_reports(root, search=search)
    _write(out, render(trials, reports, where=where, within=within, top=top))


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
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["csp_hash"] = _csp_hash
    return environment.get_template("leaderboard.html").render(
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
        style=Markup((_HERE / "leaderboard.css").read_text("utf-8")),
        # A parser reads any line break as "\n", and the policy's hash is of what it reads.
        scripts=[
            Markup(get_plotlyjs().replace("\r\n", "\n")),
            Markup((_HERE / "leaderboard.js").read_text("utf-8")),
        ],
    )


def _csp_hash(script: str) -> str:
    """Return a script's source expression for the content security policy."""
    digest = hashlib.sha256(script.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def _write(out: Path, page: str) -> None:
    """Write the page aside, then move it into place."""
    aside = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        try:
            aside.write_text(page, "utf-8")
            aside.replace(out)
        finally:
            aside.unlink(missing_ok=True)
    except OSError as error:
        raise input_error(
            out,
            f"cannot be written ({error.strerror})",
            "name a file in a folder that you can write",
        ) from error
