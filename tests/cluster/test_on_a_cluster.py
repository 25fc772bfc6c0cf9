"""A search on a cluster: it spreads over the nodes, and ends right whatever dies."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.cluster.conftest import (
    CONFIGURATIONS,
    SPACE,
    Nodes,
    check_each_once,
    driver,
    rows_of,
    running_nodes,
    search,
    stored,
    winning,
)
from tests.models.written import HEAD
from tune_mnist.metrics import ACCURACY
from tune_mnist.store.files.place import bring_model, saved_models
from tune_mnist.winner import winner


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("searches")


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
    where = ("--address", f"http://{nodes.dashboard}")
    (folder / "space.yaml").write_text(SPACE)
    words = ("submit", "svm", "--space", "space.yaml", "--name", "job", "--rerun")
    asked = (*words, "--results", str(folder / "results"), *where)
    ended(driver(folder, *asked, "--no-follow"))
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
    check_each_once(folder, "job")
    assert winning(folder, "job") == winning(folder, "undisturbed")
    listed, _ = driver(folder, "jobs", "list", *where).communicate(timeout=600)
    states = {line.split()[0]: line.split()[2] for line in listed.splitlines()[1:]}
    assert states == {"job-1": "stopped", "job-2": "succeeded"}


def test_a_killed_driver_s_search_is_resumed_on_the_cluster(nodes: Nodes, folder: Path) -> None:
    running = search(folder, nodes.address, "driver")
    wait_for_rows(running, folder, "driver")
    running.kill()
    running.communicate()
    assert len(rows_of(folder, "driver")) < CONFIGURATIONS
    ended(driver(folder, "resume", "driver", "--address", nodes.address))
    check_each_once(folder, "driver")
    assert winning(folder, "driver") == winning(folder, "undisturbed")


def test_the_trials_of_a_killed_node_run_on_another(nodes: Nodes, folder: Path) -> None:
    running = search(folder, nodes.address, "node")
    wait_for_rows(running, folder, "node")
    nodes.kill(1)
    ended(running)  # no trial has failed: what ran or began there runs again
    check_each_once(folder, "node")
    assert winning(folder, "node") == winning(folder, "undisturbed")


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
