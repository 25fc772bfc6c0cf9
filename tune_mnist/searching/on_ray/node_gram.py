"""The matrix that SVM trials share, once on each node of a cluster.

An actor on each node builds it there and keeps it (`_Keeper`). Its trials ask the actor for the
folder. The matrix goes with its keeper, whatever ends that: the end of the search, a killed driver,
a lost head. For this the keeper leaves a small process behind, which waits for its end.
"""

from __future__ import annotations

import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray

from tune_mnist.datasets import Dataset
from tune_mnist.errors import InputError, input_error
from tune_mnist.searching.on_ray.scratch import remove_leftovers, scratch_folder
from tune_mnist.searching.on_ray.session.nodes import nodes_for, on_node
from tune_mnist.searching.on_ray.session.watching import LOST_S
from tune_mnist.searching.on_ray.shared_gram import SharedGram, build, memory_for
from tune_mnist.searching.planning.plan import Plan
from tune_mnist.training.images import View
from tune_mnist.training.svm.threads import never
from tune_mnist.wording import error_text

NEW_NODES_EVERY_S = 3.0
"""Between two looks for nodes that have joined since."""

FOUND_WITHIN_S = 60.0
"""A trial on such a node waits so long for the keeper of its matrix."""

_SWEEPER = """
import shutil, sys
sys.stdin.read()
shutil.rmtree(sys.argv[1], ignore_errors=True)
"""


class _Keeper:
    """Builds the matrix of its node in a private folder, and keeps it until it ends."""

    def __init__(self, data: Dataset, view: View, threads: int) -> None:
        remove_leftovers()
        self._of = data, view, threads
        self._place = scratch_folder(memory_for(data))
        self._folder = self._place.__enter__()
        self._sweeper = _sweep_after_us(self._folder.parent)
        self._building = threading.Lock()
        self._took_s: float | None = None

    def folder(self) -> tuple[Path, float]:
        """Return the folder of the matrix, once it is built, and the seconds that took."""
        data, view, threads = self._of
        with self._building:
            if self._took_s is None:
                self._took_s = build(data, view, self._folder, threads, never)
        return self._folder, self._took_s


_ACTOR: Any = ray.remote(_Keeper)
_HOW = {"num_cpus": 0, "max_restarts": -1, "max_task_retries": -1, "max_concurrency": 256}


def _sweep_after_us(folder: Path) -> Any:
    """Start a process that removes a folder once this one has ended, however it ends.

    Ray kills the children of its workers, so it is nobody's child: a shell leaves it behind.
    """
    line = 'exec 3<&0; "$@" <&3 &'
    return subprocess.Popen(
        ["/bin/sh", "-c", line, "sh", sys.executable, "-I", "-c", _SWEEPER, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


@dataclass(frozen=True)
class KeptOnNode:
    """Finds the folder of the matrix on the node where it is asked.

    Args:
        name: of the search's keepers, whose names continue with that of their node.
    """

    name: str

    def here(self) -> Path:
        """Return this node's folder; wait until the matrix is built.

        Raises: InputError: the node has no keeper.
        """
        name = f"{self.name}-{ray.get_runtime_context().get_node_id()}"
        until = time.monotonic() + FOUND_WITHIN_S
        while time.monotonic() < until:
            with suppress(ValueError):  # no actor of this name yet
                keeper = ray.get_actor(name)
                folder: Path = ray.get(keeper.folder.remote())[0]
                return folder
            time.sleep(0.5)
        problem = "has nobody who builds the matrix that SVMs share"
        raise input_error("this node", problem, "resume the search")


@contextmanager
def node_grams(
    plan: Plan, data: Dataset, view: View, over: Callable[[], bool]
) -> Iterator[SharedGram]:
    """Begin to build the matrix on each node that trials may run on, later ones included.

    `SharedGram.seconds` is known once every node of now has its matrix; it raises as that of
    `shared_gram`.
    """
    keepers = _Keepers(plan, ray.put(data), view)
    keepers.add()
    seconds: Future[float] = Future()
    ended = threading.Event()

    def watch() -> None:
        try:
            seconds.set_result(keepers.built(lambda: over() or ended.is_set()))
        except CancelledError as error:
            seconds.set_exception(error)
        except Exception as error:
            seconds.set_exception(_reason(error))
        with suppress(Exception):  # of a cluster that is lost, which others tell
            while not ended.wait(NEW_NODES_EVERY_S):
                keepers.add()

    threading.Thread(target=watch, name="matrices", daemon=True).start()
    try:
        yield SharedGram(KeptOnNode(keepers.name), seconds)
    finally:
        ended.set()
        keepers.end()


class _Keepers:
    """The keepers of a search, by node."""

    def __init__(self, plan: Plan, data: Any, view: View) -> None:
        self.name = f"matrix-{secrets.token_hex(8)}"
        self._plan, self._data, self._view = plan, data, view
        self._by_node: dict[str, Any] = {}

    def add(self) -> None:
        """Start a keeper on each node that has none."""
        for node in nodes_for(self._plan):
            if node["NodeID"] not in self._by_node:
                self._by_node[node["NodeID"]] = _ACTOR.options(
                    **_HOW,
                    name=f"{self.name}-{node['NodeID']}",
                    scheduling_strategy=on_node(node["NodeID"]),
                ).remote(
                    self._data, self._view, min(self._plan.cpus, int(node["Resources"]["CPU"]))
                )

    def built(self, over: Callable[[], bool]) -> float:
        """Wait until every matrix is built; return the longest time that one took.

        Raises: CancelledError: `over` returned True before. Ray's error if one cannot be built.
        """
        left = [keeper.folder.remote() for keeper in self._by_node.values()]
        longest = 0.0
        while left:
            if over():
                raise CancelledError
            done, left = ray.wait(left, timeout=0.5)
            longest = max([longest, *(took_s for _, took_s in ray.get(done))])
        return longest

    def end(self) -> None:
        """End all keepers, and with them their matrices; wait only briefly for a lost cluster."""

        def kill() -> None:
            for keeper in self._by_node.values():
                with suppress(Exception):
                    ray.kill(keeper)

        killing = threading.Thread(target=kill, daemon=True)
        killing.start()
        killing.join(LOST_S)


def _reason(error: Exception) -> InputError:
    cause = getattr(error, "cause", None) or error
    if isinstance(cause, InputError):
        return cause
    problem = f"cannot be built: {error_text(cause)}"[:500]
    return input_error("the matrix that SVMs share", problem, "free memory on the cluster's nodes")
