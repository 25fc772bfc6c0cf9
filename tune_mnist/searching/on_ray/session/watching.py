"""Watches Ray while a search waits for it: Ray's library waits for a dead server for a minute."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Any, TypeVar

from tune_mnist.errors import InputError, input_error
from tune_mnist.searching.planning.machine import Cluster

LOOK_EVERY_S = 0.2
"""Between two looks at Ray's processes, which are our children."""

ASK_EVERY_S = 2.0
"""Between two questions to a cluster, whose processes are not ours."""

PATIENCE_S = 20.0
"""A cluster that has not answered for so long is lost. Ray's library gives up after 60 s, and then
ends this process."""

LOST_S = 3.0
"""After Ray's death, a call that waits for it has so many seconds to end by itself."""

_Result = TypeVar("_Result")


def while_ray_lives(
    work: Callable[[], _Result], lose: Callable[[InputError], None], cluster: Cluster | None = None
) -> _Result:
    """Return what `work` returns; it runs in a thread of its own.

    A call of Ray's library waits for a minute for a server (GCS) that has died, and then the
    library ends this process. So this thread watches Ray's processes. If one has died, it leaves
    the other thread behind after a few seconds.

    Args:
        work: calls Ray.
        lose: called with the error if Ray dies, so that the work ends if it can.
        cluster: that was joined; None for a Ray of our own.

    Raises: InputError: Ray has died. Everything that `work` raises while Ray lives.
    """
    done: Future[_Result] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:  # the waiting thread raises it
            done.set_exception(error)

    threading.Thread(target=run, name="Ray Tune", daemon=True).start()
    watch = _Cluster(cluster) if cluster else _Children()
    while not wait([done], LOOK_EVERY_S).done and not watch.gone():
        pass
    if error := watch.gone():
        lose(error)
        wait([done], LOST_S)
        raise error
    return done.result()


class _Children:
    """Watches the processes of a Ray that this process has started."""

    def gone(self) -> InputError | None:
        """Return the error if one has died that Ray needs."""
        ended = dead()
        return _lost(f"its process {ended[0]} has died") if ended else None


class _Cluster:
    """Watches a cluster that was joined: its head, and the node that this process is joined to."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._asked = self._answered = time.monotonic()

    def gone(self) -> InputError | None:
        """Return the error if the cluster has not answered for too long."""
        from tune_mnist.searching.on_ray.session.cluster import answers, local_node_answers, lost

        now = time.monotonic()
        if now - self._asked > ASK_EVERY_S:
            if answers(self._cluster.address, ASK_EVERY_S) and local_node_answers():
                self._answered = time.monotonic()
            self._asked = time.monotonic()
        return lost(self._cluster) if self._asked - self._answered > PATIENCE_S else None


def dead() -> list[str]:
    """Return which processes have ended without which Ray cannot go on.

    Those of a Ray that we did not start are no children of ours, and are not looked at.
    """
    from ray._private import worker

    node: Any = worker._global_node
    ended = [name for name, _ in node.dead_processes()] if node else []
    return [name for name in ("gcs_server", "raylet") if name in ended]


def leave(gone: list[str]) -> None:
    """Shut Ray down as far as that ends within seconds; else leave it to the end of this process.

    It would wait for a dead server, which is not even tried here: Ray's library ends this process a
    minute after the server's death, if it still lives then.
    """
    import atexit

    import ray
    from ray._private import worker

    closing = threading.Thread(target=ray.shutdown, daemon=True)
    if "gcs_server" not in gone:
        closing.start()
        closing.join(LOST_S)
        if not closing.is_alive():
            return
    atexit.unregister(worker.shutdown)


def _lost(problem: str) -> InputError:
    fix = "make sure that nothing kills its processes and that there is enough memory"
    return input_error("Ray", problem, fix)


def check_alive() -> None:
    """Raise InputError if Ray has no node left; Ray takes seconds to notice."""
    import ray

    if dead() or not any(node["Alive"] for node in ray.nodes()):
        raise _lost("its last node has died")
