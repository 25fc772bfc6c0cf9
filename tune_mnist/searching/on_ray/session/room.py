"""Room for trials on a cluster, which others may use too: what a search waits for, and how long."""

from __future__ import annotations

import time
from collections.abc import Mapping

import ray
from ray._private import state

from tune_mnist.errors import input_error
from tune_mnist.searching.on_ray.session.nodes import avoided
from tune_mnist.searching.planning.machine import amounts
from tune_mnist.searching.planning.plan import Plan
from tune_mnist.wording import duration

SAID_AFTER_S = 10.0
"""A search says what it waits for once none of its trials has run for so long."""

WAITS_S = 3600.0
"""A search ends that has waited for so long."""


class Waiting:
    """Notices that no trial of the plan can start, since its cluster has no room.

    Attributes:
        said: what it waits for; "" while it does not wait.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._bundles = [_in_ray(bundle) for bundle in plan.bundles()]
        self._since: float | None = None  # on the monotonic clock
        self.said = ""

    def look(self, running: bool) -> str | None:
        """Return what the search waits for, if there is anything new to say.

        Call it every few seconds.

        Args:
            running: whether a trial runs.

        Raises: InputError: it has waited for too long.
        """
        now = time.monotonic()
        if running or self._since is None:
            self._since, self.said = now, ""
            return None
        waited = now - self._since
        if waited < SAID_AFTER_S or not (reason := self._reason()):
            return None
        if waited > WAITS_S:
            fix = "resume the search when there is room"
            raise input_error("the Ray cluster", f"{reason}, for {duration(WAITS_S)}", fix)
        said, self.said = self.said, reason
        return None if reason == said else reason

    def _reason(self) -> str | None:
        """Return what is missing; None if a node has room, so that a trial is about to start."""
        groups = ray.util.placement_group_table().values()
        by_node = state.available_resources_per_node()
        free = list(by_node.values())
        if not any(group["state"] == "PENDING" for group in groups):
            return None  # ours has its place, and its process is being started
        for bundle in self._plan.bundles():
            closed = avoided(self._plan, bundle)
            open_to = [node for name, node in by_node.items() if name not in closed]
            if any(_fits(_in_ray(bundle), node) for node in open_to):
                return None
        total = ray.cluster_resources()
        wanted = " or ".join(amounts(bundle) for bundle in self._bundles)
        has = {name: total.get(name, 0) for bundle in self._bundles for name in bundle}
        left = {name: sum(node.get(name, 0) for node in free) for name in has}
        in_use = "all in use"
        if any(left.values()):
            in_use = f"{amounts(left)} of them free, on no single node together"
        return f"waiting for {wanted}; the cluster has {amounts(has)}, {in_use}"


def _in_ray(bundle: Mapping[str, float]) -> dict[str, float]:
    return {name.upper(): n for name, n in bundle.items() if n}


def _fits(bundle: Mapping[str, float], node: Mapping[str, float]) -> bool:
    return all(node.get(name, 0) >= amount for name, amount in bundle.items())
