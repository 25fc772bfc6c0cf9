"""A store as pandas frames: `load_results` for notebooks."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tune_mnist.analysis.constraints import METRICS, read_selected
from tune_mnist.analysis.ranking import ranked_trials, ranking, status_counts
from tune_mnist.metrics import parse_constraint
from tune_mnist.store.lock import living_writer
from tune_mnist.store.plans import SearchRecord, read_searches
from tune_mnist.store.reader import list_searches, read_reports, read_trials
from tune_mnist.store.selection import Selection
from tune_mnist.wording import config_text, duration, percent


@dataclass(frozen=True)
class Results:
    """The results of a store, read when they are first looked at.

    Attributes:
        root: the store's folder.
        trials: one row a finished trial; hyperparameters are the columns `config.<name>`.
        reports: one row a measurement: what a trial reached after an epoch or a rung.
        searches: one row a search.

    Accuracies are fractions in [0, 1], times are seconds, and moments are in UTC. docs/columns.md
    explains every column.
    """

    root: Path

    @cached_property
    def trial_rows(self) -> pa.Table:
        """The trials as an Arrow table, oldest first within their search."""
        return read_trials(self.root)

    @cached_property
    def report_rows(self) -> pa.Table:
        """The measurements as an Arrow table, in the order of a trial's steps."""
        return read_reports(self.root)

    @cached_property
    def trials(self) -> pd.DataFrame:
        """One row a finished trial."""
        frame: pd.DataFrame = self.trial_rows.to_pandas()
        return frame

    @cached_property
    def reports(self) -> pd.DataFrame:
        """One row a measurement."""
        frame: pd.DataFrame = self.report_rows.to_pandas()
        return frame

    @cached_property
    def searches(self) -> pd.DataFrame:
        """One row a search: what it searched, how, and how far it came."""
        records = read_searches(self.root)
        rows = [self._search(name, one) for name, one in records.items()]
        frame: pd.DataFrame = pd.DataFrame(rows)
        for moment in ("started", "ended"):
            frame[moment] = pd.to_datetime(frame[moment], utc=True)
        return frame

    def _search(self, name: str, record: SearchRecord) -> dict[str, Any]:
        rows = self.trial_rows.filter(pc.equal(self.trial_rows["search"], name))
        ranked = ranked_trials(rows)
        search = record.space.get("search", {})
        ended = record.ended
        running = living_writer(self.root, name) is not None
        return {
            "search": name,
            "space": record.space.get("name"),
            "model": record.space.get("model"),
            "dataset": record.dataset or None,
            "sampler": search.get("sampler"),
            "scheduler": search.get("scheduler"),
            "seed": record.seed,
            "trials": record.trials,
            "finished": pc.count_distinct(rows["trial"]).as_py(),
            "state": "running" if running else ended.reason if ended else "interrupted",
            "best_val_accuracy": ranked["val_accuracy"][0].as_py() if len(ranked) else None,
            "started": record.started or None,
            "ended": ended.at if ended else None,
            "confirms": record.confirms.search if record.confirms else None,
        }

    def __repr__(self) -> str:
        """Return a line on the whole store, and one on the best trial of each data set."""
        best = [f"  {dataset}: {config}, {scores}" for dataset, config, scores in self._best()]
        return "\n".join([self._counts(), *best])

    def _repr_html_(self) -> str:
        """Return the same as a table, for a notebook."""
        rows = "".join(
            "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>"
            for cells in self._best()
        )
        head = "<tr><th>data set</th><th>best by validation accuracy</th><th>result</th></tr>"
        table = f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>" if rows else ""
        return f"<p>{html.escape(self._counts())}</p>{table}"

    def _counts(self) -> str:
        counts = status_counts(self.trial_rows)
        told = ", ".join(f"{count:,} {status}" for status, count in counts.items() if count)
        searches = len(list_searches(self.root))
        plural = "" if searches == 1 else "es"
        return f"{self.root}: {searches:,} search{plural}; trials: {told or 'none yet'}"

    def _best(self) -> list[tuple[str, str, str]]:
        """Return the best trial of each data set: its name, configuration and result."""
        found = []
        ranked = ranked_trials(self.trial_rows)
        for dataset in sorted(pc.unique(ranked["dataset"]).drop_null().to_pylist()):
            [row] = ranked.filter(pc.equal(ranked["dataset"], dataset))[:1].to_pylist()
            test = row["test_accuracy"]
            tested = "" if test is None else f", test {percent(test)}"
            scores = f"validation {percent(row['val_accuracy'])}{tested}"
            took = "" if row["wall_time_s"] is None else f", {duration(row['wall_time_s'])}"
            found.append((dataset, f"{row['model']} {config_text(row['config'])}", scores + took))
        return found


def load_results(root: str | Path = "results") -> Results:
    """Return the results of a store.

    Args:
        root: the store's folder.

    Raises: InputError: there is no store.
    """
    folder = Path(root)
    list_searches(folder)  # says so at once where there is none
    return Results(folder)


def leaderboard(
    results: Results | str | Path = "results",
    *,
    top: int = 20,
    search: str | None = None,
    dataset: str | None = None,
    model: str | None = None,
    where: Sequence[str] = (),
) -> pd.DataFrame:
    """Return the best trials, best validation accuracy first; ties go to the faster trial.

    Args:
        results: from `load_results`, or the store's folder.
        top: rows at most.
        search, dataset, model: only trials of these.
        where: only trials that satisfy constraints such as "wall_time_s <= 60".

    Returns: the columns rank, model, dataset, search, config (JSON), the accuracies as fractions,
        wall_time_s, device, status and trial.
    Raises: InputError: there is no store, or nothing in it matches.
    """
    root = results.root if isinstance(results, Results) else Path(results)
    limits = tuple(parse_constraint(text, METRICS) for text in where)
    trials = read_selected(root, Selection(search, dataset, model, limits))
    frame: pd.DataFrame = ranking(ranked_trials(trials)[:top]).to_pandas()
    return frame
