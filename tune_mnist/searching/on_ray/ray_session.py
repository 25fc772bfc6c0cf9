"""Ray started quietly in this process for one search, and stopped after it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tune_mnist.datasets import Dataset
from tune_mnist.errors import input_error
from tune_mnist.searching.on_ray.scratch import scratch_folder
from tune_mnist.searching.planning.plan import Plan

TURN = "turn"
"""A resource of which there is one; the trials of a population take turns with it (tuner.py)."""

_SETTINGS = {
    "RAY_AIR_NEW_OUTPUT": "0",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # no CSV, JSON and TensorBoard file a trial
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # ending.py ends a search in one way, Ctrl-C too
    "TUNE_GLOBAL_CHECKPOINT_S": "3600",  # the store is our memory, not Tune's snapshots
    "TUNE_WARN_THRESHOLD_S": "60",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_prestart_worker_first_driver": "0",  # trials get processes of their own
}


@contextmanager
def ray_session(
    plan: Plan, data: Dataset, on_dashboard: Callable[[str], None] | None = None
) -> Iterator[None]:
    """Run Ray with the plan's CPUs and GPUs and room for the data set.

    A Ray that this process runs already is used as it is, and left running.

    Args:
        plan: whose CPUs and GPUs Ray gets.
        data: what its object store must hold.
        on_dashboard: called with the dashboard's address; None starts no dashboard.

    Raises: InputError: Ray cannot start here.
    """
    os.environ.update({key: os.environ.get(key, value) for key, value in _SETTINGS.items()})
    import ray

    if ray.is_initialized():
        yield
        return

    from tune_mnist.searching.on_ray.ray_start import start_ray

    with scratch_folder() as folder:
        try:
            context = start_ray(
                folder,
                dashboard=on_dashboard is not None,
                num_cpus=plan.cpus,
                num_gpus=plan.gpus,
                resources={TURN: 1},
                object_store_memory=_object_store_bytes(data),
            )
            if on_dashboard is not None:
                on_dashboard(f"http://{context.dashboard_url}")
            yield
        finally:
            if on_dashboard is not None:
                _kill_autoscaler()
            ray.shutdown()


def _kill_autoscaler() -> None:
    """Kill the autoscaler that comes with a dashboard: it has nothing to do, and ends slowly."""
    import psutil

    for child in psutil.Process().children():
        with suppress(psutil.Error):
            if any(word.endswith("autoscaler/_private/monitor.py") for word in child.cmdline()):
                child.kill()


def logs_folder() -> Path:
    """Return where the running Ray keeps its logs."""
    from ray._private import worker

    node: Any = worker._global_node
    return Path(node.get_logs_dir_path())


def check_running_ray(plan: Plan) -> None:
    """Raise InputError if this process runs a Ray already that has not what the plan needs."""
    import ray

    if not ray.is_initialized():
        return
    try:
        nodes = ray.nodes()
    except Exception as error:  # its cluster is gone, or it is a client's
        raise input_error(
            _RUNNING, f"does not answer: {type(error).__name__}", _SHUT_DOWN
        ) from error
    check_resources(plan, [node["Resources"] for node in nodes if node["Alive"]])


def check_resources(plan: Plan, nodes: list[dict[str, float]]) -> None:
    """Raise InputError if a running Ray has not what the plan needs; Tune would wait for ever.

    Args:
        plan: whose processors and bundles count.
        nodes: what each of Ray's nodes has.
    """
    if plan.space.search.scheduler == "pbt" and not any(TURN in node for node in nodes):
        lacks = f"has no resource {TURN!r}, with which the trials of pbt take turns"
        raise input_error(_RUNNING, lacks, f"{_SHUT_DOWN}, or start it with {{{TURN!r}: 1}}")
    for name, wanted in (("cpu", plan.cpus), ("gpu", plan.gpus)):
        there = sum(node.get(name.upper(), 0) for node in nodes)
        if there < wanted:
            fix = f"use `{name}s={there:g}`, or {_SHUT_DOWN}"
            raise input_error(
                _RUNNING,
                f"has {there:g} of the {wanted} {name.upper()}s that the search wants",
                fix,
            )
    for bundle in plan.bundles():
        if not any(
            all(node.get(key.upper(), 0) >= n for key, n in bundle.items()) for node in nodes
        ):
            asked = " and ".join(f"{key.upper()}={n:g}" for key, n in bundle.items() if n)
            fix = f"ask for less with `cpus_per_trial` and `gpus_per_trial`, or {_SHUT_DOWN}"
            raise input_error(_RUNNING, f"has no single node with {asked} for a trial", fix)


_RUNNING = "the Ray that runs in this process"
_SHUT_DOWN = "end it with ray.shutdown(), so that the search starts its own"


def check_alive() -> None:
    """Raise InputError if Ray has no node left.

    Ray takes seconds to notice. The agent is our child process, so we can look at it at once.
    """
    import psutil
    import ray

    agents = [one for one in psutil.Process().children() if one.name() == "raylet"]
    gone = agents and all(one.status() == psutil.STATUS_ZOMBIE for one in agents)
    if gone or not any(node["Alive"] for node in ray.nodes()):
        fix = "make sure that nothing kills its processes and that there is enough memory"
        raise input_error("Ray", "its last node has died", fix)


def _object_store_bytes(data: Dataset) -> int:
    """Return room for the data set twice over; Ray's default, 30 % of memory, SVMs need more."""
    arrays = [array for p in (data.train, data.val, data.test) for array in (p.images, p.labels)]
    return max(2**29, 2 * sum(array.nbytes for array in arrays))
