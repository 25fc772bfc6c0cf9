"""What may be reused: the one rule for when a past trial stands for a new one.

| part | must be equal |
|---|---|
| model, configuration, seed, data hash, split, code hash | always |
| device kind (CPU or GPU), and every metric of the goal measured | always |
| rungs of `train_fraction` | always: a ladder's time is the sum over its rungs |
| processor or GPU model; on a CPU also the cores | where numbers depend on them: not an SVM's |
| host, device, cores, GPU share, an SVM's engine | where a time or latency decides |

A ResNet's accuracy depends on the order of its sums, which the number of threads and the
instructions of the processor decide. An SVM's problem has one solution, which every place finds.
docs/decisions/005-memory.md says why.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tune_mnist.code_hash import code_hash
from tune_mnist.datasets import Dataset
from tune_mnist.provenance import cpu_name, gpu_name, host
from tune_mnist.searching.observer import Row
from tune_mnist.searching.planning.plan import Plan
from tune_mnist.spaces import Config
from tune_mnist.spaces.milestones import trained_rungs
from tune_mnist.training.model import find_model


def same_training(plan: Plan, data: Dataset, model: str) -> dict[str, Any]:
    """Return the columns of a past trial that must be equal, whatever its configuration.

    Args:
        plan: of the new search.
        data: that it runs on.
        model: one of those that it trains.
    """
    return {
        "model": model,
        "data_hash": data.content_hash,
        "split": data.split,
        "seed": plan.space.search.seed,
        "code_hash": code_hash(model),
    }


def in_same_place(row: Row, plan: Plan, config: Config) -> bool:
    """Return whether a past trial ran where its numbers are those that this plan would get."""
    bundle = plan.bundle(config)
    on_gpu = bundle["gpu"] > 0
    if ((row["gpus"] or 0) > 0) != on_gpu:
        return False
    timed = any(metric.endswith("_s") for metric in plan.space.metrics)
    if timed and not (
        row["host"] == host()
        and row["gpus"] == bundle["gpu"]
        and row["cpus"] == bundle["cpu"]
        and _same_engine(row, plan, config)
    ):
        return False
    if find_model(row["model"]).exact and not timed:
        return True
    same_cores = on_gpu or row["cpus"] == bundle["cpu"]
    return bool(same_cores and row["device"] == (gpu_name() if on_gpu else cpu_name()))


def on_same_rungs(row: Row, fidelities: Sequence[float], plan: Plan) -> bool:
    """Return whether a completed trial was trained on the rungs that this plan would train.

    Args:
        row: the trial.
        fidelities: of its measurements, in the order of their steps.
        plan: of the new search.
    """
    if row["status"] != "completed":  # of a search that proposed the same, so on the same rungs
        return True
    climbed = tuple(fidelities) if len(fidelities) > 1 and fidelities[0] < 1 else ()
    rungs = trained_rungs(plan.space)
    return climbed == (rungs if len(rungs) > 1 else ())


def _same_engine(row: Row, plan: Plan, config: Config) -> bool:
    model = find_model(row["model"])
    if plan.engine is None or not model.has_engines:
        return True
    return bool(
        row["engine"] == model.engine_of(plan.space.hyperparameters(config), plan.engine[0])
    )
