"""`load_results` and `leaderboard`: a store as a notebook sees it."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import plotly.graph_objects as go
import pytest

from tests.analysis.example_store import epochs, failed, trial, write_store
from tune_mnist import figures, leaderboard, load_results
from tune_mnist.analysis.results import SEARCHES
from tune_mnist.errors import InputError, SkippedWarning


@pytest.fixture
def store(tmp_path: Path) -> Path:
    rows = [
        trial("a", 0.7, reports=epochs(0.5, 0.6, 0.7)),
        trial("b", 0.8, config={"kernel": "poly"}, reports=epochs(0.5, 0.6, 0.7)),
        failed("c", "<b>boom</b>"),
    ]
    return write_store(tmp_path, rows)


def test_frames_are_tidy_with_one_row_a_trial_a_measurement_and_a_search(store: Path) -> None:
    results = load_results(store)
    assert (len(results.trials), len(results.reports), len(results.searches)) == (3, 6, 1)
    assert results.trials["config.kernel"].tolist() == ["rbf", "poly", "rbf"]
    assert results.trials["val_accuracy"].dropna().between(0, 1).all()
    [search] = results.searches.to_dict("records")
    assert (search["finished"], search["best_val_accuracy"]) == (3, 0.8)
    assert (search["state"], search["ended_by"]) == ("interrupted", None)
    assert tuple(search) == SEARCHES
    assert isinstance(results.searches["started"].dtype, pd.DatetimeTZDtype)


def test_a_notebook_shows_counts_and_the_best_of_each_data_set(store: Path) -> None:
    results = load_results(store)
    for text in (repr(results), results._repr_html_()):
        assert "1 search; trials: 2 completed, 1 failed" in text
        assert re.search(r"validation 80\.00%.*, \d.* (s|min|h)\b", text)
        assert "poly" in text


def test_trials_without_a_readable_record_are_ranked_by_accuracy(store: Path) -> None:
    [record] = (store / "searches").glob("*.json")
    record.write_text("torn")
    with pytest.warns(SkippedWarning, match="ranked by validation accuracy"):
        assert leaderboard(store, top=1)["trial"].tolist() == ["b"]


def test_the_leaderboard_is_ranked_and_can_be_narrowed(store: Path) -> None:
    ranked = leaderboard(load_results(store))
    assert ranked["trial"].tolist() == ["b", "a"]
    assert leaderboard(store, top=1)["rank"].tolist() == [1]
    assert leaderboard(store, where="val_accuracy < 0.8")["trial"].tolist() == ["a"]
    with pytest.raises(InputError, match="none of 3 trials"):
        leaderboard(store, where=["val_accuracy > 0.9"])
    with pytest.raises(InputError, match="`top`: 0 rows"):
        leaderboard(store, top=0)


@pytest.mark.parametrize("name", figures.__all__)
def test_every_figure_is_drawn_from_results(name: str, store: Path) -> None:
    figure = getattr(figures, name)(load_results(store))
    assert isinstance(figure, go.Figure)
    assert figure.data


def test_a_figure_of_several_data_sets_asks_for_one(store: Path) -> None:
    write_store(store, [trial("d", 0.5, dataset="mnist")], search="other")
    with pytest.raises(InputError, match="`dataset`: there are digits, mnist"):
        figures.tradeoff(load_results(store))
    assert figures.tradeoff(load_results(store), "mnist").data


def test_no_store_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there are no results; run a search first"):
        load_results(tmp_path / "none")


def test_an_empty_store_is_one_clear_line(tmp_path: Path) -> None:
    write_store(tmp_path, []).joinpath("searches", "first.json").unlink()
    with pytest.raises(InputError, match="the results store is empty; run a search first"):
        load_results(tmp_path)


def test_a_search_without_trials_is_listed_and_its_figures_say_so(tmp_path: Path) -> None:
    results = load_results(write_store(tmp_path, []))
    assert repr(results).endswith("1 search; trials: none yet")
    assert (len(results.trials), results.searches["finished"].tolist()) == (0, [0])
    with pytest.raises(InputError, match="no trial has a result yet; run a search first"):
        figures.tradeoff(results)
    assert leaderboard(results).empty
