"""Confirmation: the same fresh seeds for each of the best, and no run that tells nothing new."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.searching.conftest import TWO_CPUS
from tests.searching.history.killed import begin, plan_of, resume
from tune_mnist.actions.confirm import PreparedConfirmation, run_confirmation
from tune_mnist.actions.requests import ConfirmRequest
from tune_mnist.datasets import Dataset
from tune_mnist.errors import InputError
from tune_mnist.models.registry import parameter_types
from tune_mnist.searching.history.confirmation import confirmation_of, plan_confirmation
from tune_mnist.searching.on_ray.confirm_searcher import ConfirmSearcher
from tune_mnist.store.plans import SearchRecord, read_search
from tune_mnist.store.writer import Writer


@pytest.fixture
def searched(few_digits: Dataset, tmp_path: Path) -> Path:
    """A store with a finished search `s` of ten SVMs."""
    plan, root = plan_of(tmp_path, "grid"), tmp_path / "results"
    begin(root, plan, few_digits)
    resume(root, plan, few_digits)
    return root


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


def test_a_trial_whose_node_died_runs_again_on_its_seed(searched: Path) -> None:
    chosen = confirmation_of(searched, "s", top=1, seeds=2)
    searcher = ConfirmSearcher(chosen, [[]], two_each)
    first = searcher.suggest("a")
    searcher.on_trial_complete("a", error=True)
    assert searcher.move("a")
    again = searcher.suggest("b")
    assert isinstance(first, dict)
    assert isinstance(again, dict)
    assert (again["seed"], again["hyperparameters"]) == (first["seed"], first["hyperparameters"])
    assert again["number"] != first["number"]


def test_a_search_that_is_still_running_is_refused(tmp_path: Path) -> None:
    with Writer(tmp_path / "results", "busy", parameter_types()) as writer:
        writer.write_search(SearchRecord())
        with pytest.raises(InputError, match="still being written"):
            confirmation_of(tmp_path / "results", "busy", top=None, seeds=2)


def test_an_unknown_search_names_the_nearest(searched: Path) -> None:
    with pytest.raises(InputError, match="did you mean s"):
        confirmation_of(searched, "ss", top=None, seeds=2)


def test_a_search_that_another_process_confirmed_meanwhile_is_not_confirmed(
    searched: Path, few_digits: Dataset
) -> None:
    """It would run other configurations under the other's name."""
    chosen = confirmation_of(searched, "s", top=None, seeds=2)
    request = ConfirmRequest(search="s", seeds=2, results=searched)
    plan = plan_confirmation(chosen, few_digits, TWO_CPUS)
    late = PreparedConfirmation(request, chosen, plan, few_digits, "")
    other = confirmation_of(searched, "s", top=2, seeds=2).recorded()
    with Writer(searched, "s-confirm", parameter_types()) as writer:
        writer.write_search(SearchRecord(confirms=other))
    with pytest.raises(InputError, match="confirmed by another process meanwhile"):
        run_confirmation(late)
    assert read_search(searched, "s-confirm").confirms == other


def test_a_search_is_not_confirmed_on_other_images(searched: Path, few_digits: Dataset) -> None:
    chosen = confirmation_of(searched, "s", top=None, seeds=2)
    assert plan_confirmation(chosen, few_digits, TWO_CPUS).trials == 6
    others = replace(few_digits, content_hash="of other images")
    with pytest.raises(InputError, match="digits is not the data that 's' ran on"):
        plan_confirmation(chosen, others, TWO_CPUS)
