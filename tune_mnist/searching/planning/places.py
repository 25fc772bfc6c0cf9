"""Which trials fit side by side, where the trials of a search have several kinds of bundles.

A trial that needs no GPU must not take the cores that trials on GPUs need. Ray would let it: it
places such a trial on any node. So trials without a GPU share only a part of the cores, and on a
cluster they stay on nodes without GPUs, if there are any (`session/nodes.py`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tune_mnist.searching.planning.machine import Cluster

Bundle = Mapping[str, float]
"""What one trial takes: "cpu" cores and "gpu" GPUs."""


@dataclass(frozen=True)
class Room:
    """What trials may take together.

    Args:
        cpus, gpus: all of them.
        cpus_without_gpu: those that take no GPU.
    """

    cpus: float
    gpus: float
    cpus_without_gpu: float

    def places(self, bundle: Bundle, running: Sequence[Bundle] = ()) -> int:
        """Return how many trials with this bundle fit beside the running ones.

        At least one fits where nothing runs: a bundle larger than all of it has been refused.
        """
        left = [
            (self.cpus - sum(one["cpu"] for one in running), bundle["cpu"]),
            (self.gpus - sum(one["gpu"] for one in running), bundle["gpu"]),
        ]
        if not bundle["gpu"]:
            others = sum(one["cpu"] for one in running if not one["gpu"])
            left.append((self.cpus_without_gpu - others, bundle["cpu"]))
        many = min(math.floor(free / needed + 1e-6) for free, needed in left if needed)
        return max(many, 0 if running else 1)


def room_for(bundles: Sequence[Bundle], cpus: int, gpus: int, cluster: Cluster | None) -> Room:
    """Return how trials with these kinds of bundles share a search's cores and GPUs.

    Trials without a GPU leave the cores that keep all GPUs busy to the others, but always have room
    for one.
    """
    on_gpu = [one for one in bundles if one["gpu"]]
    without = [one["cpu"] for one in bundles if not one["gpu"]]
    if not on_gpu or not without:
        return Room(cpus, gpus, cpus)
    kept = min(math.floor(gpus / one["gpu"] + 1e-6) * one["cpu"] for one in on_gpu)
    left = max(max(without), cpus - kept)
    away = cluster.cpus_without_gpu(max(without)) if cluster else 0.0
    return Room(cpus, gpus, min(left, away) if away else left)


def side_by_side(bundles: Sequence[Bundle], room: Room, cluster: Cluster | None) -> int:
    """Return how many trials fit side by side at most, whatever their bundles.

    Raises: InputError: one of the bundles fits on no node of the cluster.
    """
    running: list[Bundle] = []
    for bundle in sorted(bundles, key=lambda one: (one["cpu"], -one["gpu"])):
        most = cluster.places(bundle) if cluster else math.inf
        running += [bundle] * int(min(most, room.places(bundle, running)))
    return len(running)
