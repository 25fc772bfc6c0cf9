"""What a search may run on: this machine, or a running Ray cluster of several."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass

from tune_mnist.errors import input_error


@dataclass(frozen=True)
class Cluster:
    """A running Ray cluster that a search joins.

    Args:
        address: of its head, "host:port".
        nodes: Ray's resources of each node, "CPU" and "GPU" among them; with an autoscaler, those
            of each node that it may start too.
    """

    address: str
    nodes: tuple[Mapping[str, float], ...]

    def total(self, resource: str) -> int:
        """Return how much of a resource all nodes have together, in whole units."""
        return int(sum(node.get(resource, 0) for node in self.nodes))

    def cpus_without_gpu(self, cores: float) -> float:
        """Return the cores of all nodes without a GPU, 0 if none of them has so many cores."""
        cpus = [node.get("CPU", 0) for node in self.nodes if not node.get("GPU", 0)]
        return sum(cpus) if any(one >= cores for one in cpus) else 0.0

    def places(self, bundle: Mapping[str, float]) -> int:
        """Return how many trials with this bundle the nodes have room for, were they idle.

        Raises: InputError: no node has room for one.
        """
        needs = {name.upper(): amount for name, amount in bundle.items() if amount}
        places = sum(
            math.floor(min(node.get(name, 0) / amount for name, amount in needs.items()))
            for node in self.nodes
        )
        if not places:
            kinds = {
                amounts({key: node.get(key, 0) for key in _SHOWN})
                for node in self.nodes
                if any(node.get(key, 0) for key in _SHOWN)
            }
            raise input_error(
                f"the cluster at {self.address}",
                f"no node has {amounts(needs)} for a trial; its nodes have "
                + ("; ".join(sorted(kinds)) or "nothing"),
                "ask for less with `cpus_per_trial` and `gpus_per_trial`, or add a larger node",
            )
        return places


def amounts(resources: Mapping[str, float]) -> str:
    """Return amounts of Ray's resources for people: "2 CPUs and 1 GPU"."""
    parts = [f"{n:g} {name}{'' if n == 1 else 's'}" for name, n in resources.items() if n]
    return " and ".join(parts) or "no CPU"


_SHOWN = ("CPU", "GPU")


@dataclass(frozen=True)
class Machine:
    """What there is for a search: this machine, or all nodes of a cluster.

    Args:
        cpus: cores that this process may run on.
        gpus: CUDA devices that torch can see.
        memory_bytes: physical memory not in use; of the node that has least.
        bfloat16: whether the processor has instructions for it; None if nobody has looked.
        cluster: whose nodes these are; None for this machine.
    """

    cpus: int
    gpus: int
    memory_bytes: int
    bfloat16: bool | None = None
    cluster: Cluster | None = None


def this_machine(*, ask_torch: bool) -> Machine:
    """Look at the machine.

    Args:
        ask_torch: whether to ask it of GPUs and bfloat16, which takes its import (seconds).
    """
    import psutil

    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return Machine(
        cpus=cpus or 1,
        gpus=_gpus() if ask_torch else 0,
        memory_bytes=psutil.virtual_memory().available,
        bfloat16=_bfloat16() if ask_torch else None,
    )


def _gpus() -> int:
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def _bfloat16() -> bool:
    import torch

    from tune_mnist.training.resnet.precision import has_bfloat16

    return has_bfloat16(torch.device("cpu"))
