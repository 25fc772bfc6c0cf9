"""What a search is doing, from what the store says of it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.store.example_trials import PARAMETERS, trial
from tune_mnist.actions.service.states import (
    CLAIMED_WITHIN_S,
    SILENT_S,
    Known,
    State,
    known_search,
    known_searches,
    this_process,
)
from tune_mnist.actions.service.submissions import Process, Submission, Submissions, Told, now
from tune_mnist.errors import InputError
from tune_mnist.store.plans import SearchRecord
from tune_mnist.store.reader import read_trials
from tune_mnist.store.writer import Writer

OURS = this_process()
DEAD = OURS.model_copy(update={"created": OURS.created - 1000})
ELSEWHERE = Process(host="another", pid=1, created=0.0)
FAULT = Told(where="`trials`", problem="is wrong", fix="mend it")


def submission(**values: Any) -> Submission:
    return Submission(search="one", submitted=now(), **values)


def known_one(root: Path, one: Submission | None) -> Known:
    return known_search(root, "one", one, lambda: read_trials(root, search="one"))


def stored(root: Path, *statuses: str, ended: bool = True) -> None:
    with Writer(root, "one", PARAMETERS) as writer:
        writer.write_search(SearchRecord(search="one"))
        for number, status in enumerate(statuses):
            error = "out of luck" if status == "failed" else None
            writer.append_trial(trial(f"{number:05d}", status=status, error=error), [])
        if ended:
            writer.end_search("done")


@pytest.mark.parametrize(
    ("values", "state"),
    [
        ({}, "PENDING"),
        ({"stop": True}, "STOPPED"),
        ({"stage": "begun", "seen": now()}, "RUNNING"),
        ({"stage": "begun", "process": OURS}, "RUNNING"),
        ({"stage": "begun", "process": DEAD}, "INTERRUPTED"),
        ({"stage": "begun", "process": DEAD, "stop": True}, "STOPPED"),
        ({"stage": "begun", "process": ELSEWHERE, "seen": now()}, "RUNNING"),
        (
            {
                "stage": "begun",
                "process": ELSEWHERE,
                "seen": now() - timedelta(seconds=SILENT_S + 1),
            },
            "INTERRUPTED",
        ),
        (
            {"stage": "begun", "seen": now() - timedelta(seconds=CLAIMED_WITHIN_S + 1)},
            "INTERRUPTED",
        ),
        ({"stage": "ended", "faults": (FAULT,)}, "FAILED"),
        ({"stage": "ended", "stop": True}, "STOPPED"),
        ({"stage": "ended"}, "INTERRUPTED"),
    ],
)
def test_before_it_has_a_record(tmp_path: Path, values: dict[str, Any], state: State) -> None:
    assert known_one(tmp_path, submission(**values)).state == state


@pytest.mark.parametrize(
    ("statuses", "ended", "values", "state"),
    [
        (["completed", "failed"], True, None, "SUCCEEDED"),
        (["failed"], True, None, "FAILED"),
        ([], True, None, "FAILED"),
        (["completed"], False, None, "INTERRUPTED"),
        (["completed"], True, {"stage": "ended"}, "SUCCEEDED"),
        (["completed"], False, {"stage": "ended", "stop": True}, "STOPPED"),
        (["completed"], False, {"stage": "ended", "faults": (FAULT,)}, "FAILED"),
        (["completed"], True, {"stage": "waiting"}, "PENDING"),
    ],
)
def test_with_a_record(
    tmp_path: Path, statuses: list[str], ended: bool, values: dict[str, Any] | None, state: State
) -> None:
    stored(tmp_path, *statuses, ended=ended)
    one = None if values is None else submission(**values)
    known = known_one(tmp_path, one)
    assert known.state == state
    assert sum(known.counts.values()) == len(statuses)
    listed = known_searches(tmp_path, {"one": one} if one else {})["one"]
    assert (listed.state, listed.counts) == (known.state, known.counts)


def test_who_writes_it_runs_it(tmp_path: Path) -> None:
    with Writer(tmp_path, "one", PARAMETERS) as writer:
        writer.write_search(SearchRecord(search="one"))
        known = known_one(tmp_path, submission(stage="ended", stop=True))
        assert (known.state, known.writer) == (
            "RUNNING",
            f"process {os.getpid()} on {socket.gethostname()}",
        )


def test_a_process_that_has_ended_lives_no_more(tmp_path: Path) -> None:
    code = "from tune_mnist.actions.service.states import this_process as p; print(p().json())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    gone = Process.model_validate_json(done.stdout)
    one = submission(stage="begun", process=gone)
    assert known_one(tmp_path, one).state == "INTERRUPTED"


def test_a_trial_that_was_tried_again_counts_once_as_it_ended(tmp_path: Path) -> None:
    with Writer(tmp_path, "one", PARAMETERS) as writer:
        writer.write_search(SearchRecord(search="one"))
        writer.append_trial(trial("00000", status="failed", error="out of luck"), [])
        writer.append_trial(trial("00000", attempt=2), [])
    assert known_one(tmp_path, None).counts == {"completed": 1}


def test_no_such_search(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        known_one(tmp_path, None)


def test_submissions_are_kept_listed_changed_and_removed(tmp_path: Path) -> None:
    kept = Submissions(tmp_path)
    kept.create(submission(asked={"space": "svm"}))
    with pytest.raises(FileExistsError):
        kept.create(submission())
    assert kept.change("one", lambda _: {"stop": True}).stop
    assert Submissions(tmp_path).all()["one"] == kept.read("one")
    assert kept.all()["one"].asked == {"space": "svm"}
    kept.remove("one")
    assert kept.all() == {}


def test_a_damaged_submission_is_named_and_left_out(tmp_path: Path) -> None:
    kept = Submissions(tmp_path)
    kept.create(submission())
    (tmp_path / "submissions" / "two.json").write_text("{")
    with pytest.warns(UserWarning, match="submissions/two.json"):
        assert set(kept.all()) == {"one"}
