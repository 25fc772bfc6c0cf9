"""Which of Ray's own processes a search starts.

Beside the node itself, Ray starts an autoscaler, a process that forwards the logs of workers, and a
web server, even where nothing uses them. They cost 4.5 of the 9.6 s of processor time of a start
(Ray 2.56, measured by `psutil`), and another second when Ray stops. `ray.init` has no option that
leaves them out, so we replace the methods that start them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_UNUSED = ("start_monitor", "start_log_monitor", "start_api_server")


@contextmanager
def only_used_processes(*, dashboard: bool) -> Iterator[None]:
    """Let `ray.init` start only what a search on one machine uses: with a dashboard, everything."""
    from ray._private.node import Node

    unused = [] if dashboard else [name for name in _UNUSED if hasattr(Node, name)]
    before = {name: getattr(Node, name) for name in unused}
    try:
        for name in unused:
            setattr(Node, name, _start_nothing)
        yield
    finally:
        for name, method in before.items():
            setattr(Node, name, method)


def _start_nothing(*_: Any, **__: Any) -> None:
    """Stand in for a method of Ray's node that starts a process."""
