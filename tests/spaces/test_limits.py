"""The largest values that a space takes, and what a scheduler alone brings with it."""

from __future__ import annotations

import pytest

from tests.spaces.conftest import SVM, Read, Refuse
from tune_mnist.spaces import trained_rungs


@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1])
def test_every_seed_that_numpy_takes_is_taken(read: Read, seed: int) -> None:
    assert read(f"{SVM}  C: 1.0\nsearch: {{seed: {seed}}}\n").search.seed == seed


def test_a_seed_beyond_numpys_is_refused(refuse: Refuse) -> None:
    assert "from 0 to 2^32 - 1" in refuse(f"{SVM}  C: 1.0\nsearch: {{seed: {2**32}}}\n")[0]


def test_whole_numbers_of_63_bits_are_read(refuse: Refuse) -> None:
    """Read, and then refused by the bounds of what they are given for."""
    [line] = refuse(f"{SVM}  C: 1.0\nsearch: {{seed: {2**63 - 1}}}\n")
    assert "64-bit" not in line


@pytest.mark.parametrize(("scheduler", "rungs"), [("none", ()), ("asha", (0.5, 1.0))])
def test_rungs_are_trained_only_where_a_scheduler_needs_them(
    read: Read, scheduler: str, rungs: tuple[float, ...]
) -> None:
    fidelity = "fidelity: {parameter: train_fraction, rungs: [0.5, 1.0]}\n"
    text = f"{SVM}  C: {{choice: [1.0, 2.0]}}\n{fidelity}search: {{scheduler: {scheduler}}}\n"
    assert trained_rungs(read(text)) == rungs
