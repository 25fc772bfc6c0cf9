"""Make one call of the operating system fail: the n-th call from now on that changes files."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

_CHANGING = (
    *("open", "write", "fsync", "replace", "rename", "unlink", "remove", "mkdir", "rmdir"),
    *("ftruncate", "rmdir"),
)


@contextmanager
def breaking(at: int, error: BaseException, *, dead: bool = False) -> Iterator[Callable[[], bool]]:
    """Make only the call number `at` fail, counting the calls that change files.

    Args:
        at: 0 is the first call within the context.
        error: raised in place of the call.
        dead: every later call fails too, as if the process were dead, so nothing is cleaned up.
    Yields: whether it has happened.
    """
    calls = 0

    def counted(call: Callable[..., Any]) -> Callable[..., Any]:
        def instead(*arguments: Any, **options: Any) -> Any:
            nonlocal calls
            mode = arguments[1] if call is opened and len(arguments) > 1 else "w"
            if mode not in ("r", "rb"):
                calls += 1
                if calls - 1 == at or (dead and calls > at):
                    raise error
            return call(*arguments, **options)

        return instead

    opened = io.open
    with pytest.MonkeyPatch.context() as patch:
        for name in _CHANGING:
            patch.setattr(os, name, counted(getattr(os, name)))
        patch.setattr(io, "open", counted(opened))  # what `Path.open` calls
        yield lambda: calls > at
