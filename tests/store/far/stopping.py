"""Requests that stop: a process that dies between any two, or is held before one and comes back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tune_mnist.store.files.bucket import Bucket
from tune_mnist.store.writer import Writer

CHANGING = ("put", "upload", "create", "replace", "delete")


class Killed(BaseException):
    """The process has died."""


@contextmanager
def before_each_change(call: Callable[[int], None]) -> Iterator[None]:
    """Call `call` with 0, 1, ... before each request that changes something."""
    number = 0

    def watched(request: Callable[..., Any]) -> Callable[..., Any]:
        def instead(*arguments: Any) -> Any:
            nonlocal number
            number += 1
            call(number - 1)
            return request(*arguments)

        return instead

    with pytest.MonkeyPatch.context() as patch:
        for name in CHANGING:
            patch.setattr(Bucket, name, watched(getattr(Bucket, name)))
        yield


@contextmanager
def dying_at(step: int) -> Iterator[None]:
    """Let the process die before its request `step`: nothing after it reaches the store."""

    def die(number: int) -> None:
        if number >= step:
            raise Killed

    with before_each_change(die):
        yield


def dies_at(step: int, writer: Writer, task: Callable[[Writer], None]) -> bool:
    """Run a task of a writer whose process dies before its request `step`.

    Returns: whether it died; if not, the task makes no more requests. The writer is gone then, too.
    """
    try:
        with dying_at(step):
            task(writer)
    except Killed:
        return True
    finally:
        writer._files._lease._over.set()  # type: ignore[attr-defined]  # its thread dies too
        writer._files.lock.close()
    return False
