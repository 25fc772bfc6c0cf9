"""The nodes of a cluster: whether they can run our trials, and which one a trial runs on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray._private import state
from ray.exceptions import GetTimeoutError, RayTaskError, RuntimeEnvSetupError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from tune_mnist.code_hash import libraries_of
from tune_mnist.errors import Fault, InputError
from tune_mnist.provenance import versions
from tune_mnist.searching.on_ray.own_code import OwnCode, arrive, own_code
from tune_mnist.searching.on_ray.scratch import remove_leftovers
from tune_mnist.searching.on_ray.session.cluster import answers
from tune_mnist.searching.planning.plan import Plan

LOOKED_AT_WITHIN_S = 120.0
"""A node has so many seconds to unpack our package and to start a process."""

ANSWERS_WITHIN_S = 2.0


@dataclass(frozen=True)
class Node:
    """Where a trial runs.

    Args:
        host: the machine's name.
        address: "host:port" of the node's own server (raylet).
        id: Ray's.
    """

    host: str
    address: str
    id: str

    def alive(self) -> bool:
        """Return whether the node lives; Ray itself may take 15 s to notice its death."""
        dead = any(one["NodeID"] == self.id and not one["Alive"] for one in ray.nodes())
        return not dead and answers(self.address, ANSWERS_WITHIN_S)


def node_of(actor: Any) -> Node | None:
    """Return the node that an actor runs on; None if Ray does not say."""
    found = state.actors(actor_id=actor._actor_id.hex()) or {}
    runs_on = found.get("Address", {}).get("NodeID")
    for one in ray.nodes():
        if one["NodeID"] == runs_on:
            return _node(one)
    return None


def _node(listed: dict[str, Any]) -> Node:
    address = f"{listed['NodeManagerAddress']}:{listed['NodeManagerPort']}"
    return Node(listed["NodeManagerHostname"], address, listed["NodeID"])


def on_node(node_id: str) -> NodeAffinitySchedulingStrategy:
    """Return the wish to run on this node and on no other."""
    return NodeAffinitySchedulingStrategy(node_id, soft=False)


def nodes_for(plan: Plan) -> list[dict[str, Any]]:
    """Return the living nodes that have room for one of the plan's trials."""
    return [
        one
        for one in ray.nodes()
        if one["Alive"]
        and any(
            all(one["Resources"].get(name.upper(), 0) >= n for name, n in bundle.items())
            for bundle in plan.bundles()
        )
    ]


def avoided(plan: Plan, bundle: Mapping[str, float]) -> list[str]:
    """Return the nodes that are closed to trials with this bundle: those with GPUs, or none.

    They are closed to a trial that needs no GPU if other trials of its search do, and if another
    node has as many cores.
    """
    if bundle["gpu"] or not any(one["gpu"] for one in plan.bundles()):
        return []
    alive = [one for one in ray.nodes() if one["Alive"]]
    with_gpu = sorted(one["NodeID"] for one in alive if one["Resources"].get("GPU", 0))
    others = [one["Resources"] for one in alive if one["NodeID"] not in with_gpu]
    return with_gpu if any(one.get("CPU", 0) >= bundle["cpu"] for one in others) else []


@ray.remote(num_cpus=0, max_retries=0)
def _look(folder: Path | None, code: Sequence[OwnCode]) -> tuple[dict[str, str], bool]:
    """Return a node's versions, and whether it sees a folder; import models of your own.

    What trials of earlier searches have left there is removed.
    """
    arrive(code)
    remove_leftovers()
    return versions(), folder is None or folder.is_dir()


def check_nodes(plan: Plan, folder: Path | None) -> None:
    """Start a process on each node that trials may run on, and check that they can run there.

    Args:
        plan: whose model counts.
        folder: that all must see; None if there is none.

    Raises: InputError: a node lacks a library or does not see the folder, or cannot run our code.
    """
    nodes = nodes_for(plan)
    code = own_code(*plan.space.models)
    looks = [
        _look.options(scheduling_strategy=on_node(one["NodeID"])).remote(folder, code)
        for one in nodes
    ]
    ray.wait(looks, num_returns=len(looks), timeout=LOOKED_AT_WITHIN_S)
    faults: list[Fault] = []
    for one, look in zip(nodes, looks, strict=True):
        where = f"{one['NodeManagerHostname']} ({one['NodeManagerAddress']})"
        problem = _problem(plan, folder, look)
        if problem and _node(one).alive():  # Ray lists a node for seconds after its death
            faults.append(Fault(f"the cluster's node {where}", "", *problem))
    if faults:
        raise InputError(faults)


def _problem(plan: Plan, folder: Path | None, look: Any) -> tuple[str, str] | None:
    """Return what keeps trials from running on a node, and the way out."""
    try:
        found, sees = ray.get(look, timeout=0)
    except GetTimeoutError:
        problem = f"starts no process of ours within {LOOKED_AT_WITHIN_S:g} s"
        return problem, "look at its logs, or leave the node out"
    except RuntimeEnvSetupError as error:
        return f"cannot unpack our package: {_first(error)}", "install ray[default] there"
    except RayTaskError as error:
        return f"cannot run our package: {_first(error.cause)}", _INSTALL
    except Exception as error:
        return f"cannot run our code: {_first(error)}", "look at its logs"
    ours = versions()
    wanted = {name for model in plan.space.models for name in libraries_of(model)}
    needed = sorted(name for name in wanted if name in ours)
    if missing := [name for name in needed if name not in found]:
        return f"lacks {', '.join(missing)}", _INSTALL
    if not sees:
        shared = "name a results folder that all nodes share"
        return f"does not see {folder}, where trials of pbt save their states", shared
    return None


def _first(error: BaseException) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__


_INSTALL = "install tune_mnist's requirements there"
