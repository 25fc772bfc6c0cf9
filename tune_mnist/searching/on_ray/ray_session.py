"""Ray started quietly in this process for one search, and stopped after it."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tune_mnist.datasets import Dataset
from tune_mnist.errors import input_error
from tune_mnist.searching.planning.plan import Plan

TOKEN = Path.home() / ".ray" / "auth_token"
"""Where Ray keeps the token that its dashboard asks for."""

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
    """
    os.environ.update({key: os.environ.get(key, value) for key, value in _SETTINGS.items()})
    import ray

    if ray.is_initialized():
        yield
        return

    context = ray.init(
        address="local",
        num_cpus=plan.cpus,
        num_gpus=plan.gpus,
        resources={TURN: 1},
        object_store_memory=_object_store_bytes(data),
        include_dashboard=on_dashboard is not None,
        dashboard_host="127.0.0.1",
        log_to_driver=False,
        logging_level=logging.CRITICAL,
    )
    try:
        if on_dashboard is not None:
            on_dashboard(f"http://{context.dashboard_url}")
        yield
    finally:
        _kill_autoscaler()
        ray.shutdown()


def _kill_autoscaler() -> None:
    """Kill Ray's autoscaler, which has nothing to do here and takes a second to end by itself."""
    import psutil

    for child in psutil.Process().children():
        with suppress(psutil.Error):
            if any(word.endswith("autoscaler/_private/monitor.py") for word in child.cmdline()):
                child.kill()


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
