from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.analysis.example_store import epochs, failed, ranked, stored, trial, write_store
from tune_mnist import figures, load_results
from tune_mnist.analysis.curves import training_curves_numbers
from tune_mnist.analysis.progress import best_so_far_numbers
from tune_mnist.analysis.thinning import thinned, view
from tune_mnist.analysis.tradeoff import tradeoff_numbers
from tune_mnist.errors import InputError
from tune_mnist.figures.chart_style import loss_axis
from tune_mnist.figures.curves_chart import HIGHLIGHTED, training_curves_figure
from tune_mnist.figures.progress_chart import best_so_far_figure
from tune_mnist.figures.tradeoff_chart import tradeoff_figure
from tune_mnist.store.reader import read_reports, read_trials


@given(st.integers(0, 500), st.integers(4, 100))
def test_thinning_keeps_the_best_and_spans_the_rest(count: int, most: int) -> None:
    kept = thinned(count, most)
    assert len(kept) <= most
    assert list(kept[: most // 10]) == list(range(min(count, most // 10)))
    assert count == 0 or kept[-1] == count - 1


def test_view_leaves_out_a_far_outlier_only() -> None:
    near = [0.97, 0.975, 0.98, 0.985, 0.99]
    assert view(np.array([0.1, *near])) == (0.97, 0.99)
    assert view(np.array(near)) == (0.97, 0.99)
    spread = [0.80, 0.84, 0.88, 0.92] * 10  # the fence: 0.80 - 3 * (0.88 - 0.80)
    assert view(np.array([*spread, 0.57]))[0] == 0.57
    assert view(np.array([*spread, 0.55]))[0] == 0.80


def test_view_of_equal_accuracies_keeps_near_ones() -> None:
    assert view(np.array([0.98, 0.98, 0.98, 0.98, 0.97])) == (0.97, 0.98)


class TestTradeoff:
    def test_front_survives_thinning(self, tmp_path: Path) -> None:
        rows = [trial(f"{i}", 0.9 + i / 1000, wall_time_s=5.0 + i) for i in range(30)]
        numbers = tradeoff_numbers(
            ranked(tmp_path, [trial("quick", 0.5, wall_time_s=1.0), *rows]), most=4
        )
        assert "quick" in numbers.points["trial"].to_pylist()
        assert numbers.of == 31

    def test_knee_of_the_front_is_ringed(self, tmp_path: Path) -> None:
        bent = [(1.0, 0.5), (2.0, 0.9), (10.0, 0.91)]
        rows = [trial(f"{s}", accuracy, wall_time_s=s) for s, accuracy in bent]
        ring = tradeoff_figure(tradeoff_numbers(ranked(tmp_path, rows))).data[-2]
        assert (ring.marker.symbol, list(ring.y)) == ("circle-open", [0.9])

    def test_trials_out_of_view_are_counted(self, tmp_path: Path) -> None:
        rows = [trial(f"{i}", accuracy) for i, accuracy in enumerate([0.1, 0.97, 0.98, 0.98, 0.99])]
        assert tradeoff_numbers(ranked(tmp_path, rows)).below == 1

    def test_winner_is_marked_by_the_star_on_top(self, tmp_path: Path) -> None:
        table = ranked(tmp_path, [trial("a", 0.7), trial("b", 0.8)])
        star = tradeoff_figure(tradeoff_numbers(table)).data[-1]
        assert (star.marker.symbol, list(star.y)) == ("star", [0.8])

    def test_stopped_trial_is_hollow(self, tmp_path: Path) -> None:
        rows = [trial("a", 0.8), trial("b", 0.7, status="stopped")]
        figure = tradeoff_figure(tradeoff_numbers(ranked(tmp_path, rows)))
        assert list(figure.data[1].marker.symbol) == ["circle", "circle-open"]

    def test_stopped_trial_is_not_on_the_front(self, tmp_path: Path) -> None:
        rows = [trial("a", 0.8), trial("b", 0.9, wall_time_s=1.0, status="stopped")]
        points = tradeoff_numbers(ranked(tmp_path, rows)).points.to_pylist()
        assert {one["trial"]: one["on_front"] for one in points} == {"a": True, "b": False}

    def test_wall_times_that_span_decades_stand_on_a_log_axis(self, tmp_path: Path) -> None:
        rows = [trial("a", wall_time_s=1.0), trial("b", wall_time_s=100.0)]
        assert tradeoff_figure(tradeoff_numbers(ranked(tmp_path, rows))).layout.xaxis.type == "log"

    def test_hover_shows_markup_as_text(self, tmp_path: Path) -> None:
        table = ranked(tmp_path, [trial("a", config={"kernel": "<a href='x'>"})])
        assert "&lt;a href='x'&gt;" in tradeoff_figure(tradeoff_numbers(table)).data[-1].text[0]


class TestBestSoFar:
    def test_a_failed_trial_counts_as_finished(self, tmp_path: Path) -> None:
        numbers = best_so_far_numbers(
            stored(tmp_path, [failed("a", "lost"), trial("b", 0.8, began_s=20)])
        )
        assert numbers.steps["trials"].to_pylist() == [2]

    def test_line_steps_where_the_best_improves_and_ends_with_the_last_trial(
        self, tmp_path: Path
    ) -> None:
        accuracies = [0.7, 0.6, 0.8, 0.8, 0.5]
        rows = [trial(f"{i}", accuracy, began_s=i) for i, accuracy in enumerate(accuracies)]
        steps = best_so_far_numbers(stored(tmp_path, rows)).steps
        assert steps["trials"].to_pylist() == [1, 3, 5]
        assert steps["best"].to_pylist() == [0.7, 0.8, 0.8]

    def test_time_runs_from_the_searchs_first_start(self, tmp_path: Path) -> None:
        rows = [trial("a", wall_time_s=30.0), trial("b", began_s=5, wall_time_s=10.0)]
        assert best_so_far_numbers(stored(tmp_path, rows)).steps["elapsed_s"].to_pylist() == [
            15.0,
            30.0,
        ]

    def test_each_search_has_its_own_line(self, tmp_path: Path) -> None:
        write_store(tmp_path, [trial("a", 0.9)], "one")
        write_store(tmp_path, [trial("a", 0.8)], "two")
        figure = best_so_far_figure(best_so_far_numbers(read_trials(tmp_path)), "elapsed_s")
        assert [line.name for line in figure.data if line.name] == ["one", "two"]

    def test_points_are_thinned(self, tmp_path: Path) -> None:
        numbers = best_so_far_numbers(stored(tmp_path, [trial(f"{i}") for i in range(9)]), most=4)
        assert (len(numbers.points), numbers.of) == (4, 9)


class TestTrainingCurves:
    def test_a_trial_with_one_measurement_has_no_curve(self, tmp_path: Path) -> None:
        rows = [trial("a", reports=epochs(0.5)), trial("b", 0.8, reports=epochs(0.7, 0.8))]
        numbers = training_curves_numbers(ranked(tmp_path, rows), read_reports(tmp_path))
        assert numbers.trials["trial"].to_pylist() == ["b"]
        assert numbers.reports["val_accuracy"].to_pylist() == [0.7, 0.8]

    def test_measurements_of_a_failed_attempt_are_not_drawn(self, tmp_path: Path) -> None:
        rows = [
            failed("a", "lost", reports=epochs(0.1, 0.2)),
            trial("a", 0.8, attempt=2, reports=epochs(0.7, 0.8)),
        ]
        numbers = training_curves_numbers(ranked(tmp_path, rows), read_reports(tmp_path))
        assert numbers.reports["val_accuracy"].to_pylist() == [0.7, 0.8]

    def test_best_trials_have_their_rank_in_the_legend(self, tmp_path: Path) -> None:
        rows = [trial("best", 0.99)]
        rows += [trial(f"{i}", 0.9 - i / 100, reports=epochs(0.5, 0.6)) for i in range(7)]
        numbers = training_curves_numbers(ranked(tmp_path, rows), read_reports(tmp_path))
        shown = [t for t in training_curves_figure(numbers, "accuracy").data if t.showlegend]
        assert sorted(t.name for t in shown) == [f"#{rank}" for rank in range(2, HIGHLIGHTED + 2)]

    @pytest.mark.parametrize("measure", ["accuracy", "loss"])
    def test_best_trial_is_drawn_last_with_its_training_curve(
        self, tmp_path: Path, measure: Literal["accuracy", "loss"]
    ) -> None:
        table = ranked(tmp_path, [trial("a", reports=epochs(0.5, 0.6))])
        figure = training_curves_figure(
            training_curves_numbers(table, read_reports(tmp_path)), measure
        )
        assert [line.line.dash for line in figure.data] == ["dot", "solid"]

    @pytest.mark.parametrize("losses", [(0.5, np.inf), (np.inf, np.nan), (0.0, 0.5)])
    def test_a_loss_without_a_logarithm_breaks_no_axis(self, losses: tuple[float, ...]) -> None:
        axis = loss_axis(np.array(losses))
        assert ("tickvals" in axis) == (losses[0] == 0.5)
        assert all(np.isfinite(axis.get("tickvals", [])))


def test_a_name_that_is_two_data_sets_needs_a_hash(tmp_path: Path) -> None:
    rows = [
        trial(name, accuracy, dataset="images", data_hash=digits + "0" * 58)
        for name, accuracy, digits in (("a", 0.9, "3f9a1c"), ("b", 0.6, "77bb2e"))
    ]
    results = load_results(write_store(tmp_path, rows))
    with pytest.raises(InputError, match="there are images@3f9a1c, images@77bb2e; name one"):
        figures.tradeoff(results, "images")
    shown = figures.tradeoff(results, "images@77bb2e")
    assert {accuracy for one in shown.data for accuracy in one.y} == {0.6}
