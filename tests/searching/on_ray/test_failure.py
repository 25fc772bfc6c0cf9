"""What a failed trial has left is read, and unpickled only where nobody else could have put it."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ray import cloudpickle
from ray.air.execution._internal.actor_manager import RayActorManager
from ray.air.execution._internal.tracked_actor import TrackedActor
from ray.air.execution._internal.tracked_actor_task import TrackedActorTask
from ray.exceptions import ActorDiedError, ActorUnavailableError, OutOfMemoryError, RayActorError

from tune_mnist.searching.on_ray.failure import (
    errors_end_one_trial,
    memory_ran_out,
    trial_error,
)


@pytest.fixture
def trial(tmp_path: Path) -> Any:
    """A failed trial whose files lie in a private folder."""
    tmp_path.chmod(0o700)
    (tmp_path / "error.pkl").write_bytes(cloudpickle.dumps(KeyError("pickled")))
    (tmp_path / "error.txt").write_text("Failure # 1\nTraceback\nValueError: no such kernel\n")
    files = {"pickled_error_file": "error.pkl", "error_file": "error.txt"}
    return SimpleNamespace(**{name: str(tmp_path / file) for name, file in files.items()})


@pytest.fixture
def nothing_private(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make each folder that only its owner may enter another user's."""
    user = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: user + 1)


def test_an_error_in_a_private_folder_is_unpickled(trial: Any) -> None:
    assert isinstance(trial_error(trial), KeyError)


def test_an_error_that_cannot_be_unpickled_is_known_from_the_text(trial: Any) -> None:
    Path(trial.pickled_error_file).write_bytes(b"cno_such_module\nError\n.")
    assert str(trial_error(trial)) == "ValueError: no such kernel"


@pytest.mark.usefixtures("nothing_private")
def test_an_error_that_others_could_have_written_is_not_unpickled(trial: Any) -> None:
    assert str(trial_error(trial)) == "ValueError: no such kernel"


def test_what_the_memory_monitor_ended_is_known_without_a_pickle(trial: Any) -> None:
    """Tune pickles no such error: it is neither an actor's nor a task's."""
    trial.pickled_error_file = None
    said = "1 worker(s) were killed due to the node running low on memory.\nRefer to ..."
    Path(trial.error_file).write_text(f"Failure # 1\n{said}\n")
    assert memory_ran_out(trial_error(trial))


class Manager(RayActorManager):
    """A manager of actors without a Ray."""

    def __init__(self) -> None:
        self._failed_actor_ids: set[int] = set()

    def _cleanup_actor(self, tracked_actor: TrackedActor) -> None:
        pass


def test_an_error_that_tune_does_not_know_ends_its_trial_alone() -> None:
    heard: list[Exception] = []
    actor = TrackedActor(1, on_error=lambda actor, error: heard.append(error))
    error = OutOfMemoryError("killed due to the node running low on memory")
    with errors_end_one_trial():
        Manager()._actor_task_failed(tracked_actor_task=TrackedActorTask(actor), exception=error)
    assert memory_ran_out(heard[0])
    with pytest.raises(RuntimeError, match="unexpected"):  # when this fails, we need no block
        Manager()._actor_task_failed(tracked_actor_task=TrackedActorTask(actor), exception=error)


@pytest.mark.usefixtures("nothing_private")
@pytest.mark.parametrize("error", [ActorDiedError(), ActorUnavailableError("gone", b"1" * 16)])
def test_a_process_that_died_is_known_from_the_text_too(trial: Any, error: RayActorError) -> None:
    Path(trial.error_file).write_text(f"Failure # 1\n{error}\n")
    assert isinstance(trial_error(trial), RayActorError)
