"""Which values a hyperparameter can have in a space, and how large images have to be stored."""

from __future__ import annotations

from pathlib import Path

import pytest

from tune_mnist.actions.reading_data import stored_side
from tune_mnist.spaces import Scalar, Space, possible_values, read_space

SVM = "model: svm\ndataset: digits\n"


@pytest.mark.parametrize(
    ("text", "sizes", "side"),
    [
        ("parameters: {C: 1.0}", {None}, 64),
        ("parameters: {image_size: {choice: [16, 96]}}", {16, 96}, 96),
        ("parameters: {image_size: {int_uniform: [62, 66]}}", {62, 63, 64, 65, 66}, 66),
        ("points: [{C: 1.0}, {C: 1.0, image_size: [16, 128]}]", {None, 16, 128}, 128),
        (
            "parameters:\n  kernel: {choice: [rbf, linear]}\n"
            "  image_size: {choice: [16], when: {kernel: rbf}}",
            {None, 16},
            64,
        ),
    ],
)
def test_sizes_of_a_space(text: str, sizes: set[Scalar | None], side: int, tmp_path: Path) -> None:
    space = read(text, tmp_path)
    assert possible_values(space, "image_size") == sizes
    assert stored_side(space) == side


def test_a_default_is_a_possible_value_where_nothing_else_is_given(tmp_path: Path) -> None:
    assert possible_values(read("parameters: {C: 1.0}", tmp_path), "kernel") == {"rbf"}
    points = "points: [{C: 1.0}, {kernel: poly}]"
    assert possible_values(read(points, tmp_path), "kernel") == {"rbf", "poly"}


def read(text: str, folder: Path) -> Space:
    file = folder / "space.yaml"
    file.write_text(SVM + text)
    return read_space(file)
