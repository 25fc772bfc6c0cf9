"""Why a trial failed: read from what Ray and Tune leave behind."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ray import cloudpickle
from ray.air.execution._internal.actor_manager import RayActorManager
from ray.exceptions import OutOfMemoryError, RayActorError, RayTaskError
from ray.tune.experiment import Trial

from tune_mnist.searching.on_ray.session.ray_start import replaced
from tune_mnist.wording import error_text

Cause = Literal["error", "died", "out of memory", "timed out"]


_LOW_ON_MEMORY = "running low on memory"
_GONE = ("The actor died", "may or may not have been executed on the actor")
_STARVED = "the machine ran low on memory, and Ray ended the trial's process"


@dataclass(frozen=True)
class Failure:
    """What ended a trial.

    Args:
        text: one line for the store's column `error`.
        cause: an exception of its own, a process that went away, too little memory, or a time
            limit.
    """

    text: str
    cause: Cause = "error"

    @property
    def memory_ran_out(self) -> bool:
        """Whether more memory could have helped."""
        return self.cause == "out of memory"


def failure_of(trial: Trial, took_s: float, limit_s: float | None) -> Failure:
    """Return why a trial failed.

    Args:
        trial: one that Tune has ended with an error.
        took_s: seconds since its process began with it.
        limit_s: seconds after which its process ends itself; None for no limit.
    """
    error = trial_error(trial)
    if memory_ran_out(error):
        ended_by_ray = _LOW_ON_MEMORY in str(error)  # in a text of twenty lines
        return Failure(_STARVED if ended_by_ray else _text(error), "out of memory")
    if not isinstance(error, RayActorError):
        return Failure(_text(error))
    if limit_s is not None and took_s >= limit_s:
        return Failure(f"took more than {limit_s:g} s, and was ended", "timed out")
    # Ray's own text is a page long; its first line says that the actor died.
    return Failure("the trial's process died (killed, crashed or out of memory)", "died")


def trial_error(trial: Trial) -> Exception | None:
    """Return the exception that ended a trial, as Ray wraps it; None if it left none.

    Tune's own `Trial.get_pickled_error` looks where the file will be copied to later. A Ray that we
    did not start may keep its files where others can write. Nothing is unpickled there: the text
    that lies beside has to do.
    """
    if trial.error_file is None:
        return None
    pickled = trial.pickled_error_file  # Tune pickles no error of Ray's memory monitor
    if pickled is None or not _closed_to_others(Path(pickled)):
        return _told(Path(trial.error_file).read_text("utf-8", "replace"))
    try:
        error: Exception = cloudpickle.loads(Path(pickled).read_bytes())
    except Exception:  # not every class of errors can be read back
        return _told(Path(trial.error_file).read_text("utf-8", "replace"))
    return error


def _closed_to_others(file: Path) -> bool:
    """Return whether a folder above the file lets nobody in but its owner, who is this user."""
    own = os.geteuid()
    above = [folder.stat() for folder in file.absolute().parents]
    return any(one.st_uid == own and not one.st_mode & 0o077 for one in above)


def _told(text: str) -> Exception:
    """Return the error that Tune's text speaks of, as far as it can be told."""
    lines = text.strip().splitlines() or ["the trial failed without an error"]
    if _LOW_ON_MEMORY in text:
        return OutOfMemoryError(text)
    gone = any(words in text for words in _GONE)
    return RayActorError() if gone else RuntimeError(lines[-1])


@contextmanager
def errors_end_one_trial() -> Iterator[None]:
    """Let Ray's errors end the trial that they meet, not the search.

    Tune knows errors of tasks and of actors. At any other, such as what Ray's memory monitor leaves
    of a running trial, its manager of actors raises a RuntimeError out of `fit` (Ray 2.60). Inside
    the block, such an error counts as the actor's.
    """
    original = RayActorManager._actor_task_failed

    def handled(manager: Any, tracked_actor_task: Any, exception: Exception) -> None:
        known = isinstance(exception, (RayActorError, RayTaskError))
        error = exception if known else RayActorError(error_msg=str(exception))
        original(manager, tracked_actor_task, error)

    with replaced(RayActorManager, {"_actor_task_failed": handled}):
        yield


def memory_ran_out(error: Exception | None) -> bool:
    """Return whether more memory could have helped: Python's, torch's or Ray's word for it."""
    cause = getattr(error, "cause", None) or error
    if isinstance(cause, (MemoryError, OutOfMemoryError)):
        return True
    text = str(cause)
    return type(cause).__name__ == "OutOfMemoryError" or any(
        words in text for words in ("can't allocate memory", "CUDA out of memory", "running low on")
    )


def _text(error: Exception | None) -> str:
    """Return the exception's type and message in one line."""
    if error is None:
        return "the trial failed without an error"
    cause = getattr(error, "cause", None) or error
    return error_text(cause)[:2000]
