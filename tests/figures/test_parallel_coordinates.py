from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.analysis.example_store import ranked, trial
from tune_mnist.analysis.parallel_coordinates import (
    UNUSED,
    Axis,
    ParallelCoordinates,
    parallel_coordinates_numbers,
)
from tune_mnist.figures.chart_style import WINNER
from tune_mnist.figures.parallel_chart import parallel_coordinates_figure


def parallel(root: Path, *configs: dict[str, Any]) -> ParallelCoordinates:
    """Trials of these configurations, best first."""
    rows = [trial(f"{i}", 0.9 - i / 1000, config=config) for i, config in enumerate(configs)]
    return parallel_coordinates_numbers(ranked(root, rows))


def axis(numbers: ParallelCoordinates, name: str) -> Axis:
    return next(axis for axis in numbers.axes if axis.name == name)


def test_hyperparameter_that_never_varies_is_named_and_not_drawn(tmp_path: Path) -> None:
    numbers = parallel(tmp_path, {"kernel": "rbf", "C": 1.0}, {"kernel": "rbf", "C": 2.0})
    assert numbers.constant == ("kernel=rbf",)
    assert [axis.name for axis in numbers.axes] == ["C", "val_accuracy"]


def test_every_hyperparameter_that_varies_has_an_axis_the_family_first(tmp_path: Path) -> None:
    both = {"C": 1.0, "degree": 2, "gamma": 0.1, "kernel": "poly"}, {"C": 2.0, "kernel": "rbf"}
    names = [axis.name for axis in parallel(tmp_path, *both).axes]
    assert names == ["kernel", "C", "degree", "gamma", "val_accuracy"]


def test_inactive_hyperparameter_stands_at_the_foot(tmp_path: Path) -> None:
    numbers = parallel(tmp_path, {"kernel": "poly", "degree": 3}, {"kernel": "rbf"})
    assert axis(numbers, "degree").ticks == ((0.0, UNUSED), (1.0, "3"))


def test_few_numbers_get_a_slot_each_in_order(tmp_path: Path) -> None:
    numbers = parallel(tmp_path, {"C": 100.0}, {"C": 0.1}, {"C": 1.0})
    assert axis(numbers, "C").ticks == ((0.0, "0.1"), (0.5, "1"), (1.0, "100"))


def test_better_trials_are_higher_in_their_slot(tmp_path: Path) -> None:
    numbers = parallel(tmp_path, *[{"kernel": "rbf"}] * 2, {"kernel": "poly"})
    first, second, _ = axis(numbers, "kernel").at
    assert first > second


def test_many_numbers_over_decades_stand_on_a_log_scale(tmp_path: Path) -> None:
    numbers = parallel(tmp_path, *({"C": 10.0**power} for power in range(-3, 4)))
    assert axis(numbers, "C").at == pytest.approx([i / 6 for i in range(7)])


def test_many_numbers_of_one_size_stand_on_a_linear_scale(tmp_path: Path) -> None:
    numbers = parallel(tmp_path, *({"C": float(c)} for c in (10, 11, 12, 13, 14, 16, 20)))
    assert axis(numbers, "C").at == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.6, 1])


@pytest.mark.parametrize("values", [[10.0**p for p in range(-3, 4)], [10, 11, 12, 13, 14, 16, 20]])
def test_ticks_of_a_scale_stand_where_they_say(tmp_path: Path, values: list[float]) -> None:
    drawn = axis(parallel(tmp_path, *({"C": float(value)} for value in values)), "C")
    place = dict(zip(map(float, values), drawn.at, strict=True))
    labelled = {float(text): at for at, text in drawn.ticks}
    assert len(labelled) >= 4
    assert all(
        place[value] == pytest.approx(labelled[value]) for value in place if value in labelled
    )


def test_gamma_is_a_number_where_it_can_be(tmp_path: Path) -> None:
    gammas = ["scale", *(str(10.0**power) for power in range(-4, 4))]
    drawn = axis(parallel(tmp_path, *({"gamma": gamma} for gamma in gammas)), "gamma")
    assert drawn.ticks[0][1] == "scale"
    assert list(drawn.at[1:]) == sorted(drawn.at[1:])
    assert drawn.at[1] > drawn.at[0]


def test_far_outlier_stands_at_the_foot_of_the_accuracy(tmp_path: Path) -> None:
    rows = [trial(f"{i}", a) for i, a in enumerate([0.99, 0.985, 0.98, 0.975, 0.97, 0.1])]
    drawn = parallel_coordinates_numbers(ranked(tmp_path, rows)).axes[-1]
    assert drawn.at[-1] == 0
    assert drawn.ticks[0] == (0.0, "≤ 97.00%")


def test_lines_are_thinned(tmp_path: Path) -> None:
    table = ranked(tmp_path, [trial(f"{i}") for i in range(9)])
    numbers = parallel_coordinates_numbers(table, most=4)
    assert (len(numbers.trials), numbers.of) == (4, 9)


def test_winner_is_the_line_on_top(tmp_path: Path) -> None:
    numbers = parallel(tmp_path, {"kernel": "rbf"}, {"kernel": "poly"}, {"kernel": "linear"})
    lines = parallel_coordinates_figure(numbers).data
    assert [line.line.color == WINNER for line in lines] == [False, False, True]


def test_every_axis_is_drawn_with_its_heading_and_its_values(tmp_path: Path) -> None:
    numbers = parallel(tmp_path, {"kernel": "rbf", "C": 1.0}, {"kernel": "poly", "C": 2.0})
    layout = parallel_coordinates_figure(numbers).layout
    upright = [line.x0 for line in layout.shapes if line.x0 == line.x1 and line.y0 < line.y1]
    assert upright == [0, 1, 2]
    texts = [[one.text for one in layout.annotations if one.x == place] for place in range(3)]
    assert [heading for heading, *_ in texts] == [
        "<b>kernel</b>",
        "<b>C</b>",
        "<b>val</b><br><b>accuracy</b>",
    ]
    assert [values for _, *values in texts[:2]] == [["poly", "rbf"], ["1", "2"]]


def test_trials_of_one_value_lie_on_both_sides_of_it(tmp_path: Path) -> None:
    drawn = axis(parallel(tmp_path, *[{"kernel": "rbf"}] * 4, {"kernel": "poly"}), "kernel")
    [rbf] = [at for at, text in drawn.ticks if text == "rbf"]
    off = drawn.at[:4] - rbf
    assert off[0] > 0 > off[3]
    assert abs(off).max() < 0.071
