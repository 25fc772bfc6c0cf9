"""A search on a cluster: it spreads over the nodes, and ends right whatever dies."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pytest
import torch

from tests.cluster.conftest import (
    CONFIGURATIONS,
    SPACE,
    Nodes,
    check_each_once,
    driver,
    environment,
    rows_of,
    running_nodes,
    search,
    stored,
    winning,
)
from tests.cluster.rounds import KEYS
from tests.models.written import HEAD
from tests.store.far.server import s3_server
from tune_mnist.metrics import ACCURACY
from tune_mnist.store.files.bucket import Bucket
from tune_mnist.store.files.place import bring_model, opened, saved_models
from tune_mnist.store.reader import read_reports, read_trials
from tune_mnist.training.saved_state import is_whole
from tune_mnist.winner import winner


def wait_for_rows(running: subprocess.Popen[str], folder: Path, name: str, hosts: int = 2) -> None:
    """Wait until so many nodes have finished a trial of a running search, and so begin others."""
    if os.geteuid() != 0:
        hosts = 1  # all nodes have one host name
    until = time.monotonic() + 600
    while running.poll() is None and not (
        (rows := stored(folder, name)) and len({row["host"] for row in rows}) == hosts
    ):
        assert time.monotonic() < until
        time.sleep(0.05)
    assert running.poll() is None, running.communicate()


def ended(running: subprocess.Popen[str], code: int = 0) -> str:
    """Return what a driver wrote to stderr, once it has ended with this code."""
    _, errors = running.communicate(timeout=600)
    assert running.returncode == code, errors
    assert "Traceback" not in errors
    return errors


# In this order: each test leaves the cluster as the next one needs it.


@pytest.mark.parametrize(
    ("token", "said"), [("wrong" * 8, "refuses the token"), ("", "wants a token|refuses the token")]
)
def test_a_wrong_token_or_none_is_one_line(
    nodes: Nodes, folder: Path, tmp_path: Path, token: str, said: str
) -> None:
    environ = {"RAY_AUTH_MODE": "" if not token else "token", "RAY_AUTH_TOKEN": token}
    words = ("search", "svm", "--dataset", "digits", "--dry-run", "--address", nodes.address)
    errors = ended(driver(folder, *words, HOME=str(tmp_path), **environ), 2)
    (line,) = errors.strip().splitlines()
    assert re.match(rf"the Ray cluster at {nodes.address}: ({said}); set RAY_AUTH_TOKEN", line)


MIXED = """
model: resnet
dataset: digits
parameters:
  device: {choice: [cpu, gpu]}
  learning_rate: {choice: [0.01, 0.001]}
  batch_size: 64
  epochs: 1
  train_fraction: 0.06
search: {sampler: grid}
resources: [{gpu: 0.5, when: {device: gpu}}, {cpu: 1}]
"""


def test_two_searches_at_once_end_each_trial_where_it_belongs_and_keep_their_models(
    nodes: Nodes, folder: Path
) -> None:
    """One has trials for the GPU, which fail, since it is only declared, and trials without."""
    (folder / "mixed.yaml").write_text(MIXED)
    words = ("search", "resnet", "--space", "mixed.yaml", "--name", "mixed")
    mixed = driver(folder, *words, "--address", nodes.address)
    wait_for_rows(mixed, folder, "mixed", hosts=1)
    ended(search(folder, nodes.address, "undisturbed"))
    ended(mixed)
    check_each_once(folder, "undisturbed")
    rows = rows_of(folder, "mixed")
    got = Counter((row["cpus"], row["gpus"], row["status"]) for row in rows)
    assert got == {(1.0, 0.5, "failed"): 2, (1.0, 0.0, "completed"): 2}
    assert all("CUDA" in row["error"] or "NVIDIA" in row["error"] for row in rows if row["error"])
    best = winner(rows_of(folder, "undisturbed"), ACCURACY)
    assert best is not None
    assert saved_models(folder / "results", "undisturbed") == {best["trial"]}
    assert bring_model(folder / "results", "undisturbed", best["trial"]).is_dir()
    if os.geteuid() == 0:
        assert {row["host"] for row in rows if row["gpus"]} == {"node-2"}
        assert {row["host"] for row in rows if not row["gpus"]} == {"node-1"}


SLOW = """
from pathlib import Path
from time import sleep
import torch

@dataclass(frozen=True)
class Slow:
    label: Annotated[int, Range(0, 9)] = 0
    epochs: Annotated[int, Range(1, 5000)] = 5000

@trainer(resumable=True)
def train(config: Slow, data: TrainingData, report: Reporter) -> None:
    for _ in report.epochs():
        sleep(0.15)
        large = torch.zeros(5_000_000)  # travels in two pieces
        report(lambda images: [config.label] * len(images), state={"large": large})
        if Path("ENOUGH").exists():
            return
"""

SLOW_SPACE = """
model: slow:train
dataset: digits
parameters: {label: {choice: [0, 1]}, epochs: 5000}
search: {sampler: grid}
"""


def saving_often(machine: Path, enough: Path, *words: str) -> subprocess.Popen[str]:
    """Start a driver whose trials save a state every half second, on a machine of its own."""
    machine.mkdir()
    (machine / "slow.py").write_text(HEAD + SLOW.replace("ENOUGH", str(enough)))
    (machine / "slow.yaml").write_text(SLOW_SPACE)
    run = "from tune_mnist.searching.on_ray import run; run.SAVE_EVERY_S = 0.5"
    main = "from tune_mnist.__main__ import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", f"{run}; {main}", *words],
        cwd=machine,
        env=environment(XDG_CACHE_HOME=str(machine / "cache"), **KEYS),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def saved_epochs(machine: Path) -> dict[str, int]:
    """Return after how many epochs the newest state of each trial is that a machine has."""
    found: dict[str, int] = {}
    for state in machine.glob("cache/**/checkpoint_*/state.pt"):
        if not is_whole(state.parent):  # it is being brought here
            continue
        with suppress(FileNotFoundError):  # replaced meanwhile
            done = torch.load(state, weights_only=True)["done"]
            trial = state.parts[-3].partition(".")[0]
            found[trial] = max(found.get(trial, 0), done)
    return found


def wait_for_states(
    running: subprocess.Popen[str], machine: Path, beyond: Mapping[str, int]
) -> None:
    """Wait until a machine has a state of each trial after more epochs than these."""
    until = time.monotonic() + 600
    while not all(saved_epochs(machine).get(trial, 0) > done for trial, done in beyond.items()):
        assert running.poll() is None, running.communicate()
        assert time.monotonic() < until
        time.sleep(0.1)


TWO_MODELS = """
model: {choice: [logistic, svm]}
dataset: digits
parameters: {C: {choice: [0.1, 1.0]}}
search: {sampler: grid}
"""

OWN = """
from sent_too import SENT

@dataclass(frozen=True)
class Once:
    label: Annotated[int, Range(0, 9)] = 0

def train(config: Once, data: TrainingData, report: Reporter) -> None:
    unpacked = all("py_modules_files" in file for file in (__file__, SENT))
    report(lambda images: [config.label] * len(images), parameters=int(unpacked))
"""


def test_a_model_of_your_own_is_sent_to_the_nodes(nodes: Nodes, folder: Path) -> None:
    (folder / "own.py").write_text(HEAD + OWN)
    (folder / "sent_too.py").write_text("SENT = __file__\n")
    (folder / "own.yaml").write_text(
        "model: own:train\ndataset: digits\nparameters: {label: {choice: [0, 1, 2, 3]}}\n"
        "search: {sampler: grid}\n"
    )
    words = ("search", "own.yaml", "--name", "own", "--address", nodes.address)
    ended(driver(folder, *words))
    rows = rows_of(folder, "own")
    assert [(row["status"], row["parameters"]) for row in rows] == [("completed", 1)] * 4


def test_a_stopped_job_s_search_is_resumed_by_the_next_and_prints_its_winner(
    nodes: Nodes, folder: Path
) -> None:
    """At first it is submitted twice in the same moment, and so is one of two models."""
    where = ("--address", f"http://{nodes.dashboard}")
    (folder / "space.yaml").write_text(SPACE)
    words = ("submit", "svm", "--space", "space.yaml", "--name", "job", "--rerun")
    asked = (*words, "--results", str(folder / "results"), *where)
    both = [driver(folder, *asked, "--no-follow") for _ in range(2)]
    (folder / "which.yaml").write_text(TWO_MODELS)
    other = ("submit", "which", "--space", "which.yaml", "--name", "which", "--gpus", "0", *where)
    which = driver(folder, *other, "--results", str(folder / "results"))
    told = [one.communicate(timeout=600) for one in both]
    assert sorted(one.returncode for one in both) == [0, 2], told
    assert any("search job: is run by the job job-1 now" in errors for _, errors in told), told
    until = time.monotonic() + 600
    while not stored(folder, "job") and time.monotonic() < until:
        time.sleep(0.05)
    stopping = driver(folder, "jobs", "stop", "job-1", *where)
    assert "job job-1 has ended: stopped" in stopping.communicate(timeout=600)[0]
    assert 0 < len(rows_of(folder, "job")) < CONFIGURATIONS
    said, errors = driver(folder, *asked).communicate(timeout=600)
    assert "job job-2 runs the search job" in said
    assert "search job: 16 completed" in said, (said, errors)
    assert "winner rbf C=" in said
    assert "search which: 4 completed" in which.communicate(timeout=600)[0]
    assert Counter(row["model"] for row in rows_of(folder, "which")) == {"svm": 2, "logistic": 2}
    check_each_once(folder, "job")
    assert winning(folder, "job") == winning(folder, "undisturbed")
    listed, _ = driver(folder, "jobs", "list", *where).communicate(timeout=600)
    states = {line.split()[0]: line.split()[2] for line in listed.splitlines()[1:]}
    assert states == {"job-1": "stopped", "job-2": "succeeded", "which-1": "succeeded"}


def test_a_killed_driver_s_search_is_resumed_on_the_cluster(nodes: Nodes, folder: Path) -> None:
    running = search(folder, nodes.address, "driver")
    wait_for_rows(running, folder, "driver")
    running.kill()
    running.communicate()
    assert len(rows_of(folder, "driver")) < CONFIGURATIONS
    ended(driver(folder, "resume", "driver", "--address", nodes.address))
    check_each_once(folder, "driver")
    assert winning(folder, "driver") == winning(folder, "undisturbed")


def test_trials_continue_from_their_states_on_another_machine_and_on_another_node(
    nodes: Nodes, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store is on S3; no node sees a folder of a driver or of another node."""
    enough = tmp_path / "enough"
    first, second = folder / "first-machine", folder / "second-machine"
    with s3_server() as endpoint:
        where = ("--address", nodes.address, "--results", "s3://bucket", "--s3-endpoint", endpoint)
        running = saving_often(first, enough, "search", "slow.yaml", "--name", "slow", *where)
        wait_for_states(running, first, beyond={"00000": 0, "00001": 0})
        running.send_signal(signal.SIGINT)
        ended(running, 130)
        before = saved_epochs(first)
        running = saving_often(second, enough, "resume", "slow", *where)
        wait_for_states(running, second, beyond=before)
        nodes.kill(1)
        enough.touch()
        said, errors = running.communicate(timeout=600)
        assert (running.returncode, "Traceback" in errors) == (0, False), errors
        moved = re.findall(r"(\d+) runs again: its node died", said)
        for name, value in {**KEYS, "XDG_CACHE_HOME": str(folder / "reader")}.items():
            monkeypatch.setenv(name, value)
        rows = read_trials(opened("s3://bucket", endpoint)).to_pylist()
        reports = read_reports(opened("s3://bucket", endpoint)).to_pylist()
        left = [one.key for one in Bucket("s3://bucket", endpoint).objects(".checkpoints")]
    assert [(row["status"], row["attempt"]) for row in rows] == [("completed", 1)] * 2
    assert len(moved) == 1  # no trial has failed: what ran there ran again, from its newest state
    began = {
        row["trial"]: min(one["step"] for one in reports if one["trial"] == row["trial"])
        for row in rows
    }
    assert began.pop(moved[0]) > before.pop(moved[0]) + 1
    assert began == {trial: done + 1 for trial, done in before.items()}
    assert left == []


def test_a_killed_head_is_one_line_and_the_search_is_resumed_on_another_cluster(
    nodes: Nodes, folder: Path
) -> None:
    running = search(folder, nodes.address, "head")
    wait_for_rows(running, folder, "head", hosts=1)
    nodes.kill(0)
    began = time.monotonic()
    errors = ended(running, 2)
    assert time.monotonic() - began < 50
    assert f"the Ray cluster at {nodes.address}: does not answer any more" in errors
    assert "resume head" in errors
    with running_nodes(1) as others:
        ended(driver(folder, "resume", "head", "--address", others.address))
    check_each_once(folder, "head")
    assert winning(folder, "head") == winning(folder, "undisturbed")
