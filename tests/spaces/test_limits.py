"""The bounds of what a space takes, and what its scheduler sets or needs."""

from __future__ import annotations

import pytest

from tests.spaces.conftest import RESNET, SVM, Read, Refuse
from tune_mnist.spaces import trained_rungs

CONSTANT = SVM + "  C: 1.0\n"
NO_PARAMETERS = "model: svm\ndataset: digits\n"


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


@pytest.mark.parametrize(
    ("parameter", "domain", "bounds"),
    [
        ("C", "uniform", "[2, 1]"),
        ("C", "uniform", "[3, 3]"),
        ("C", "log_uniform", "[0.0, 100.0]"),
        ("C", "log_uniform", "[-1.0, 0.0]"),
        ("degree", "int_uniform", "[2, 2]"),
        ("degree", "int_log_uniform", "[-1, 9]"),
        ("degree", "int_log_uniform", "[-1, 0]"),
        *(("C", domain, "[1]") for domain in ("uniform", "log_uniform")),
        *(("degree", domain, "[1]") for domain in ("int_uniform", "int_log_uniform")),
    ],
)
def test_the_bounds_that_a_refusal_proposes_are_accepted(
    read: Read, refuse: Refuse, parameter: str, domain: str, bounds: str
) -> None:
    text = f"{SVM}  {parameter}: {{{domain}: {bounds}}}"
    [refused] = refuse(text)
    read(text.replace(bounds, refused.partition("for example ")[2]))


@pytest.mark.parametrize("batch_size", [1, 65537])
def test_a_batch_size_that_cannot_be_trained_is_refused(refuse: Refuse, batch_size: int) -> None:
    """BatchNorm has no variance over one image."""
    [line] = refuse(RESNET + f"  batch_size: {batch_size}")
    assert "give a whole number from 2 to 65536" in line


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (CONSTANT + "  train_fraction: 0.5\n", "parameters"),
        (NO_PARAMETERS + "points: [{C: 1.0, train_fraction: 0.5}]\n", "points"),
    ],
)
def test_a_fraction_that_the_scheduler_sets_is_set_nowhere_else(
    refuse: Refuse, text: str, where: str
) -> None:
    [refused] = refuse(text + "fidelity: {parameter: train_fraction}\n")
    problem = f"the scheduler sets train_fraction, and {where} sets it too; leave it out of {where}"
    assert refused == f"mine.yaml: fidelity.parameter: {problem}"


def test_a_fraction_may_be_searched_where_the_scheduler_sets_the_epochs(read: Read) -> None:
    text = RESNET + "  train_fraction: {choice: [0.1, 1.0]}\n  epochs: 5\n"
    space = read(text + "fidelity: {parameter: epochs}\n")
    assert "train_fraction" in space.parameters
