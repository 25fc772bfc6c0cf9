"""A search that is killed and resumed without Ray: real proposals, store and list of trainings."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.searching.conftest import SVM, plan_text
from tests.store.example_trials import BEGAN
from tune_mnist.datasets import Dataset
from tune_mnist.models.registry import parameter_types
from tune_mnist.searching.history.known import Known
from tune_mnist.searching.history.resume import earlier_runs
from tune_mnist.searching.observer import Observer
from tune_mnist.searching.on_ray.run import SearchRun
from tune_mnist.searching.on_ray.trainings import Training, Trainings
from tune_mnist.searching.planning.plan import Plan
from tune_mnist.store.writer import Writer

SPACE = SVM.replace("[0.1, 1.0, 10.0]", "[0.1, 0.3, 1.0, 3.0, 10.0]")
LATE = (3, 6)
"""These trials run on while the others end, so they have no row when the search is killed."""


def plan_of(folder: Path, sampler: str, trials: int = 10, text: str = SPACE) -> Plan:
    return plan_text(folder, text, sampler=sampler, trials=trials)


def end(writer: Writer, trainings: Trainings, training: Training) -> None:
    """Let a trial end, with a made-up accuracy."""
    one = training.proposal
    row: dict[str, Any] = {
        "trial": f"{one.number:05d}",
        "attempt": training.attempt,
        "status": "completed",
        "model": "svm",
        "config": one.config,
        "proposed_after": one.seen,
        "val_accuracy": 0.9 - 0.01 * float(one.config["C"]) * (one.config["kernel"] == "rbf"),
        "wall_time_s": 1.0,
        "parameters": 1,
        "dataset": "digits",
        "started": BEGAN,
        "finished": BEGAN + timedelta(seconds=1),
    }
    writer.append_trial(row, [])
    trainings.finished(one.number, row, [])


def begin(root: Path, plan: Plan, data: Dataset) -> None:
    """Run a search until it is killed: 8 proposals, of which two are still running."""
    with Writer(root, "s", parameter_types()) as writer:
        writer.write_search(plan.record("s", data))
        trainings = SearchRun(plan, data, writer, Observer())._trainings(Known())
        for _ in range(8):
            training = trainings.next()
            assert training is not None
            if training.proposal.number not in LATE:
                end(writer, trainings, training)


def resume(root: Path, plan: Plan, data: Dataset) -> tuple[str, ...]:
    """Resume the search until it is done; return what is said of its list."""
    earlier = earlier_runs(root, "s")
    with Writer(root, "s", parameter_types(), resume=True) as writer:
        trainings = SearchRun(plan, data, writer, Observer())._trainings(Known(earlier=earlier))
        while training := trainings.next():
            end(writer, trainings, training)
    return earlier.notes
