"""Begins the searches that wait, in processes that outlive the service.

All that it knows it reads from the submissions, so it may be killed at any moment. Of several
services on one store, one dispatches: the one that holds the document `services/dispatcher`.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from tune_mnist.actions.service.bodies import Offered
from tune_mnist.actions.service.child import Setting, Task
from tune_mnist.actions.service.queue import Capacity, Wanted, next_to_begin
from tune_mnist.actions.service.states import MOST_ATTEMPTS, is_alive, lives, this_process
from tune_mnist.actions.service.submissions import Process, Submission, Submissions, now
from tune_mnist.errors import InputError
from tune_mnist.store.files.documents import change, documents
from tune_mnist.store.files.place import writer_of

LOOK_EVERY_S = 0.5
_RENEWED_EVERY_S = 5.0
_HELD_FOR_S = 20.0
_READY = 1
"""Processes that are started before there is a task, so that it begins at once."""
_MOST_IDLE = 2
"""Processes that wait for a task; each keeps Ray and its workers in memory."""
_NAME = "dispatcher"
_LOG = logging.getLogger(__name__)


class _Dispatching(BaseModel):
    model_config = ConfigDict(frozen=True)

    process: Process
    seen: datetime


@dataclass(frozen=True)
class Dispatch:
    """How a service's searches are begun.

    Args:
        root: the store's folder; of a store at an address, its copy here.
        offered: where they run.
        capacity: what they may use together.
    """

    root: Path
    offered: Offered
    capacity: Capacity


class Dispatcher:
    """Begins waiting searches until it is ended; what it has begun goes on then."""

    def __init__(self, how: Dispatch) -> None:
        self._how = how
        self._submissions = Submissions(how.root)
        self._ours = documents(how.root, "services")
        self._seen: datetime | None = None
        self._ready: list[subprocess.Popen[str]] = []
        self._busy: dict[str, subprocess.Popen[str]] = {}
        self._wake, self._over = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._go_round, daemon=True, name="dispatcher")

    def start(self) -> None:
        """Begin to dispatch, in a thread."""
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether it dispatches, or would if no other service did."""
        return self._thread.is_alive()

    def look(self) -> None:
        """Look now: something was submitted."""
        self._wake.set()

    def end(self) -> None:
        """Begin no more searches. Those that run go on; waiting processes end."""
        self._over.set()
        self._wake.set()
        self._thread.join(timeout=10)
        for process in (*self._ready, *self._busy.values()):
            if process.stdin:
                process.stdin.close()
        with suppress(FileNotFoundError):
            kept = _dispatching(self._ours.read(_NAME)[0])
            if kept and kept.process == this_process():
                self._ours.remove(_NAME)

    def _go_round(self) -> None:
        while not self._over.is_set():
            self._wake.clear()
            try:
                self._keep_ready()
                if self._holds():
                    self._begin_waiting()
            except (OSError, InputError) as error:  # the store is away for a moment
                _LOG.warning("cannot dispatch: %s", error)
            self._wake.wait(LOOK_EVERY_S)

    def _holds(self) -> bool:
        """Return whether this service dispatches; take that over from one that has died."""
        if self._seen and now() - self._seen < timedelta(seconds=_RENEWED_EVERY_S):
            return True
        ours = _Dispatching(process=this_process(), seen=now())

        def taken(content: bytes) -> bytes | None:
            return (
                None if _is_held(_dispatching(content), ours) else ours.model_dump_json().encode()
            )

        held = False
        try:
            self._ours.create(_NAME, ours.model_dump_json().encode())
            held = True
        except FileExistsError:
            with suppress(FileNotFoundError):  # given up just now: ours at the next look
                held = _dispatching(change(self._ours, _NAME, taken)) == ours
        self._seen = ours.seen if held else None
        return held

    def _begin_waiting(self) -> None:
        known = self._submissions.all()
        self._take_back(known)
        for submission in known.values():
            if submission.stage == "begun" and not self._runs(submission):
                self._put_back(submission)
        running = [self._wanted(one) for one in known.values() if self._runs(one)]
        waiting = [
            self._wanted(one) for one in known.values() if one.stage == "waiting" and not one.stop
        ]
        for chosen in next_to_begin(waiting, running, self._how.capacity):
            self._begin(chosen.search)

    def _runs(self, submission: Submission) -> bool:
        if submission.stage != "begun":
            return False
        return is_alive(submission) or writer_of(self._how.root, submission.search) is not None

    def _put_back(self, submission: Submission) -> None:
        """Let a search wait again whose process has died; it resumes where it was."""

        def waiting(before: Submission) -> Mapping[str, Any] | None:
            if before.token != submission.token or before.attempts >= MOST_ATTEMPTS:
                return None
            if before.stop:
                return {"stage": "ended", "process": None, "reason": "interrupted"}
            return {"stage": "waiting", "process": None}

        with suppress(FileNotFoundError):
            self._submissions.change(submission.search, waiting)

    def _begin(self, search: str) -> None:
        """Claim a submission and give it to a process."""

        def begun(before: Submission) -> Mapping[str, Any] | None:
            if before.stage != "waiting" or before.stop:
                return None
            moment = now()
            update = {"stage": "begun", "process": None, "begun": moment, "seen": moment}
            return {**update, "attempts": before.attempts + 1}

        try:
            claimed = self._submissions.change(search, begun)
        except FileNotFoundError:  # deleted
            return
        if claimed.stage != "begun":
            return
        _LOG.info("search %s begins, attempt %s", search, claimed.attempts)
        process = self._ready.pop(0) if self._ready else self._start()
        self._busy[search] = process
        with suppress(OSError):  # it has died: the search is put back when nobody claims it
            assert process.stdin is not None
            process.stdin.write(json.dumps(asdict(Task(search, claimed.token))) + "\n")
            process.stdin.flush()

    def _take_back(self, known: Mapping[str, Submission]) -> None:
        """Let the processes whose searches have ended wait for others, or end them."""
        for search, process in list(self._busy.items()):
            if search in known and known[search].stage == "begun" and process.poll() is None:
                continue
            del self._busy[search]
            if len(self._ready) < _MOST_IDLE and process.poll() is None:
                self._ready.insert(0, process)  # it is warm, the next one may not be yet
            elif process.stdin:
                process.stdin.close()

    def _keep_ready(self) -> None:
        self._ready = [process for process in self._ready if process.poll() is None]
        while len(self._ready) < _READY:
            self._ready.append(self._start())

    def _start(self) -> subprocess.Popen[str]:
        capacity = self._how.capacity
        return start_process(Setting(self._how.offered, capacity.cpus, capacity.gpus))

    def _wanted(self, submission: Submission) -> Wanted:
        asked, capacity = {**submission.asked, **submission.again}, self._how.capacity
        return Wanted(
            submission.search,
            submission.submitter,
            submission.priority,
            submission.submitted,
            cpus=asked.get("cpus") or capacity.cpus,
            gpus=asked.get("gpus") or 0,
        )


def start_process(setting: Setting) -> subprocess.Popen[str]:
    """Start a process that waits for tasks; it is in a session of its own, to outlive us."""
    safe_path = ["-P"] if sys.version_info >= (3, 11) else []
    return subprocess.Popen(
        [
            sys.executable,
            *safe_path,
            "-m",
            "tune_mnist.actions.service.child",
            setting.to_argument(),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )


def _dispatching(content: bytes) -> _Dispatching | None:
    try:
        return _Dispatching.model_validate_json(content)
    except ValueError:
        return None


def _is_held(kept: _Dispatching | None, ours: _Dispatching) -> bool:
    """Return whether another living service dispatches."""
    if kept is None or kept.process == ours.process:
        return False
    if kept.process.host == ours.process.host:
        return lives(kept.process)
    return now() - kept.seen < timedelta(seconds=_HELD_FOR_S)
