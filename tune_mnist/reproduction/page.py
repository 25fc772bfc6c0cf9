"""The technical report's page: its tables, figures and claims beside ours, in one HTML file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tune_mnist.pages.charts import Chart
from tune_mnist.pages.html_page import fill, write_page
from tune_mnist.pages.page_parts import Figure, lede, provenance
from tune_mnist.reproduction import figures, tables
from tune_mnist.reproduction.cells import Table
from tune_mnist.reproduction.claims import Audit, audit
from tune_mnist.reproduction.error_rates import error_rates
from tune_mnist.reproduction.evidence import Finding, Verdict
from tune_mnist.reproduction.runs import published_runs, stored_runs
from tune_mnist.store.reader import read_reports, read_trials

_HERE = Path(__file__).parent

_MARKS: dict[Verdict, str] = {"holds": "✓", "does not hold": "✗", "not decidable": "?"}
_COUNTS: dict[Verdict, str] = {
    "holds": "Claims that hold",
    "does not hold": "Claims that do not hold",
    "not decidable": "Claims not decidable",
}
_PUBLISHED = (
    "Published figures",
    "the technical report and its repository's logs (results/reference/published/SOURCE.md)",
)
_CLASSES: dict[Verdict, str] = {"holds": "yes", "does not hold": "no", "not decidable": "open"}


@dataclass(frozen=True)
class Judged:
    """A finding as the page shows it: whose runs, the verdict with its mark, the evidence."""

    by: str
    verdict: str
    mark: str
    css: str
    evidence: tuple[str, ...]


def write_report(root: Path, out: Path, fill_with: Callable[[str], str]) -> None:
    """Write the technical report's page, with our figures from a store.

    Args:
        root: the store's folder.
        out: the file to write; it appears whole or not at all.
        fill_with: returns the command that runs what a part of the grids still lacks, for one of
            `jobs.REPORT_PARTS` or "all"; the page shows it below a table with missing cells.
    Raises: InputError: there is no store, or `out` cannot be written.
    """
    write_page(out, render_report(root, fill_with))


def render_report(root: Path, fill_with: Callable[[str], str]) -> str:
    """Return the page that `write_report` writes."""
    trials, reports = read_trials(root), read_reports(root)
    theirs, runs = published_runs(), stored_runs(root)
    claims, rates = audit(theirs, runs), error_rates()
    mine = trials.filter(pc.is_in(_origins(trials), pa.array(runs["origin"], pa.string())))
    return fill(
        _HERE / "report.html",
        _HERE / "report.css",
        lede=lede(mine) if len(mine) else "None of the technical report's configurations ran yet.",
        tiles=_tiles(claims, runs),
        claims=[(one.claim, rates[one.claim.name], _judged(one)) for one in claims],
        tables=_tables(runs, theirs),
        fill_with=fill_with,
        charts=_charts(runs, trials, reports),
        fractions=[f"{100 * part:g} %" for part in sorted(set(runs["fraction"]) - {1.0})],
        provenance=[_PUBLISHED, *(provenance(mine) if len(mine) else [])],
    )


def _origins(trials: pa.Table) -> pa.ChunkedArray:
    return pc.binary_join_element_wise(trials["search"], trials["trial"], "/")


def _tiles(claims: Sequence[Audit], runs: pd.DataFrame) -> list[Figure]:
    counts = dict.fromkeys(_COUNTS, 0)
    for one in claims:
        counts[one.ours.verdict] += 1
    full = runs[runs["fraction"] == 1.0]
    return [
        Figure("Our runs on all images", f"{len(full):,}"),
        Figure("Our runs on a part", f"{len(runs) - len(full):,}"),
        *(Figure(_COUNTS[verdict], str(count)) for verdict, count in counts.items()),
    ]


def _judged(one: Audit) -> list[Judged]:
    found = [("Published figures", one.published), ("Our runs on all images", one.ours)]
    found += [(f"Our runs on {100 * part:g} % of the images", of) for part, of in one.at_fraction]
    return [_shown(by, finding) for by, finding in found]


def _shown(by: str, finding: Finding) -> Judged:
    verdict = finding.verdict
    return Judged(
        by, verdict, _MARKS[verdict], _CLASSES[verdict], tuple(finding.evidence.split("; "))
    )


def _tables(runs: pd.DataFrame, theirs: pd.DataFrame) -> list[Table]:
    of = tables.ours(runs, theirs)
    full = runs[(runs["fraction"] == 1.0) & (runs["test_set"] == "standard")]
    return [
        tables.table_1(of),
        tables.resnet_grid(of),
        tables.table_2(of),
        tables.svm_grid(of),
        tables.table_3(full),
        tables.table_4(full),
        tables.table_5(of),
    ]


def _charts(runs: pd.DataFrame, trials: pa.Table, reports: pa.Table) -> list[Chart]:
    standard = runs[runs["test_set"] == "standard"]
    full = standard[standard["fraction"] == 1.0]
    epochs = reports.to_pandas()
    note = "Solid: validation images. Dotted: training images."
    theirs = figures.published_curves()
    charts = [figures.curves_chart(theirs, "figure-1-published", "Figure 1: published", note)]
    for part in sorted(set(standard["fraction"]), reverse=True):
        of = figures.our_curves(standard[standard["fraction"] == part], epochs)
        size = "" if part == 1 else f" on {100 * part:g} % of the images"
        charts.append(figures.curves_chart(of, f"figure-1-{part}", f"Figure 1: ours{size}", note))
    charts += [figures.kernels_chart(full), figures.effects_chart(full)]
    charts += [figures.devices_chart(full), figures.cost_chart(standard)]
    confusions = pd.DataFrame(
        {"origin": _origins(trials).to_pandas(), "confusion": trials["confusion"].to_pylist()}
    )
    charts += figures.confusion_charts(standard, confusions.dropna())
    return [chart for chart in charts if chart is not None]
