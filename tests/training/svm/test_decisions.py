"""Votes and ties are counted as in LIBSVM."""

from __future__ import annotations

import numpy as np
import pytest

from tune_mnist.training.svm.decisions import winners


@pytest.mark.parametrize(
    ("decisions", "winner"),
    [
        ([1.0, 1.0, 1.0], 0),  # pairs (0, 1), (0, 2), (1, 2)
        ([-1.0, 1.0, 1.0], 1),
        ([1.0, -1.0, -1.0], 2),
        ([1.0, -1.0, 1.0], 0),  # one vote each: the lowest class wins
        ([0.0, 0.0, 0.0], 2),  # 0 is a vote for the second class of a pair
    ],
)
def test_most_votes_win_and_the_lowest_class_wins_a_tie(
    decisions: list[float], winner: int
) -> None:
    assert winners(np.array([decisions]), 3).tolist() == [winner]
