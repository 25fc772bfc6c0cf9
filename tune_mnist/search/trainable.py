"""The one adapter from training functions to Ray Tune: all the Ray that a trial knows.

A trial's process is reused for the next trial, so whatever a training leaves behind in the
process (threads, GPU memory) is set again or given back here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tune_mnist.datasets import Dataset
from tune_mnist.search.environment import cpu_name, gpu_name, host
from tune_mnist.spaces import Config, ModelName
from tune_mnist.training.measurement import Measurement, Report


def run_trial(
    trial: dict[str, Any], data: Dataset, model: ModelName, seed: int, device: str
) -> None:
    """Train one configuration and report each measurement to Ray Tune.

    Args:
        trial: what `ProposalSearcher.suggest` made: "number" and "hyperparameters".
        data: the data set, its arrays read-only in Ray's object store.
        model: whose training function to call.
        seed: seed of the trial.
        device: "cpu" or "gpu", for a configuration that names none itself.
    """
    import ray
    from ray import tune

    config = dict(trial["hyperparameters"])
    device = str(config.pop("device", device))
    cpus = ray.get_runtime_context().get_assigned_resources().get("CPU", 1.0)
    where = {"device": gpu_name() if device == "gpu" else cpu_name(), "host": host()}

    def report(measurement: Measurement) -> None:
        tune.report({**measurement, **where})

    TRAINERS[model](config, data, report, seed, device, max(1, int(cpus)))


def _train_resnet(
    config: Config, data: Dataset, report: Report, seed: int, device: str, threads: int
) -> Measurement:
    import torch

    from tune_mnist.training import resnet

    torch.set_num_threads(threads)
    on = "cuda" if device == "gpu" else "cpu"
    try:
        resnet_config = resnet.ResnetConfig(**config)  # type: ignore[arg-type]  # spaces.py checked
        return resnet.train(resnet_config, data, report, device=on, seed=seed)
    finally:
        if on == "cuda":
            torch.cuda.empty_cache()


def _train_svm(
    config: Config,
    data: Dataset,
    report: Report,
    seed: int,
    device: str,  # noqa: ARG001  # a `Trainer`; an SVM knows the CPU alone
    threads: int,
) -> Measurement:
    from threadpoolctl import threadpool_limits

    from tune_mnist.training import svm

    with threadpool_limits(threads):
        svm_config = svm.SvmConfig(**config)  # type: ignore[arg-type]  # spaces.py checked
        return svm.train(svm_config, data, report, seed=seed)


Trainer = Callable[[Config, Dataset, Report, int, str, int], Measurement]
TRAINERS: dict[ModelName, Trainer] = {"resnet": _train_resnet, "svm": _train_svm}
