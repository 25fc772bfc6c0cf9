"""Every sampler with every scheduler, for one objective and for several, on real Ray."""

from __future__ import annotations

import tempfile
from itertools import product
from pathlib import Path
from typing import Any, get_args

import pytest
from ray import tune

from tests.searching.conftest import plan_text
from tune_mnist.actions.preparing import prepare_plan
from tune_mnist.actions.requests import SearchRequest
from tune_mnist.actions.search import run
from tune_mnist.datasets import Dataset
from tune_mnist.errors import InputError
from tune_mnist.searching.on_ray import tuner
from tune_mnist.searching.on_ray.trainable import Shared
from tune_mnist.spaces import SamplerName, SchedulerName
from tune_mnist.store.reader import read_trials

SAMPLERS = get_args(SamplerName)
SCHEDULERS = get_args(SchedulerName)
GOALS = {
    1: "",
    2: "objective: [{metric: val_accuracy}, {metric: wall_time_s}, {metric: latency_batch_1_s}]\n",
}
TRIALS = 4

REFUSED: dict[tuple[SamplerName, SchedulerName, int], str] = {
    **{("cmaes", scheduler, 2): "cmaes cannot learn from several" for scheduler in SCHEDULERS},
    **{
        (sampler, scheduler, 2): f"{scheduler} compares trials by one objective"
        for sampler in SAMPLERS
        for scheduler in ("median", "pbt")
    },
}
"""The pairs that cannot work, and why; every other must run to its end."""


def text(sampler: SamplerName, objectives: int) -> str:
    """Return a space that the sampler takes: cmaes wants two numbers, grid a finite space."""
    listed = "{choice: [0.01, 0.02, 0.04, 0.08]}"
    rate = listed if sampler == "grid" else "{log_uniform: [1.0e-4, 0.1]}"
    return (
        "model: resnet\ndataset: digits\nparameters:\n"
        f"  learning_rate: {rate}\n  batch_size: {{int_uniform: [8, 12]}}\n  epochs: 3\n"
        f"{GOALS[objectives]}"
    )


def made_up_trial(trial: dict[str, Any], shared: Shared) -> None:
    """Report three epochs at once: the trainings have tests of their own, and here are many."""
    rate = float(trial["hyperparameters"]["learning_rate"])
    saved = tune.get_checkpoint()
    done = int(Path(saved.path, "epoch").read_text()) if saved else 0
    for epoch in range(done + 1, 4):
        measured = {
            "step": epoch,
            "fidelity": float(epoch),
            "val_accuracy": 0.5 + rate * epoch,
            "wall_time_s": epoch * (0.1 + rate),
        }
        measured |= {"test_accuracy": 0.5, "latency_batch_1_s": rate} if epoch == 3 else {}
        if shared.save_every_s is None or epoch == 3:
            tune.report(measured)
            continue
        with tempfile.TemporaryDirectory() as folder:  # a population continues from it
            Path(folder, "epoch").write_text(str(epoch))
            tune.report(measured, checkpoint=tune.Checkpoint.from_directory(folder))


def triples() -> list[tuple[SamplerName, SchedulerName, int]]:
    """Every sampler with every scheduler, and each of both with several objectives.

    Those that run need seconds each, so with several objectives a sampler runs without scheduler,
    and a scheduler with the sampler random.
    """
    return [
        (sampler, scheduler, objectives)
        for sampler, scheduler, objectives in product(SAMPLERS, SCHEDULERS, GOALS)
        if objectives == 1
        or scheduler == "none"
        or sampler == "random"
        or (sampler, scheduler, objectives) in REFUSED
    ]


@pytest.mark.parametrize(("sampler", "scheduler", "objectives"), triples())
def test_every_pair_runs_to_its_end_or_is_refused_with_a_reason(
    sampler: SamplerName,
    scheduler: SchedulerName,
    objectives: int,
    running_ray: None,
    few_digits: Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tuner, "run_trial", made_up_trial)
    chosen = {"sampler": sampler, "scheduler": scheduler, "trials": TRIALS, "max_concurrent": 1}
    if reason := REFUSED.get((sampler, scheduler, objectives)):
        with pytest.raises(InputError, match=reason):
            plan_text(tmp_path, text(sampler, objectives), **chosen)
        return
    plan = plan_text(tmp_path, text(sampler, objectives), **chosen)
    request = SearchRequest(space="svm", name="s", results=tmp_path / "results")
    outcome = run(prepare_plan(plan, few_digits, request)).outcome
    rows = read_trials(tmp_path / "results", search="s").to_pylist()
    assert sum(outcome.counts.values()) == len(rows) == TRIALS
    assert set(outcome.counts) <= {"completed", "stopped"}
    assert scheduler not in ("none", "pbt") or outcome.counts == {"completed": TRIALS}
    assert outcome.best is not None
    done = [row for row in rows if row["status"] == "completed"]
    assert outcome.best["val_accuracy"] == max(row["val_accuracy"] for row in done)
