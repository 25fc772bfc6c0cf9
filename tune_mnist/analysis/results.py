"""A store as pandas frames, for notebooks: `load_results` and `leaderboard`."""

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

from tune_mnist.analysis.constraints import CONSTRAINABLE, read_selected
from tune_mnist.analysis.ranking import (
    goal_of,
    ranked_trials,
    ranking,
    status_counts,
    top_ranking,
)
from tune_mnist.data_identity import named_by_content
from tune_mnist.errors import input_error
from tune_mnist.metrics import ACCURACY, Goal, parse_constraint
from tune_mnist.store.files.place import given, opened, writer_of
from tune_mnist.store.plans import SearchRecord, read_searches
from tune_mnist.store.reader import list_searches, read_reports, read_trials
from tune_mnist.store.selection import EVERYTHING, Selection
from tune_mnist.wording import clean, duration, model_text, percent

SEARCHES = (
    "search",
    "space",
    "model",
    "dataset",
    "data_hash",
    "sampler",
    "scheduler",
    "seed",
    "trials",
    "finished",
    "state",
    "ended_by",
    "best_val_accuracy",
    "started",
    "ended",
    "confirms",
)
"""The columns of `Results.searches`, in this order."""


@dataclass(frozen=True)
class Results:
    """The results of a store. Each part is read when it is first used, and kept.

    Attributes:
        root: the store's folder.
        trials: one row for each finished trial; hyperparameters are the columns `config.<name>`.
        reports: one row for each measurement that a trial made after an epoch or a rung.
        searches: one row for each search.

    Accuracies are fractions in [0, 1], times are in seconds, and timestamps in UTC. docs/columns.md
    explains the columns of `trials` and `reports`.
    """

    root: Path

    @cached_property
    def goal(self) -> Goal:
        """What decides the winner: the search's goal if there is one search."""
        return goal_of(self.root, EVERYTHING)

    @cached_property
    def trial_rows(self) -> pa.Table:
        """The trials as an Arrow table, oldest first within their search."""
        return read_trials(self.root)

    @cached_property
    def report_rows(self) -> pa.Table:
        """The measurements as an Arrow table; those of a trial are in order of `step`."""
        return read_reports(self.root)

    @cached_property
    def trials(self) -> pd.DataFrame:
        """One row for each finished trial."""
        frame: pd.DataFrame = self.trial_rows.to_pandas()
        return frame

    @cached_property
    def reports(self) -> pd.DataFrame:
        """One row for each measurement."""
        frame: pd.DataFrame = self.report_rows.to_pandas()
        return frame

    @cached_property
    def searches(self) -> pd.DataFrame:
        """One row for each search: what it searched, how, and how far it has come.

        `trials` is how many were planned, `finished` how many have ended. `state` is running,
        interrupted or done; `ended_by` is why it is done ("done" if no trial was left), and
        `confirms` the search that it confirms.
        """
        records = read_searches(self.root)
        rows = [self._search(name, one) for name, one in records.items()]
        frame: pd.DataFrame = pd.DataFrame(rows, columns=list(SEARCHES))
        for moment in ("started", "ended"):
            frame[moment] = pd.to_datetime(frame[moment], utc=True, format="ISO8601")
        return frame

    def _search(self, name: str, record: SearchRecord) -> dict[str, Any]:
        rows = self.trial_rows.filter(pc.equal(self.trial_rows["search"], name))
        ranked = ranked_trials(rows)
        search = record.space.get("search", {})
        ended = record.ended
        state = "done" if ended else "interrupted"
        if writer_of(self.root, name) is not None or (record.trained_elsewhere and not ended):
            state = "running"
        return {
            "search": name,
            "space": record.space.get("name"),
            "model": ", ".join(record.models) or None,
            "dataset": record.dataset or None,
            "data_hash": record.data_hash or None,
            "sampler": search.get("sampler"),
            "scheduler": search.get("scheduler"),
            "seed": record.seed,
            "trials": record.trials,
            "finished": pc.count_distinct(rows["trial"]).as_py(),
            "state": state,
            "ended_by": ended.reason if ended and state == "done" else None,
            "best_val_accuracy": ranked["val_accuracy"][0].as_py() if len(ranked) else None,
            "started": record.started or None,
            "ended": ended.at if ended and state == "done" else None,
            "confirms": record.confirms.search if record.confirms else None,
        }

    def __repr__(self) -> str:
        """Return a line about the whole store, and one about the best trial of each data set."""
        best = [f"  {dataset}: {model}, {scores}" for dataset, model, scores in self._best()]
        return clean("\n".join([self._counts(), *best]))

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the same as a table."""
        rows = "".join(
            "<tr>" + "".join(f"<td>{html.escape(clean(cell))}</td>" for cell in cells) + "</tr>"
            for cells in self._best()
        )
        head = "<tr><th>data set</th><th>best by validation accuracy</th><th>result</th></tr>"
        table = f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>" if rows else ""
        return f"<p>{html.escape(clean(self._counts()))}</p>{table}"

    def _counts(self) -> str:
        counts = status_counts(self.trial_rows)
        trials = ", ".join(f"{count:,} {status}" for status, count in counts.items() if count)
        searches = len(list_searches(self.root))
        plural = "" if searches == 1 else "es"
        return f"{given(self.root)[0]}: {searches:,} search{plural}; trials: {trials or 'none yet'}"

    def _best(self) -> list[tuple[str, str, str]]:
        """Return data set, model and result of the winner of each data set."""
        found = []
        ranked = ranked_trials(named_by_content(self.trial_rows), self.goal)
        ranked = ranked.filter(ranked["can_win"])
        for dataset in sorted(pc.unique(ranked["dataset"]).drop_null().to_pylist()):
            [row] = ranked.filter(pc.equal(ranked["dataset"], dataset))[:1].to_pylist()
            test = row["test_accuracy"]
            tested = "" if test is None else f", test {percent(test)}"
            scores = f"validation {percent(row['val_accuracy'])}{tested}"
            took = "" if row["wall_time_s"] is None else f", {duration(row['wall_time_s'])}"
            found.append((dataset, model_text(row["model"], row["config"]), scores + took))
        return found


def load_results(root: str | Path = "results") -> Results:
    """Return the results of a store.

    Args:
        root: the store's folder or address (s3://bucket/prefix, gs:// or az://).

    Raises: InputError: there is no store, it is empty, or its address cannot be read.
    """
    folder = opened(root)
    if not list_searches(folder) and not len(read_trials(folder, columns=["search"])):
        raise input_error(folder, "the results store is empty", "run a search first")
    return Results(folder)


def leaderboard(
    results: Results | str | Path = "results",
    *,
    top: int = 20,
    search: str | None = None,
    dataset: str | None = None,
    model: str | None = None,
    where: str | Sequence[str] = (),
) -> pd.DataFrame:
    """Return the best trials, the winner first: by the goal of one search, else by accuracy.

    Trials of several searches are ranked by validation accuracy. Completed trials come before those
    that were stopped early, and ties go to the faster trial.

    The store is read again, so trials that finished since `load_results` are ranked too.

    Args:
        results: from `load_results`, or the store's folder or address.
        top: the most rows to return, at least 1.
        search, dataset, model: only trials of this search, on this data set (its name, `name@hash`,
            or the first digits of a hash), of this model.
        where: only trials that satisfy this constraint, such as "wall_time_s <= 60", or all of
            several.

    Returns: the columns rank, model, dataset, data_hash, search, config (JSON), val_accuracy,
        test_accuracy, train_accuracy (fractions), wall_time_s, the search's other objectives,
        latency_batch_1_s if any has it, device, status and trial.
    Raises: InputError: there is no store; it has no such search, data set or model; a constraint
        cannot be read; or no trial satisfies all of them.
    """
    if top < 1:
        raise input_error("`top`", f"{top} rows are no ranking", "give 1 or more")
    root = opened(results.root if isinstance(results, Results) else results)
    constraints = [where] if isinstance(where, str) else where
    limits = tuple(parse_constraint(text, CONSTRAINABLE) for text in constraints)
    selection = Selection(search, dataset, model, limits)
    goal = goal_of(root, selection)
    if limits or goal != ACCURACY:
        trials = named_by_content(read_selected(root, selection))
        rows = ranking(ranked_trials(trials, goal)[:top], goal)
    else:
        rows = top_ranking(root, top=top, selection=selection)  # need not read the whole store
    frame: pd.DataFrame = rows.to_pandas()
    return frame
