"""Of several services on one store, one begins the searches."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tune_mnist.actions.service import dispatcher
from tune_mnist.actions.service.bodies import Offered
from tune_mnist.actions.service.dispatcher import Dispatch, Dispatcher
from tune_mnist.actions.service.queue import Capacity
from tune_mnist.store.files.documents import documents


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dispatcher:
    """A dispatcher that starts no processes."""
    monkeypatch.setattr(dispatcher, "_READY", 0)
    return Dispatcher(Dispatch(tmp_path, Offered(str(tmp_path)), Capacity(1, 0)))


def test_what_another_gives_up_in_that_moment_is_taken_at_the_next_look(
    alone: Dispatcher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = documents(tmp_path, "services")
    create = kept.create

    def was_there_just_now(name: str, content: bytes) -> None:
        monkeypatch.setattr(kept, "create", create)
        raise FileExistsError(name)

    monkeypatch.setattr(kept, "create", was_there_just_now)
    monkeypatch.setattr(alone, "_ours", kept)
    alone.start()
    until = time.monotonic() + 30
    while not kept.stamps() and time.monotonic() < until:
        assert alone.is_alive
        time.sleep(0.05)
    assert set(kept.stamps()) == {"dispatcher"}
    alone.end()
    assert kept.stamps() == {}
