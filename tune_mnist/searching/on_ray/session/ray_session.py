"""Ray for one search: started quietly in this process and stopped after it, or a cluster joined."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tune_mnist.code_hash import own_modules
from tune_mnist.datasets import Dataset
from tune_mnist.errors import input_error
from tune_mnist.searching.on_ray.scratch import scratch_folder
from tune_mnist.searching.on_ray.session.watching import dead, leave
from tune_mnist.searching.planning.machine import Cluster, Machine
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
    """Run Ray with the plan's CPUs and GPUs and room for the data set, or join its cluster.

    A Ray that this process runs or has joined already is used as it is, and left running.

    Args:
        plan: whose CPUs and GPUs Ray gets, or whose cluster is joined.
        data: what its object store must hold.
        on_dashboard: called with the dashboard's address; None starts no dashboard.

    Raises: InputError: Ray cannot start here, or the cluster cannot be joined.
    """
    _settle()
    import ray

    if ray.is_initialized():
        yield
    elif plan.cluster:
        with _cluster_session(plan.cluster, own_modules(*plan.space.models), on_dashboard):
            yield
    else:
        with own_ray(plan.cpus, plan.gpus, _object_store_bytes(data), on_dashboard):
            yield


def find_machine(address: str) -> Machine:
    """Return what the running cluster at this address has for a search; nothing is started.

    Raises: InputError: no such cluster, or it refuses us.
    """
    _settle()
    from tune_mnist.searching.on_ray.session.cluster import find_cluster, machine_of

    return machine_of(find_cluster(address))


def _settle() -> None:
    """Set Ray's variables, as far as nobody has set them; Ray reads some when it is imported."""
    os.environ.update({key: os.environ.get(key, value) for key, value in _SETTINGS.items()})


@contextmanager
def _cluster_session(
    cluster: Cluster, modules: Sequence[Path], on_dashboard: Callable[[str], None] | None
) -> Iterator[None]:
    import ray

    from tune_mnist.searching.on_ray.session.cluster import ANSWERS_WITHIN_S, answers, joined

    with joined(cluster, modules) as context:
        try:
            if on_dashboard is not None:
                if not context.dashboard_url:
                    problem = "the cluster runs none that this process could name"
                    raise input_error("`dashboard`", problem, "leave it out")
                on_dashboard(f"http://{context.dashboard_url}")
            yield
        finally:
            if answers(cluster.address, ANSWERS_WITHIN_S):
                ray.shutdown()
            else:
                leave(["gcs_server"])


@contextmanager
def own_ray(
    cpus: int,
    gpus: int,
    object_store_bytes: int,
    on_dashboard: Callable[[str], None] | None = None,
) -> Iterator[None]:
    """Run a Ray that belongs to this process; `ray_session` in the block uses it as it is.

    A service starts one before it knows what will run, and keeps it for several searches. The
    processes of trials are still started for each of them: Ray gives no actor a process that ran a
    task, nor one that it has started in advance (Ray 2.60, tried with its own settings).

    Args:
        cpus: cores that it gets.
        gpus: GPUs that it gets.
        object_store_bytes: room for data; it takes memory only as far as it is used.
        on_dashboard: as for `ray_session`.

    Raises: InputError: Ray cannot start here.
    """
    _settle()
    import ray

    from tune_mnist.searching.on_ray.session.ray_start import ready_workers, start_ray

    with scratch_folder() as folder, ready_workers():
        try:
            context = start_ray(
                folder,
                dashboard=on_dashboard is not None,
                num_cpus=cpus,
                num_gpus=gpus,
                resources={TURN: 1},
                object_store_memory=object_store_bytes,
            )
            if on_dashboard is not None:
                on_dashboard(f"http://{context.dashboard_url}")
            yield
        finally:
            if on_dashboard is not None:
                _kill_autoscaler()
            if gone := dead():
                leave(gone)
                _kill_what_is_left(folder)
            else:
                ray.shutdown()


def _kill_what_is_left(folder: Path) -> None:
    """Kill the processes of a Ray that has died; some of them would take a minute to notice.

    Args:
        folder: of its files; each of its processes writes a log there.
    """
    import psutil

    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            logs = [Path(file.path) for file in process.open_files()]
            if process.pid != os.getpid() and any(log.is_relative_to(folder) for log in logs):
                process.kill()


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
        if plan.cluster:
            _check_turns(plan, plan.cluster.nodes)
        return
    joined_to = ray.get_runtime_context().gcs_address
    if plan.cluster and joined_to != plan.cluster.address:
        problem = f"is at {joined_to}, not at {plan.cluster.address}"
        raise input_error(_RUNNING, problem, "end it with ray.shutdown(), or name its `address`")
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
    _check_turns(plan, nodes)
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


def _check_turns(plan: Plan, nodes: Sequence[Mapping[str, float]]) -> None:
    """Raise InputError if a population could not take turns on nodes that we did not start."""
    if plan.space.search.scheduler == "pbt" and not any(TURN in node for node in nodes):
        lacks = f"has no resource {TURN!r}, with which the trials of pbt take turns"
        where = f"the Ray cluster at {plan.cluster.address}" if plan.cluster else _RUNNING
        other = "use another `scheduler`" if plan.cluster else _SHUT_DOWN
        raise input_error(where, lacks, f"{other}, or start it with {{{TURN!r}: 1}}")


_RUNNING = "the Ray that runs in this process"
_SHUT_DOWN = "end it with ray.shutdown(), so that the search starts its own"


def _object_store_bytes(data: Dataset) -> int:
    """Return room for the data set twice over; Ray's default, 30 % of memory, SVMs need more."""
    arrays = [array for p in (data.train, data.val, data.test) for array in (p.images, p.labels)]
    return max(2**29, 2 * sum(array.nbytes for array in arrays))
