"""The one adapter from training functions to Ray Tune: all the Ray that a trial knows.

A trial's process is reused for the next trial, so whatever a training leaves behind in the
process (threads, GPU memory) is set again or given back here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tune_mnist.datasets import Dataset
from tune_mnist.search.environment import cpu_name, gpu_name, host
from tune_mnist.spaces import Config, Device, ModelName
from tune_mnist.training.measurement import Measurement, Report, Save


@dataclass(frozen=True)
class Shared:
    """What all trials of a search have in common.

    Args:
        data: the data set; in a trial its arrays are read-only, in Ray's object store.
        model: whose training function is called.
        seed: of every trial that names none, so that trials differ in their configuration alone.
        device: for configurations that name none themselves.
        gram_dir: for SVMs that share one matrix of inner products; None for each on its own.
    """

    data: Dataset
    model: ModelName
    seed: int
    device: Device
    gram_dir: Path | None


def run_trial(trial: dict[str, Any], shared: Shared) -> None:
    """Train one configuration and report each measurement to Ray Tune.

    Args:
        trial: what a searcher suggested: "number", "hyperparameters", and "seed" where a
            configuration runs on several.
        shared: put once into Ray's object store by `tune.with_parameters`.
    """
    import ray
    from ray import tune

    shared = replace(shared, seed=trial.get("seed", shared.seed))
    config = dict(trial["hyperparameters"])
    device = config.pop("device", shared.device)
    cpus = ray.get_runtime_context().get_assigned_resources().get("CPU", 1.0)
    where = {"device": gpu_name() if device == "gpu" else cpu_name(), "host": host()}

    def report(measurement: Measurement, _: Save | None) -> None:
        tune.report({**measurement, **where})

    TRAINERS[shared.model](config, shared, report, device == "gpu", max(1, int(cpus)))


def _train_resnet(
    config: Config, shared: Shared, report: Report, on_gpu: bool, threads: int
) -> Measurement:
    import torch

    from tune_mnist.training import resnet

    torch.set_num_threads(threads)
    resnet_config = resnet.ResnetConfig(**config)  # type: ignore[arg-type]  # spaces checked it
    device = "cuda" if on_gpu else "cpu"
    try:
        return resnet.train(resnet_config, shared.data, report, device=device, seed=shared.seed)
    finally:
        if on_gpu:
            torch.cuda.empty_cache()


def _train_svm(
    config: Config,
    shared: Shared,
    report: Report,
    on_gpu: bool,  # noqa: ARG001  # a `Trainer`; an SVM knows the CPU alone
    threads: int,
) -> Measurement:
    from threadpoolctl import threadpool_limits

    from tune_mnist.training import svm

    svm_config = svm.SvmConfig(**config)  # type: ignore[arg-type]  # spaces checked it
    with threadpool_limits(threads):
        return svm.train(
            svm_config, shared.data, report, seed=shared.seed, gram_dir=shared.gram_dir
        )


Trainer = Callable[[Config, Shared, Report, bool, int], Measurement]
TRAINERS: dict[ModelName, Trainer] = {"resnet": _train_resnet, "svm": _train_svm}
