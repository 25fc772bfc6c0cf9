"""A Ray that is started before it is known what will run on it, and kept for several searches.

Starting Ray, and importing torch and scikit-learn in the processes of trials, takes seconds. A
service does it while nobody waits.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules

from tune_mnist import training
from tune_mnist.searching.on_ray.scratch import scratch_folder
from tune_mnist.searching.on_ray.session.ray_session import TURN, settle

_MOST_PROCESSES = 4
"""Each has imported torch: 300 MB."""

_OBJECT_STORE_BYTES = 2**31
"""It takes memory only as far as it is used, and larger data sets go to the disk."""


@contextmanager
def warm_ray(cpus: int, gpus: int) -> Iterator[None]:
    """Run a Ray that searches in this process use as it is, its processes ready for trials.

    Args:
        cpus: cores of the machine.
        gpus: GPUs of the machine.

    Raises: InputError: Ray cannot start here.
    """
    settle()
    import ray

    from tune_mnist.searching.on_ray.session.ray_start import ready_workers, start_ray

    with scratch_folder() as folder, ready_workers():
        try:
            start_ray(
                folder,
                dashboard=False,
                num_cpus=cpus,
                num_gpus=gpus,
                resources={TURN: 1},
                object_store_memory=_OBJECT_STORE_BYTES,
            )
            ready = ray.remote(num_cpus=1)(_import_all)
            ray.get([ready.remote() for _ in range(min(cpus, _MOST_PROCESSES))])
            yield
        finally:
            ray.shutdown()


def _import_all() -> None:
    """Import what trials import, in the process of a trial: the module `train` of each family."""
    import_module("tune_mnist.searching.on_ray.trainable")
    for family in iter_modules(training.__path__, f"{training.__name__}."):
        if family.ispkg and find_spec(f"{family.name}.train"):
            import_module(f"{family.name}.train")
