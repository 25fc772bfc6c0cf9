"""Every place that names the best trial of a search names the same one."""

from __future__ import annotations

import json
import math
import os
import re
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.analysis.example_store import PARAMETERS, trial
from tune_mnist.analysis.ranking import goal_of, ranked_trials
from tune_mnist.analysis.results import leaderboard, load_results
from tune_mnist.cli import run
from tune_mnist.errors import InputError
from tune_mnist.metrics import BETTER, MEASURED, Constraint, Goal
from tune_mnist.pages.leaderboard import write_leaderboard
from tune_mnist.pages.page_parts import winner_card
from tune_mnist.searching.history.confirmation import confirmation_of
from tune_mnist.searching.stopping.ending import Ending
from tune_mnist.spaces import Overrides, Space, find_space, override, read_space
from tune_mnist.store.plans import SearchRecord
from tune_mnist.store.reader import read_trials
from tune_mnist.store.selection import Selection
from tune_mnist.store.writer import Writer
from tune_mnist.winner import best_first, winner

GOALS: list[tuple[str | None, tuple[str, ...]]] = [
    (None, ()),
    (None, ("wall_time_s <= 2",)),
    ("val_accuracy,wall_time_s", ()),
    ("val_accuracy,parameters", ("wall_time_s <= 2", "val_accuracy >= 0.7")),
    ("wall_time_s", ()),
]
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "val_accuracy": st.sampled_from([0.5, 0.7, 0.9, 0.9, 1.0]),
            "wall_time_s": st.sampled_from([1.0, 1.0, 2.0, 3.0]),
            "parameters": st.sampled_from([10, 20]),
            "status": st.sampled_from(["completed", "completed", "stopped", "failed"]),
        }
    ),
    min_size=1,
    max_size=8,
)


def space_of(goal: tuple[str | None, tuple[str, ...]]) -> Space:
    own = Overrides(objective=goal[0], where=goal[1])
    return override(read_space(find_space("svm")), own)


def written(root: Path, drawn: list[dict[str, Any]], space: Space) -> list[dict[str, Any]]:
    """Write a search of these trials, each with a configuration of its own; return its rows."""
    rows = [
        trial(f"{number:05d}", config={"kernel": "rbf", "C": float(number)}) | row
        for number, row in enumerate(drawn)
    ]
    for row in rows:
        if row["status"] != "completed":
            row["test_accuracy"] = None
        if row["status"] == "failed":
            row |= {"val_accuracy": None, "error": "lost"}
    with Writer(root, "s", PARAMETERS) as writer:
        writer.write_search(SearchRecord(search="s", space=space.model_dump(mode="json")))
        for row in reversed(rows):  # a trial may finish before an earlier one
            writer.append_trial({k: v for k, v in row.items() if k != "reports"}, [])
    return rows


def announced(rows: list[dict[str, Any]], space: Space) -> str | None:
    """Return the trial that the search itself names at its end."""
    ending = Ending(space, time.monotonic())
    for row in reversed(rows):
        ending.add(row)
    return ending.outcome.best["trial"] if ending.outcome.best else None


def confirmed(root: Path) -> str | None:
    try:
        return confirmation_of(root, "s", top=1, seeds=2).trials[0]
    except InputError:
        return None


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(drawn=ROWS, goal=st.sampled_from(GOALS))
def test_search_leaderboard_page_confirmation_and_python_name_the_same_trial(
    tmp_path_factory: pytest.TempPathFactory,
    drawn: list[dict[str, Any]],
    goal: tuple[str | None, tuple[str, ...]],
) -> None:
    root, space = tmp_path_factory.mktemp("store"), space_of(goal)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)  # no power cut is tested here
        rows = written(root, drawn, space)
    best = announced(rows, space)
    assert confirmed(root) == best
    ranked = ranked_trials(read_trials(root), goal_of(root, Selection(search="s")))
    if len(ranked):
        card = winner_card(ranked, goal_of(root, Selection(search="s")))
        number = f"{int(best):g}" if best else None
        assert dict(card.config).get("C") == number
    if best is not None:
        row = next(row for row in rows if row["trial"] == best)
        assert leaderboard(root, search="s")["trial"][0] == best
        assert f"C={int(best):g}," in repr(load_results(root))
        assert not any(beats(other, row, space) for other in rows)


ODD = st.sampled_from([None, math.nan, math.inf, -math.inf, -0.0, 0.7, 0.7, 2, 2])
GOAL = st.builds(
    Goal,
    st.lists(st.sampled_from(list(BETTER)), min_size=1, max_size=2, unique=True).map(tuple),
    st.lists(
        st.builds(
            Constraint,
            st.sampled_from(["wall_time_s", "train_accuracy"]),
            st.sampled_from(["<=", "<", ">=", ">", "=="]),
            st.sampled_from([0.0, 0.7, 2.0]),
        ),
        max_size=2,
    ).map(tuple),
)
ODD_ROW = st.fixed_dictionaries(
    {
        **dict.fromkeys(MEASURED, ODD),
        "status": st.sampled_from(["completed"] * 5 + ["stopped", None]),
        "search": st.sampled_from([None, "a", "b"]),
        "trial": st.sampled_from([None, "0", "00", "é", "\U0001f600", "\ufffd"]),
    }
)


@settings(max_examples=500, deadline=None)
@given(rows=st.lists(ODD_ROW, min_size=1, max_size=6), goal=GOAL)
def test_a_running_search_and_the_ranking_of_a_table_name_the_same_row(
    rows: list[dict[str, Any]], goal: Goal
) -> None:
    types = {name: pa.float64() for name in MEASURED}
    types |= dict.fromkeys(("status", "search", "trial"), pa.string())
    columns = {name: pa.array([row[name] for row in rows], type_) for name, type_ in types.items()}
    table = pa.table({**columns, "row": range(len(rows))})
    [first] = best_first(table, goal)[:1].to_pylist()
    best = winner(rows, goal)
    assert (best is not None) == first["can_win"]
    assert best is None or best is rows[first["row"]]


def beats(other: dict[str, Any], row: dict[str, Any], space: Space) -> bool:
    """Return whether a trial that could win is better in one objective and worse in none."""
    if other["status"] != "completed":
        return False
    if not all(limit.holds(other[limit.metric]) for limit in space.constraints):
        return False
    signs = [1 if one.mode == "min" else -1 for one in space.objectives]
    names = [one.metric for one in space.objectives]
    ours, theirs = (
        [sign * one[name] for sign, name in zip(signs, names, strict=True)] for one in (row, other)
    )
    return all(a <= b for a, b in zip(theirs, ours, strict=True)) and theirs != ours


def shown(root: Path, capsys: pytest.CaptureFixture[str], *options: str) -> str:
    assert run(["leaderboard", "--results", str(root), "--search", "s", *options]) == 0
    return capsys.readouterr().out


SLOW_AND_BEST = [
    {"val_accuracy": 0.9, "wall_time_s": 9.0, "status": "completed"},
    {"val_accuracy": 0.8, "wall_time_s": 1.0, "status": "completed"},
    {"val_accuracy": 0.95, "wall_time_s": 0.5, "status": "stopped"},
]


def test_the_table_and_the_page_put_the_winner_first_and_say_by_what(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(tmp_path, SLOW_AND_BEST, space_of((None, ("wall_time_s <= 2",))))
    table = shown(tmp_path, capsys)
    assert "ranked by val_accuracy, with wall_time_s <= 2" in table
    ranks = json.loads(shown(tmp_path, capsys, "--format", "json"))
    assert [row["trial"] for row in ranks] == ["00001", "00000", "00002"]
    write_leaderboard(tmp_path, tmp_path / "page.html", Selection(search="s"))
    page = re.sub(r"<[^>]*>", " ", (tmp_path / "page.html").read_text("utf-8"))
    text = " ".join(page.split())
    assert "Winner on digits svm rbf C 1" in text
    assert "The only trial that can win" in text


def test_a_search_without_a_winner_has_none_on_its_page(tmp_path: Path) -> None:
    written(tmp_path, SLOW_AND_BEST, space_of((None, ("wall_time_s <= 0.1",))))
    goal = goal_of(tmp_path, Selection(search="s"))
    card = winner_card(ranked_trials(read_trials(tmp_path), goal), goal)
    assert (card.title, card.note) == (
        "none",
        "No trial completed and satisfies wall_time_s <= 0.1.",
    )


def test_a_stopped_trial_never_wins_however_good(tmp_path: Path) -> None:
    written(tmp_path, SLOW_AND_BEST, space_of((None, ())))
    assert list(leaderboard(tmp_path)["trial"]) == ["00000", "00001", "00002"]
    ranked = ranked_trials(read_trials(tmp_path))
    assert pc.sum(ranked["can_win"]).as_py() == 2


def test_an_objective_that_ranks_stands_in_the_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{**row, "parameters": number} for number, row in enumerate(SLOW_AND_BEST[:2])]
    written(tmp_path, rows, space_of(("parameters,val_accuracy", ())))
    [first, _] = json.loads(shown(tmp_path, capsys, "--format", "json"))
    assert (first["trial"], first["parameters"]) == ("00000", 0)
