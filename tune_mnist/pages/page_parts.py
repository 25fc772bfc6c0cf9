"""What the leaderboard page shows around its charts: counts, winner, ranking, failures, origin."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tune_mnist.analysis.ranking import (
    LATENCY,
    faster_note,
    goal_note,
    ranked_trials,
    ranking,
    status_counts,
)
from tune_mnist.analysis.within import Cheapest, among, cheapest_within
from tune_mnist.metrics import ACCURACY, Goal
from tune_mnist.pages.charts import Chart, charts
from tune_mnist.winner import satisfied
from tune_mnist.wording import (
    FAMILY,
    cell_text,
    duration,
    heading,
    kind_text,
    meaning,
    milliseconds,
    model_text,
    percent,
    value_text,
)

_MOST_ERRORS = 20
_MOST_FAILED = 5  # trials named under each error
_MOST_NAMES = 12

# Columns that move below the table if all its rows agree.
_SAID_ONCE = ("model", "search", "device", "status")
_STATUSES = {"completed": "Completed", "stopped": "Stopped early", "failed": "Failed"}
_OBJECTIVES = {
    "val_accuracy": "validation accuracy",
    "val_balanced_accuracy": "balanced validation accuracy",
    "wall_time_s": "wall time",
    "latency_batch_1_s": "latency of a single image",
    "latency_batch_256_s": "latency in batches of 256",
}
_CELL_CLASSES = {"config": "config", "val_accuracy": "number key"}


@dataclass(frozen=True)
class Figure:
    """A figure with its name, as text; one that gives alarm stands out."""

    name: str
    value: str
    alarm: bool = False


@dataclass(frozen=True)
class Head:
    """A column's heading.

    Args:
        name: the text.
        tip: what the column means.
        number: whether it holds numbers.
        first: "ascending" or "descending", whichever puts the best on top.
    """

    name: str
    tip: str
    number: bool
    first: str


@dataclass(frozen=True)
class RankingCell:
    """A table's cell: its text, the value that sorts it ("" if missing), its CSS classes."""

    text: str
    value: str
    css: str


@dataclass(frozen=True)
class Highlight:
    """A configuration worth a card of its own: why, its kind, its values, its figures, a note."""

    why: str
    title: str
    config: tuple[tuple[str, str], ...]
    scores: tuple[Figure, ...]
    note: str


@dataclass(frozen=True)
class DatasetSection:
    """One data set. If no trial has a result, there is no winner, and nothing below it."""

    dataset: str
    anchor: str
    counts: str
    winner: Highlight | None = None
    cheapest: tuple[Highlight, ...] = ()
    heads: tuple[Head, ...] = ()
    rows: tuple[tuple[RankingCell, ...], ...] = ()
    ranking_note: str = ""
    charts: tuple[Chart, ...] = ()


@dataclass(frozen=True)
class FailureGroup:
    """One error, and the trials that ended with it; `more` counts those not listed."""

    headline: str
    text: str
    count: int
    trials: tuple[str, ...]
    more: int


def title(trials: pa.Table) -> str:
    """Return the search's id, or the number of searches if there are several."""
    searches = distinct_values(trials, "search")
    return searches[0] if len(searches) == 1 else f"{len(searches):,} searches"


def lede(trials: pa.Table) -> str:
    """Return what was searched, on which data, when and where, in one line."""
    began, ended = pc.min(trials["started"]).as_py(), pc.max(trials["finished"]).as_py()
    until = "%H:%M" if began.date() == ended.date() else "%Y-%m-%d %H:%M"
    datasets, models, devices, hosts = (
        _listed(distinct_values(trials, name)) for name in ("dataset", "model", "device", "host")
    )
    when = f"{began:%Y-%m-%d %H:%M} to {ended:{until}} UTC"
    return f"{models} on {datasets} · {when} · ran on {devices} ({hosts})"


def tiles(trials: pa.Table) -> list[Figure]:
    """Return the counts at the top of the page."""
    counts = status_counts(trials)
    seconds = pc.sum(trials["wall_time_s"], min_count=0).as_py()
    return [
        Figure("Trials", f"{len(trials):,}"),
        *(
            Figure(name, f"{counts[status]:,}", alarm=status == "failed" and counts[status] > 0)
            for status, name in _STATUSES.items()
        ),
        Figure("Total trial time", duration(seconds)),
    ]


def section(
    trials: pa.Table,
    reports: pa.Table,
    anchor: str,
    *,
    within: float | None,
    top: int,
    goal: Goal = ACCURACY,
) -> DatasetSection:
    """Return what the page shows for one data set.

    Args:
        trials: its rows of the store, at least one.
        reports: measurements from the store; those of other trials are ignored.
        anchor: the section's id in the page.
        within: how far below the best accuracy the cheapest may be; None does not ask for it.
        top: the most rows in its ranking.
        goal: which trial wins.
    """
    dataset = trials["dataset"][0].as_py()
    counts = ", ".join(
        f"{count:,} {status}" for status, count in status_counts(trials).items() if count
    )
    ranked = ranked_trials(trials, goal)
    if not len(ranked):
        return DatasetSection(dataset, anchor, counts)
    table = ranking(ranked[:top], goal)
    same = [name for name in _SAID_ONCE if _is_one(table, name)]
    fields = [field for field in table.schema if field.name not in ("dataset", "data_hash", *same)]
    able = trials.filter(satisfied(trials, goal.constraints))
    winner, faster = winner_card(ranked, goal), faster_note(table)
    if faster and winner.title != "none":
        winner = replace(winner, note=f"{winner.note} {faster[0].upper()}{faster[1:]}.")
    note = f"{len(table):,} of {len(ranked):,} trials with a result"
    if goal != ACCURACY:
        note += f", by {goal_note(goal)}"
    said = ", ".join(f"{name} {table[name][0].as_py()}" for name in same)
    return DatasetSection(
        dataset,
        anchor,
        counts,
        winner,
        () if within is None else tuple(map(_cheapest, cheapest_within(able, within))),
        tuple(_head(field) for field in fields),
        tuple(tuple(_cell(field, row) for field in fields) for row in table.to_pylist()),
        f"{note}. The same in all rows: {said}." if said else f"{note}.",
        tuple(charts(trials, ranked, reports, anchor)),
    )


def winner_card(ranked: pa.Table, goal: Goal) -> Highlight:
    """Return the card of the winner, or of there being none.

    Args:
        ranked: trials of one data set (`ranked_trials`), at least one.
        goal: that ranked them.
    """
    row = ranked[:1].to_pylist()[0]
    why, able = f"Winner on {row['dataset']}", pc.sum(ranked["can_win"]).as_py()
    limits = " and ".join(map(str, goal.constraints))
    if not able:
        which = f"completed and satisfies {limits}" if limits else "completed"
        return Highlight(why, "none", (), (), f"No trial {which}.")
    by = " and ".join(_OBJECTIVES.get(name, name) for name in goal.objectives)
    chosen = f"Chosen by {by} among {able:,} trials" + (f" with {limits}" if limits else "")
    if able == 1:
        chosen = (
            "The only trial that can win" if len(ranked) > 1 else "The only trial with a result"
        )
    if row["test_accuracy"] is None:
        note = f"{chosen}. It was not tested on the test images."
    else:
        flattered = "" if able == 1 else ", so that figure is a little too high"
        note = (
            f"{chosen}{flattered}. Test accuracy was never used to choose, so it is the fair"
            " estimate for new images."
        )
    if row["converged"] is False:
        note += " Its solver gave up before it converged."
    scores = [
        _accuracy(name, row[f"{part}_accuracy"])
        for part, name in (("val", "validation"), ("test", "test"), ("train", "training"))
    ]
    scores.append(Figure("wall time", duration(row["wall_time_s"])))
    if (latency := row[LATENCY]) is not None:
        scores.append(Figure("to predict an image", milliseconds(latency)))
    return _named(why, row["model"], row["config"], scores, note)


def _cheapest(answer: Cheapest) -> Highlight:
    why = f"Cheapest within {100 * answer.tolerance:g} points of the best, on {answer.place}"
    note = among(answer)
    note = f"{note[0].upper()}{note[1:]}."
    if answer.model is None or answer.config is None or answer.wall_time_s is None:
        return Highlight(why, "none", (), (), note)
    scores = [
        Figure("wall time", duration(answer.wall_time_s)),
        _accuracy("validation", answer.val_accuracy),
        _accuracy("test", answer.test_accuracy),
    ]
    if answer.latency_batch_1_s is not None:
        scores.append(Figure("to predict an image", milliseconds(answer.latency_batch_1_s)))
    return _named(why, answer.model, answer.config, scores, note)


def _named(why: str, model: str, config: str, scores: Sequence[Figure], note: str) -> Highlight:
    values = json.loads(config).items()
    rest = tuple((name, value_text(value)) for name, value in values if name not in FAMILY)
    return Highlight(why, kind_text(model, config), rest, tuple(scores), note)


def _accuracy(part: str, fraction: float | None) -> Figure:
    return Figure(f"{part} accuracy", "–" if fraction is None else percent(fraction))


def _head(field: pa.Field) -> Head:
    number = not pa.types.is_string(field.type)
    largest_first = field.name.endswith("accuracy")
    first = "descending" if largest_first else "ascending"
    return Head(heading(field), meaning(field), number, first)


def _cell(field: pa.Field, row: dict[str, Any]) -> RankingCell:
    value = row[field.name]
    css = _CELL_CLASSES.get(field.name, "quiet" if pa.types.is_string(field.type) else "number")
    return RankingCell(cell_text(field, value), "" if value is None else str(value), css)


def failures(failed: pa.Table) -> list[FailureGroup]:
    """Return the failed trials, grouped by error, the most frequent first.

    Args:
        failed: rows of the store with status failed.
    """
    failed = failed.set_column(
        failed.schema.get_field_index("error"),
        "error",
        pc.fill_null(failed["error"], "no error was recorded"),
    )
    counts = failed.group_by("error").aggregate([("error", "count")])
    order = [("error_count", "descending"), ("error", "ascending")]
    most = counts.sort_by(order)[:_MOST_ERRORS].to_pylist()
    return [_failure(failed.filter(pc.equal(failed["error"], row["error"]))) for row in most]


def _failure(failed: pa.Table) -> FailureGroup:
    text = failed["error"][0].as_py().strip()
    named = tuple(
        f"{row['search']}, trial {row['trial']}: {model_text(row['model'], row['config'])}"
        f" on {row['dataset']}"
        for row in failed[:_MOST_FAILED].to_pylist()
    )
    lines = text.splitlines()
    headline = lines[-1] if text.startswith("Traceback") else lines[0]
    return FailureGroup(headline, text, len(failed), named, len(failed) - len(named))


def failures_note(failed: pa.Table) -> str:
    """Return how many trials failed, with how many errors, and whether all errors are listed."""
    errors = len(pc.unique(failed["error"]))
    listed = f" The {_MOST_ERRORS} most frequent are listed." if errors > _MOST_ERRORS else ""
    trials = "1 trial" if len(failed) == 1 else f"{len(failed):,} trials"
    kinds = "1 error" if errors == 1 else f"{errors:,} different errors"
    verb = "has" if len(failed) == 1 else "have"
    return f"{trials} failed with {kinds} and {verb} no rank.{listed}"


def provenance(trials: pa.Table) -> list[tuple[str, str]]:
    """Return what you need to run the same searches again: seeds, data, versions, commit."""
    pairs = trials.group_by(["dataset", "data_hash", "split"]).aggregate([]).sort_by("dataset")
    data = [
        f"{row['dataset']} {(row['data_hash'] or '')[:12]} ({row['split']})"
        for row in pairs.to_pylist()
    ]
    versions: dict[str, set[str]] = {}
    for text in distinct_values(trials, "versions"):
        for library, version in json.loads(text).items():
            versions.setdefault(library, set()).add(str(version))
    return [
        ("Searches", _listed(distinct_values(trials, "search"))),
        ("Search spaces", _listed(distinct_values(trials, "space"))),
        ("Seeds", _listed(distinct_values(trials, "seed"))),
        ("Data, its hash and its split", _listed(data)),
        ("Engines", _listed(distinct_values(trials, "engine"))),
        ("tune_mnist commit", _listed(map(_short, distinct_values(trials, "git_commit")))),
        ("Versions", _listed([f"{k} {' and '.join(sorted(v))}" for k, v in versions.items()])),
    ]


def distinct_values(trials: pa.Table, name: str) -> list[Any]:
    """Return the distinct values of a column, sorted, without nulls."""
    return sorted(pc.unique(trials[name]).drop_null().to_pylist())


def _short(commit: str) -> str:
    """Return the first digits of a commit, keeping the + that means "modified"."""
    return commit[:12] + ("+" if commit.endswith("+") else "")


def _is_one(table: pa.Table, name: str) -> bool:
    return len(pc.unique(table[name])) == 1


def _listed(values: Iterable[Any]) -> str:
    """Return values as a list of words, cut short if it is long."""
    words = [str(value) for value in values if value != ""]
    if not words:
        return "–"
    rest = f" and {len(words) - _MOST_NAMES:,} more" if len(words) > _MOST_NAMES else ""
    return ", ".join(words[:_MOST_NAMES]) + rest
