"""Confirmation: the same fresh seeds for each of the best, and no run that tells nothing new."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.searching.conftest import SVM, Searched
from tune_mnist.errors import InputError
from tune_mnist.searching.history.confirmation import confirmation_of
from tune_mnist.searching.on_ray.confirm_searcher import ConfirmSearcher
from tune_mnist.spaces import parameter_types
from tune_mnist.store.plans import SearchRecord
from tune_mnist.store.writer import Writer

Search = Callable[..., Searched]


@pytest.fixture
def searched(search: Search, tmp_path: Path) -> Path:
    """A store with a finished search `s` of six SVMs."""
    search(SVM, "s")
    return tmp_path / "results"


def two_each(rows: Sequence[Sequence[dict[str, Any]]]) -> list[int]:
    return [2 for _ in rows]


def test_the_best_distinct_configurations_are_chosen_best_first(searched: Path) -> None:
    chosen = confirmation_of(searched, "s", top=3, seeds=5)
    assert len(chosen.configs) == len({str(config) for config in chosen.configs}) == 3


def test_no_seed_is_the_searchs_own(searched: Path) -> None:
    assert 0 not in confirmation_of(searched, "s", top=3, seeds=5).seeds


def test_every_configuration_runs_on_the_same_seeds_in_the_same_order(searched: Path) -> None:
    chosen = confirmation_of(searched, "s", top=2, seeds=5)
    searcher = ConfirmSearcher(chosen, [[], []], two_each)
    suggested = [searcher.suggest(str(number)) for number in range(4)]
    seeds: dict[str, list[int]] = {}
    for trial in suggested:
        assert isinstance(trial, dict)
        seeds.setdefault(str(trial["hyperparameters"]), []).append(trial["seed"])
    assert list(seeds.values()) == [[1, 2], [1, 2]]


def test_a_search_that_is_still_running_is_refused(search: Search, tmp_path: Path) -> None:
    with Writer(tmp_path / "results", "busy", parameter_types()) as writer:
        writer.write_search(SearchRecord())
        with pytest.raises(InputError, match="still being written"):
            confirmation_of(tmp_path / "results", "busy", top=None, seeds=2)


def test_an_unknown_search_names_the_nearest(searched: Path) -> None:
    with pytest.raises(InputError, match="did you mean s"):
        confirmation_of(searched, "ss", top=None, seeds=2)
