"""One search over several models: what runs where, what is stored, reused and resumed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.searching.conftest import SVM, TWO_CPUS, Searched, plan_text
from tests.searching.history.test_resume import Interrupts
from tune_mnist.actions.confirm import PreparedConfirmation, run_confirmation
from tune_mnist.actions.requests import ConfirmRequest
from tune_mnist.code_hash import code_hash
from tune_mnist.datasets import Dataset
from tune_mnist.searching.history.confirmation import (
    confirmation_of,
    finished_rows,
    plan_confirmation,
)
from tune_mnist.searching.history.contradictions import contradictions
from tune_mnist.searching.history.resume import earlier_runs, replay
from tune_mnist.searching.history.warm_start import warm_start
from tune_mnist.searching.planning.machine import Machine
from tune_mnist.searching.planning.plan import plan_search, with_engine
from tune_mnist.searching.proposing.proposals import Proposals
from tune_mnist.spaces import Space, find_space, read_space

WHICH = """
model: {choice: [logistic, svm, resnet]}
dataset: digits
parameters:
  batch_size: 64
  epochs: 1
  logistic.C: {choice: [0.01, 1.0]}
  svm.C: {choice: [0.1, 1.0, 10.0]}
  kernel: {choice: [linear, rbf], when: {model: svm}}
"""
GPU_BOX = Machine(cpus=8, gpus=1, memory_bytes=2**36)


def which() -> Space:
    return read_space(find_space("which"))


def test_networks_take_the_gpu_and_the_others_the_cores_beside_it() -> None:
    plan = plan_search(which(), cpus=None, gpus=1, machine=GPU_BOX)
    gpus = {model: plan.bundle({"model": model})["gpu"] for model in plan.space.models}
    assert gpus == {"logistic": 0.0, "svm": 0.0, "resnet": 1.0}
    assert plan.bundles() == [{"cpu": 1.0, "gpu": 0.0}, {"cpu": 1.0, "gpu": 1.0}]
    assert plan.concurrency == 8
    on_cpu = plan_search(which(), cpus=None, gpus=None, machine=GPU_BOX)
    assert on_cpu.bundles() == [{"cpu": 1.0, "gpu": 0.0}]


def test_a_bundle_may_depend_on_the_model(tmp_path: Path) -> None:
    plan = plan_text(tmp_path, WHICH + "resources: [{cpu: 2, when: {model: svm}}, {cpu: 0.5}]\n")
    assert [plan.bundle({"model": model})["cpu"] for model in ("logistic", "svm")] == [0.5, 2.0]
    assert plan.bundles() == [{"cpu": 0.5, "gpu": 0.0}, {"cpu": 2.0, "gpu": 0.0}]


def test_the_model_with_several_engines_gets_the_best_one(few_digits: Dataset) -> None:
    plan = plan_search(which(), cpus=None, gpus=None, machine=GPU_BOX)
    engine = with_engine(plan, few_digits, GPU_BOX).engine
    assert engine is not None
    svms = replace(plan, space=plan.space.part("svm"))
    assert engine == with_engine(svms, few_digits, GPU_BOX).engine


def test_past_trials_of_each_model_warm_start_it(tmp_path: Path) -> None:
    rows = [
        {"model": model, "config": json.dumps(config), "val_accuracy": value, "data_hash": "same"}
        for model, config, value in (
            ("svm", {"kernel": "rbf", "C": 10.0, "gamma": "scale"}, 0.9),
            ("logistic", {"C": 1.0, "max_iter": 100}, 0.8),
            ("logistic", {"C": 10.0, "max_iter": 100}, 0.7),  # not in the space
        )
    ]
    space = plan_text(tmp_path, WHICH, sampler="tpe").space
    warm = warm_start(rows, space, "cpu", "same")
    assert [one.params for one in warm.observations] == [
        {"model": "svm", "svm.kernel": "rbf", "svm.C": 10.0},
        {"model": "logistic", "logistic.C": 1.0},
    ]
    assert "skipped 1 past trial outside this space (because of C 1)" in warm.notes[1]
    assert Proposals(space, "cpu", warm.first, warm.observations).next() is not None


def test_a_search_over_models_is_reused_interrupted_resumed_replayed_and_confirmed(
    search: Callable[..., Searched], few_digits: Dataset, tmp_path: Path
) -> None:
    """In one test, for the processes of its trials are started once."""
    search(SVM, "svms")
    settings: dict[str, Any] = {"sampler": "tpe", "trials": 9, "remember": True}
    first, some = search(WHICH, "cut", observer=Interrupts(4), **settings)
    assert first.reason == "interrupted"
    assert 4 <= len(some) < 9
    outcome, rows = search(WHICH, "cut", resume=True, **settings)
    assert outcome.counts == {"completed": 9}
    assert Counter(row["model"] for row in rows) == {"svm": 6, "logistic": 2, "resnet": 1}
    assert all(0 < row["latency_batch_256_s"] < row["latency_batch_1_s"] < 60 for row in rows)
    by_model = {row["model"]: row for row in rows}
    assert json.loads(by_model["logistic"]["config"]).keys() == {"C", "max_iter"}
    assert {name: row["code_hash"] for name, row in by_model.items()} == {
        name: code_hash(name) for name in ("svm", "logistic", "resnet")
    }
    shared = Counter(row["model"] for row in rows if row["shared_with"])
    assert shared == {"svm": 6}, "the store had all of its SVMs, and nothing else"

    root = tmp_path / "results"
    assert contradictions(root, "cut") == ([], 9)
    earlier = earlier_runs(root, "cut")
    again, reproduced = replay(Proposals(earlier.sampled(earlier.space), "cpu"), earlier)
    assert reproduced == len(again) == 9

    chosen = confirmation_of(root, "cut", top=2, seeds=2)
    assert {config["model"] for config in chosen.configs} <= set(by_model)
    plan = plan_confirmation(chosen, few_digits, TWO_CPUS)
    request = ConfirmRequest(search="cut", top=2, seeds=2, results=root)
    run_confirmation(PreparedConfirmation(request, chosen, plan, few_digits, ""))
    assert [len(rows) for rows in finished_rows(root, chosen)] == [2, 2]
