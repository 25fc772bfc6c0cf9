"""Points of a space file: each lists configurations inside the domains of the parameters."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.spaces.conftest import SVM, Read, Refuse
from tune_mnist.errors import InputError
from tune_mnist.spaces import Overrides, read_space

KERNELS = "  kernel: {choice: [rbf, poly]}\n"
NO_PARAMETERS = "model: svm\ndataset: digits\n"


@pytest.mark.parametrize(
    ("points", "line"),
    [
        ("[3]", "points[0]: 3 is not a mapping; "),
        ("[{C: 1.0}, {gama: 1.0}]", "points[1].gama: not a parameter of svm; did you mean gamma?"),
        ("[{C: [1, 1.0]}]", "points[0].C: 1.0 is given twice; keep one of them"),
        ("[{C: []}]", "points[0].C: is empty; give at least one value"),
        ("[{C: {choice: [1]}}]", "points[0].C: C cannot be {'choice': [1]}; give a number above 0"),
        ("[{C: [1.0, -1.0]}]", "points[0].C: C cannot be -1.0; give a number above 0"),
    ],
)
def test_a_faulty_point_is_refused_in_one_line(refuse: Refuse, points: str, line: str) -> None:
    [refused] = refuse(NO_PARAMETERS + f"search: {{sampler: grid}}\npoints: {points}")
    assert refused.startswith(f"mine.yaml: {line}")


def test_points_that_expand_without_bounds_are_refused(refuse: Refuse) -> None:
    many = ", ".join(str(i) for i in range(1, 201))
    [line] = refuse(NO_PARAMETERS + f"points: [{{C: [{many}], gamma: [{many}]}}]")
    assert line.startswith("mine.yaml: points: list 40000 configurations, more than 10000")


@pytest.mark.parametrize(
    ("point", "line"),
    [
        ("{kernel: poly, C: 3.0, degree: 2}", "points: C cannot be 3.0 here; it can be 1.0, 2.0"),
        ("{kernel: poly, C: 1.0}", "points: {'kernel': 'poly', 'C': 1.0} gives no degree; it can"),
        ("{kernel: rbf, C: 1.0, gamma: 0.1}", "gives gamma, which `parameters` does not search"),
    ],
)
def test_a_point_outside_the_parameters_domains_is_refused(
    refuse: Refuse, point: str, line: str
) -> None:
    parameters = KERNELS + "  C: {choice: [1, 2]}\n  degree: {choice: [2, 3]}\n"
    [refused] = refuse(SVM + parameters + f"points: [{point}]")
    assert line in refused


def test_a_point_needs_no_value_where_none_matters(read: Read) -> None:
    parameters = KERNELS + "  C: 2.0\n  degree: {choice: [2, 3]}\n"
    space = read(SVM + parameters + "points: [{kernel: rbf}, {kernel: rbf, degree: 9}]")
    assert len(space.points) == 2


def test_points_alone_are_tried_in_their_own_order_unless_the_file_says_otherwise(
    read: Read, refuse: Refuse
) -> None:
    points = NO_PARAMETERS + "points: [{C: [1.0, 2.0]}]\n"
    assert read(points).search.sampler == "grid"
    [line] = refuse(points + "search: {sampler: tpe}")
    assert line.startswith("mine.yaml: search.sampler: tpe cannot learn from a list of points")


def test_a_request_can_repair_the_sampler_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(NO_PARAMETERS + "points: [{C: [1.0, 2.0]}]\nsearch: {sampler: tpe}\n")
    own = Overrides(search={"sampler": "grid", "trials": None})
    assert read_space(file, own).search.sampler == "grid"
    with pytest.raises(InputError, match=r"mine\.yaml: search\.sampler: tpe cannot learn"):
        read_space(file, Overrides(search={"trials": 1}))
    with pytest.raises(InputError, match=r"^`sampler`: gp cannot learn"):
        read_space(file, Overrides(search={"sampler": "gp"}))
