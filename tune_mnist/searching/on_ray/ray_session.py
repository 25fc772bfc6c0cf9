"""Ray started quietly in this process for one search, and stopped after it, also if it dies."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from tune_mnist.datasets import Dataset
from tune_mnist.errors import InputError, input_error
from tune_mnist.searching.on_ray.scratch import scratch_folder
from tune_mnist.searching.planning.plan import Plan

TURN = "turn"
"""A resource of which there is one; the trials of a population take turns with it (tuner.py)."""

LOOK_EVERY_S = 0.2
"""Between two looks at Ray's processes, which are our children."""

LOST_S = 3.0
"""After Ray's death, a call that waits for it has so many seconds to end by itself."""

_Result = TypeVar("_Result")

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
            if dead := _dead():
                _leave(dead)
                _kill_what_is_left(folder)
            else:
                ray.shutdown()


def while_ray_lives(work: Callable[[], _Result], lose: Callable[[InputError], None]) -> _Result:
    """Return what `work` returns; it runs in a thread of its own.

    A call of Ray's library waits for a minute for a server (GCS) that has died, and then the
    library ends this process. So this thread watches Ray's processes. If one has died, it leaves
    the other thread behind after a few seconds.

    Args:
        work: calls Ray.
        lose: called with the error if Ray dies, so that the work ends if it can.

    Raises: InputError: Ray has died. Everything that `work` raises while Ray lives.
    """
    done: Future[_Result] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:  # the waiting thread raises it
            done.set_exception(error)

    threading.Thread(target=run, name="Ray Tune", daemon=True).start()
    while not wait([done], LOOK_EVERY_S).done and not _dead():
        pass
    if dead := _dead():
        lost = _lost(f"its process {dead[0]} has died")
        lose(lost)
        wait([done], LOST_S)
        raise lost
    return done.result()


def _dead() -> list[str]:
    """Return which processes have ended without which Ray cannot go on.

    Those of a Ray that we did not start are no children of ours, and are not looked at.
    """
    from ray._private import worker

    node: Any = worker._global_node
    ended = [name for name, _ in node.dead_processes()] if node else []
    return [name for name in ("gcs_server", "raylet") if name in ended]


def _leave(dead: list[str]) -> None:
    """Shut Ray down as far as that ends within seconds; else leave it to the end of this process.

    It would wait for a dead server, which is not even tried here: Ray's library ends this process a
    minute after the server's death, if it still lives then.
    """
    import atexit

    import ray
    from ray._private import worker

    closing = threading.Thread(target=ray.shutdown, daemon=True)
    if "gcs_server" not in dead:
        closing.start()
        closing.join(LOST_S)
        if not closing.is_alive():
            return
    atexit.unregister(worker.shutdown)


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


def _lost(problem: str) -> InputError:
    fix = "make sure that nothing kills its processes and that there is enough memory"
    return input_error("Ray", problem, fix)


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
    """Raise InputError if Ray has no node left; Ray takes seconds to notice."""
    import ray

    if _dead() or not any(node["Alive"] for node in ray.nodes()):
        raise _lost("its last node has died")


def _object_store_bytes(data: Dataset) -> int:
    """Return room for the data set twice over; Ray's default, 30 % of memory, SVMs need more."""
    arrays = [array for p in (data.train, data.val, data.test) for array in (p.images, p.labels)]
    return max(2**29, 2 * sum(array.nbytes for array in arrays))
