"""A trial that the store has finished already is not run again, and nothing else is reused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.searching.conftest import SVM, Searched
from tune_mnist.searching.observer import Observer
from tune_mnist.spaces import Config

Search = Callable[..., Searched]

TPE = SVM.replace("sampler: grid", "sampler: tpe, trials: 5").replace(
    "{choice: [0.1, 1.0, 10.0]}", "{log_uniform: [0.1, 10.0]}"
)


class Counts(Observer):
    """Counts the trials that ran."""

    def __init__(self) -> None:
        self.ran = 0

    def trial_started(self, trial: str, config: Config) -> None:
        self.ran += 1


def test_an_identical_search_runs_no_trial_and_names_those_that_measured(search: Search) -> None:
    _, first = search(SVM, "first")
    counts = Counts()
    outcome, again = search(SVM, "again", counts, remember=True)
    assert (counts.ran, outcome.reused, outcome.counts) == (0, 6, {"completed": 6})
    assert [(row["config"], row["val_accuracy"], row["test_accuracy"]) for row in again] == sorted(
        ((row["config"], row["val_accuracy"], row["test_accuracy"]) for row in first),
        key=lambda row: [other["config"] for other in again].index(row[0]),
    )
    _, third = search(SVM, "third", remember=True)  # a reused row names what measured it
    assert {row["shared_with"].split("/")[0] for row in third} == {"first"}


def test_a_sampler_that_learns_is_led_along_the_same_way(search: Search) -> None:
    search(TPE, "first")
    counts = Counts()
    outcome, _ = search(TPE, "again", counts, remember=True)
    assert (counts.ran, outcome.reused) == (0, 5)


def test_only_what_is_missing_is_run(search: Search) -> None:
    search(SVM, "first", trials=2)
    counts = Counts()
    outcome, _ = search(SVM, "again", counts, remember=True)
    assert (counts.ran, outcome.reused) == (4, 2)


def test_another_seed_is_another_trial(search: Search) -> None:
    search(SVM, "first", trials=1)
    counts = Counts()
    search(SVM, "again", counts, remember=True, trials=1, seed=1)
    assert counts.ran == 1


def test_a_trial_that_climbed_rungs_is_no_answer_to_a_plain_search(search: Search) -> None:
    """Its time is the sum over its rungs."""
    asha = TPE.replace("trials: 5", "trials: 3, scheduler: asha")
    search(asha + "fidelity: {parameter: train_fraction, rungs: [0.5, 1.0]}\n", "first")
    _, plain = search(TPE, "again", remember=True)
    assert [row["shared_with"] for row in plain] == [None] * 5


def test_a_failed_trial_is_run_again(search: Search, tmp_path: Path) -> None:
    text = "model: resnet\ndataset: digits\nparameters:\n  learning_rate: 1.0e+30\n"
    text += "  batch_size: 64\n  epochs: 1\nsearch: {sampler: grid}\n"
    first, _ = search(text, "first")
    second, _ = search(text, "again", remember=True)
    assert (first.counts, second.counts, second.reused) == ({"failed": 1}, {"failed": 1}, 0)
