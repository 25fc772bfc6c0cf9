"""The process that runs submitted searches, one after another.

    python -m tune_mnist.actions.service.child SETTING

It starts Ray and imports what a search needs, then reads from stdin what to run, a line each. So a
service that keeps one such process ready begins a search at once. If stdin ends, the service has
died or wants it no more: it finishes what it runs, and ends.

It says in the submission that it runs, and looks there whether it is to stop.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tune_mnist.actions.confirm import confirm
from tune_mnist.actions.search import resume, search
from tune_mnist.actions.service.bodies import (
    Offered,
    confirm_request,
    resume_request,
    search_request,
)
from tune_mnist.actions.service.states import SEEN_EVERY_S, this_process
from tune_mnist.actions.service.submissions import Submission, Submissions, now, told
from tune_mnist.errors import InputError, input_error
from tune_mnist.searching.on_ray.scratch import scratch_folder
from tune_mnist.searching.on_ray.session.ray_session import own_ray
from tune_mnist.searching.on_ray.session.watching import dead
from tune_mnist.searching.stopping.ending import Outcome
from tune_mnist.store.catalog import has_search
from tune_mnist.store.files.place import opened
from tune_mnist.store.writer import SearchTakenError

_OBJECT_STORE_BYTES = 2**31
"""For searches that are not known yet; larger data sets go to the disk."""

LOOK_EVERY_S = 0.5
"""How often a process looks whether it is to stop."""


@dataclass(frozen=True)
class Task:
    """What a process is to run.

    Args:
        search: whose submission.
        claim: its token; if the submission has another by now, somebody else runs it.
    """

    search: str
    claim: str


@dataclass(frozen=True)
class Setting:
    """Where the searches of a process run.

    Args:
        offered: the store, the cluster and the data sets.
        cpus: cores of this machine for its own Ray.
        gpus: GPUs of this machine for its own Ray.
    """

    offered: Offered
    cpus: int
    gpus: int

    def to_argument(self) -> str:
        """Return the setting as the argument of a process."""
        return json.dumps(asdict(self), default=str)


def setting_of(argument: str) -> Setting:
    """Return the setting that an argument holds."""
    said = json.loads(argument)
    offered = said.pop("offered")
    offered["data_dir"] = offered["data_dir"] and Path(offered["data_dir"])
    return Setting(Offered(**offered), **said)


def main(setting: Setting) -> None:
    """Run one task after another until stdin ends."""
    # A shell starts background commands with SIGINT ignored, and we would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with ExitStack() as kept:
        if setting.offered.address is None:
            kept.enter_context(own_ray(setting.cpus, setting.gpus, _OBJECT_STORE_BYTES))
        for line in sys.stdin:
            run(Task(**json.loads(line)), setting.offered)
            if setting.offered.address is None and dead():  # Ray; another process starts a new one
                return


def run(task: Task, offered: Offered) -> None:
    """Run a submission and keep in it how it ended; do nothing if somebody else runs it."""
    root = opened(offered.results, offered.s3_endpoint)
    submissions = Submissions(root)
    if not _claimed(submissions, task):
        return
    watch = _Watch(submissions, task.search)
    watch.start()
    ended: Mapping[str, Any]
    try:
        outcome = _run(submissions.read(task.search), offered, root)
        ended = {"reason": outcome.reason, "faults": ()}
    except SearchTakenError:
        return  # another process has it now, and says what becomes of it
    except InputError as error:
        ended = {"reason": "failed", "faults": told(error)}
    except KeyboardInterrupt:
        ended = {"reason": "interrupted", "faults": ()}
    except Exception as error:
        traceback.print_exc()
        text = f"ended by a fault of ours: {type(error).__name__}: {error}"
        fault = input_error(task.search, text, "see the service's own output")
        ended = {"reason": "failed", "faults": told(fault)}
    finally:
        watch.end()
    submissions.change(task.search, lambda _: {**ended, "stage": "ended", "process": None})


def _claimed(submissions: Submissions, task: Task) -> bool:
    """Say that this process runs the submission; return whether it is ours to run."""
    ours = this_process()

    def claimed(before: Submission) -> Mapping[str, Any] | None:
        if before.stage != "begun" or before.process is not None or before.token != task.claim:
            return None
        return {"process": ours, "seen": now()}

    try:
        return submissions.change(task.search, claimed).process == ours
    except FileNotFoundError:
        return False


def _run(submission: Submission, offered: Offered, root: Path) -> Outcome:
    """Run it, or resume it if the store has it. Raises: InputError: it cannot be run."""
    name = submission.search
    if submission.verb == "confirm":
        return confirm(confirm_request(submission.asked, submission.of, offered)).outcome
    if has_search(root, name):
        return resume(resume_request(submission.again, name, offered)).outcome
    with scratch_folder() as folder:
        request, _ = search_request(submission.asked, name, offered, folder)
        return search(request).outcome


class _Watch(threading.Thread):
    """Says every half a minute that this process lives, and ends it when that is asked for."""

    def __init__(self, submissions: Submissions, search: str) -> None:
        super().__init__(daemon=True, name="watch")
        self._submissions, self._search = submissions, search
        self._over = threading.Event()

    def end(self) -> None:
        """Watch no longer."""
        self._over.set()

    def run(self) -> None:
        """Look until it is over."""
        looks = 0
        while not self._over.wait(LOOK_EVERY_S):
            looks += 1
            try:
                submission = self._submissions.read(self._search)
                if submission.stop:
                    os.kill(os.getpid(), signal.SIGINT)
                    return
                if looks * LOOK_EVERY_S >= SEEN_EVERY_S:
                    looks = 0
                    self._submissions.change(self._search, lambda _: {"seen": now()})
            except (OSError, InputError):
                continue  # the store is away for a moment


if __name__ == "__main__":
    main(setting_of(sys.argv[1]))
    sys.stdout.flush()
    os._exit(0)  # as the command does: without taking the interpreter apart
