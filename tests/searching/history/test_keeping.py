"""Which models a search keeps: those of its best trials, however it is run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.store.example_trials import PARAMETERS, trial
from tests.store.models.kept import GOAL, finish, kept_models, whole_models, written
from tune_mnist.metrics import Constraint, Goal
from tune_mnist.searching.history.keeping import KeptModels, may_lead
from tune_mnist.store.writer import Writer


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    with Writer(tmp_path / "results", "svm", PARAMETERS) as writer:
        yield writer


def run(writer: Writer, models: KeptModels, *accuracies: float, **columns: Any) -> set[str]:
    """Finish trials of these accuracies; return whose models are kept."""
    for number, accuracy in enumerate(accuracies):
        finish(writer, models, trial(f"t{number}", accuracy, **columns))
    return whole_models(writer.root)


def test_the_best_models_replace_the_others(writer: Writer) -> None:
    accuracies = (0.5, 0.9, 0.7, 0.95, 0.6)
    assert run(writer, kept_models(writer, most=2), *accuracies) == {"t1", "t3"}


def test_none_are_kept_if_none_are_asked_for(writer: Writer) -> None:
    models = kept_models(writer, most=0)
    assert models.bar({}) is None
    assert run(writer, models, 0.5, 0.9) == set()


def test_a_stopped_or_failed_trial_keeps_none(writer: Writer) -> None:
    assert run(writer, kept_models(writer), 0.5, 0.9, status="stopped") == set()


def test_a_trial_that_breaks_a_constraint_keeps_none(writer: Writer) -> None:
    goal = Goal(constraints=(Constraint("wall_time_s", "<=", 5.0),))
    assert run(writer, kept_models(writer, goal=goal), 0.5, 0.9) == set()


def test_all_models_of_the_pareto_set_are_kept(writer: Writer) -> None:
    models = kept_models(writer, goal=Goal(("val_accuracy", "wall_time_s")))
    of_each = [(0.9, 10.0), (0.8, 5.0), (0.85, 7.0), (0.8, 6.0), (0.95, 12.0)]
    for number, (accuracy, seconds) in enumerate(of_each):
        finish(writer, models, trial(f"t{number}", accuracy, wall_time_s=seconds))
    assert whole_models(writer.root) == {"t0", "t1", "t2", "t4"}


def test_a_resumed_search_remembers_its_best(writer: Writer) -> None:
    run(writer, kept_models(writer), 0.5, 0.9)
    models = kept_models(writer)
    finish(writer, models, trial("t2", 0.7))
    assert whole_models(writer.root) == {"t1"}
    finish(writer, models, trial("t3", 0.95))
    assert whole_models(writer.root) == {"t3"}


def test_a_confirmation_keeps_the_best_seed_of_each_configuration(writer: Writer) -> None:
    models = KeptModels(writer, GOAL, 1)
    models.apart()
    of_each = [(0.9, 1.0), (0.8, 2.0), (0.95, 1.0), (0.7, 2.0)]
    for number, (accuracy, C) in enumerate(of_each):
        finish(writer, models, trial(f"t{number}", accuracy, config={"C": C}))
    assert whole_models(writer.root) == {"t1", "t2"}


def test_only_a_trial_that_beats_its_bar_writes_its_model(writer: Writer) -> None:
    models = kept_models(writer)
    run(writer, models, 0.9)
    bar = models.bar({})
    assert bar is not None
    measured = {"val_accuracy": 0.89, "wall_time_s": 1.0}
    assert not may_lead(measured, "t1", bar, GOAL, 1)
    assert may_lead({**measured, "val_accuracy": 0.91}, "t1", bar, GOAL, 1)
    assert may_lead(measured, "t1", bar, GOAL, 2)


def test_a_reused_trial_brings_its_model(writer: Writer, tmp_path: Path) -> None:
    run(writer, kept_models(writer), 0.9)
    with Writer(writer.root, "again", PARAMETERS) as other:
        models = kept_models(other)
        with models.storing(trial("t0"), lambda: models.reused("svm/t0")):
            assert whole_models(writer.root, "again") == {"t0"}
        other.drop_models(["t0"])
    assert whole_models(writer.root) == {"t0"}  # its own copy is whole


def test_a_reused_trial_without_a_model_has_none(writer: Writer) -> None:
    models = kept_models(writer)
    assert models.reused("nobody/t0") is None
    assert models.reused("../../etc/t0") is None


def test_the_next_writer_removes_what_nobody_kept(writer: Writer) -> None:
    written(writer.candidates, "t0")
    root = writer.root
    writer.close()
    with Writer(root, "svm", PARAMETERS, resume=True) as again:
        assert not again.candidates.exists()
