"""Claim: on a CPU that has it, bfloat16 trains ResNets 1.2x as fast as float32, as accurately.

    python -m benchmarks.bfloat16 [--short] [--record] [--dataset digits] [--architecture resnet18]
                                  [--batch-size 32] [--fraction 1.0] [--pairs 5]

Whole trainings of 5 epochs by the search's own training function, SGD at a rate of 0.01, from
reading the images to the test accuracy: two seeds side by side, one core each, in float32 and in
bfloat16 alternately, with fresh seeds each round. The second line compares the test
accuracies seed by seed: their mean difference is to be within two standard errors of zero.
"""

from __future__ import annotations

import argparse
import os
import shlex
import statistics
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace

from benchmarks.measure import Figure, compare, interleave, record
from benchmarks.resnet_step import process
from tune_mnist.datasets import load_dataset
from tune_mnist.training.options import TrainOptions
from tune_mnist.training.resnet.train import ResnetConfig, train

CLAIM = "bfloat16 trains ResNets at least 1.2x as fast as float32 on a CPU, as accurately"


def trial(dataset: str, config: ResnetConfig, seed: int) -> float:
    """Return the test accuracy of one training."""
    data = load_dataset(dataset)
    return train(config, data, lambda *_: None, TrainOptions(device="cpu", seed=seed))[
        "test_accuracy"
    ]


class Rival:
    """Trains in one precision, two seeds at a time."""

    def __init__(
        self, processes: list[ProcessPoolExecutor], dataset: str, config: ResnetConfig
    ) -> None:
        self.processes, self.dataset, self.config = processes, dataset, config
        self.accuracies: list[float] = []

    def __call__(self) -> None:
        first = len(self.accuracies)
        jobs = [
            one.submit(trial, self.dataset, self.config, first + i)
            for i, one in enumerate(self.processes)
        ]
        self.accuracies += [job.result() for job in jobs]


def accuracies(what: str, low: Rival, single: Rival) -> Figure:
    """Return the figure that compares the test accuracies, seed by seed, in percent."""
    differences = [
        100 * (mine - theirs)
        for mine, theirs in zip(low.accuracies, single.accuracies, strict=True)
    ]
    off, error = statistics.mean(differences), statistics.stdev(differences)
    error /= len(differences) ** 0.5
    means = [100 * statistics.mean(rival.accuracies) for rival in (low, single)]
    return Figure(
        f"{what}: test accuracy of {len(differences)} seeds",
        f"{means[0]:.2f} %",
        f"{means[1]:.2f} %",
        f"{off:+.2f} points, standard error {error:.2f}",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="two rounds")
    parser.add_argument("--record", action="store_true", help="append to RESULTS.md")
    parser.add_argument("--dataset", default="digits")
    parser.add_argument("--architecture", default="resnet18", choices=["resnet18", "resnet50"])
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--fraction", type=float, default=1.0, help="of the training images")
    parser.add_argument("--pairs", type=int, default=5, help="rounds of two seeds")
    arguments = parser.parse_args()
    print(f"Claim: {CLAIM}", flush=True)
    single = ResnetConfig(
        arguments.architecture,
        arguments.batch_size,
        "sgd",
        learning_rate=0.01,
        epochs=5,
        train_fraction=arguments.fraction,
    )
    processes = [process([core]) for core in sorted(os.sched_getaffinity(0))[:2]]
    ours, peer = (
        Rival(processes, arguments.dataset, config)
        for config in (replace(single, precision="bfloat16"), single)
    )
    for rival in (ours, peer):  # a warm-up
        Rival(processes, "digits", replace(rival.config, epochs=1))()
    timings = interleave(ours, peer, 2 if arguments.short else arguments.pairs)
    what = f"{single.architecture}, batch {single.batch_size}, {arguments.dataset}"
    if single.train_fraction < 1:
        what += f", {100 * single.train_fraction:g} % of the images"
    figures = [compare(f"{what}: bfloat16 vs float32", *timings), accuracies(what, ours, peer)]
    for figure in figures:
        print(figure)
    if arguments.record:
        command = shlex.join(["python", "-m", "benchmarks.bfloat16", *sys.argv[1:]])
        record(CLAIM, command, figures)


if __name__ == "__main__":
    main()
