"""A Ray that is started before it is known what will run on it, and kept for several searches.

Starting Ray takes seconds. A service does it while nobody waits.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tune_mnist.searching.on_ray.scratch import scratch_folder
from tune_mnist.searching.on_ray.session.ray_session import TURN, settle

_OBJECT_STORE_BYTES = 2**31
"""It takes memory only as far as it is used, and larger data sets go to the disk."""


@contextmanager
def warm_ray(cpus: int, gpus: int) -> Iterator[None]:
    """Run a Ray that searches in this process use as it is.

    The processes of trials are still started for each search: Ray gives no actor a process that ran
    a task, nor one that it has started in advance (Ray 2.60, tried with its own settings).

    Args:
        cpus: cores of the machine.
        gpus: GPUs of the machine.

    Raises: InputError: Ray cannot start here.
    """
    settle()
    import ray

    from tune_mnist.searching.on_ray.session.ray_start import start_ray

    with scratch_folder() as folder:
        try:
            start_ray(
                folder,
                dashboard=False,
                num_cpus=cpus,
                num_gpus=gpus,
                resources={TURN: 1},
                object_store_memory=_OBJECT_STORE_BYTES,
            )
            yield
        finally:
            ray.shutdown()
