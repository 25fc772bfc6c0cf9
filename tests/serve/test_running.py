"""A real service: searches run, are watched, stopped, resumed, survive it, and leave a model."""

from __future__ import annotations

import io
import json
import re
import shlex
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serve.running import Running, wait_for
from tune_mnist.searching.history.contradictions import contradictions
from tune_mnist.store.reader import read_trials

SMALL = {"space": "svm", "dataset": "digits", "trials": 4, "cpus": 1}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("service")
    (folder / "empty").mkdir()
    running = Running(folder / "results", ("--data", f"empty={folder / 'empty'}"))
    running.start()
    yield running
    assert running.end() == 0


def check_each_once(results: Path, search: str, trials: int) -> None:
    rows = read_trials(results, search=search, columns=["trial", "status"])
    assert sorted(rows["trial"].to_pylist()) == [f"{number:05d}" for number in range(trials)]
    assert contradictions(results, search)[0] == []


def test_a_search_is_submitted_watched_and_taken_home(service: Running) -> None:
    assert service.put("/api/searches/small", SMALL).status_code == 201
    events = list(service.events("small"))
    trials = [(key, data["trial"]) for key, name, data in events if name == "trial"]
    assert [key for key, _ in trials] == ["1", "2", "3", "4"]
    states = [data["state"] for _, name, data in events if name == "state"]
    assert states[-1] == "SUCCEEDED"
    assert set(states) <= {"PENDING", "RUNNING", "SUCCEEDED"}

    rows = service.get("/api/searches/small/trials").json()["rows"]
    assert [row["trial"] for row in rows] == [trial for _, trial in trials]
    found = service.search("small")
    assert found["finished"] == {"completed": 4}
    assert found["best"]["val_accuracy"] == max(row["val_accuracy"] for row in rows)
    again = [key for key, name, _ in service.events("small", last="3") if name == "trial"]
    assert again == ["4"]
    ended = service.get("/api/searches/small/events", headers={"Last-Event-ID": "4"})
    assert (ended.status_code, ended.content) == (204, b"")

    answer = service.get("/api/searches/small/models/winner")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as packed:
        names = {Path(name).name for name in packed.namelist()}
    assert {"model.skops", "README.md", "predict.py"} <= names
    check_each_once(service.results, "small", 4)


def test_a_search_is_stopped_and_resumed(service: Running) -> None:
    service.put("/api/searches/long", {**SMALL, "trials": 400, "seed": 1})
    wait_for(lambda: service.search("long")["finished"].get("completed", 0) >= 2)
    assert service.post("/api/searches/long:stop").status_code == 202
    stopped = service.until("long", "STOPPED")
    finished = sum(stopped["finished"].values())
    assert finished < 400
    answer = service.post("/api/searches/long:resume", {"trials": finished + 2})
    assert answer.status_code == 202
    assert service.until("long", "SUCCEEDED")["finished"] == {"completed": finished + 2}
    check_each_once(service.results, "long", finished + 2)


def test_a_killed_service_loses_nothing(service: Running) -> None:
    for number in range(2):
        service.put(f"/api/searches/kept-{number}", {**SMALL, "trials": 12, "seed": 10 + number})
    wait_for(lambda: service.search("kept-0")["finished"])
    service.kill()
    service.start()
    for number in range(2):
        assert service.until(f"kept-{number}", "SUCCEEDED")["finished"] == {"completed": 12}
        check_each_once(service.results, f"kept-{number}", 12)


def test_what_cannot_run_says_why(service: Running) -> None:
    service.put("/api/searches/wrong", {**SMALL, "dataset": "empty"})
    found = service.until("wrong", "FAILED", "SUCCEEDED")
    assert found["state"] == "FAILED"
    assert "0 class folders" in found["errors"][0]["detail"]


def test_the_lines_of_the_guide_do_what_it_says(service: Running, tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "guide" / "service.md").read_text("utf-8")
    lines = re.findall(r"^    (curl .*)$", text, flags=re.MULTILINE)
    assert len(lines) == 13
    for line in lines:
        service_s = line.replace("http://127.0.0.1:8080", service.address)
        words = [*shlex.split(service_s), "--silent", "--show-error"]
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (line, done.stderr)
        if "/wrong" in line:
            assert json.loads(done.stdout) == json.loads(_block(text, "json"))
        assert "about:blank" not in done.stdout or "/wrong" in line, (line, done.stdout)
    assert zipfile.is_zipfile(tmp_path / "winner.zip")
    assert service.search("theirs")["finished"] == {"completed": 1}
    assert service.until("mine", "SUCCEEDED")["finished"] == {"completed": 2}


def test_three_trainers_share_the_work(service: Running) -> None:
    script = Path(__file__).parents[2] / "docs" / "guide" / "trainer.py"
    line = [sys.executable, str(script), service.address]
    trainers = [subprocess.Popen(line) for _ in range(3)]
    assert [trainer.wait(timeout=120) for trainer in trainers] == [0, 0, 0]
    found = service.search("blobs")
    assert (found["state"], found["finished"]) == ("SUCCEEDED", {"completed": 12})
    assert found["best"]["val_accuracy"] > 0.6
    check_each_once(service.results, "blobs", 12)


def _block(text: str, language: str) -> str:
    found: list[str] = re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)
    return found[0]
