"""Trials with several kinds of bundles side by side: on one machine, and on a mixed cluster."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.searching.planning.test_cluster import NODES, planned
from tune_mnist.errors import InputError
from tune_mnist.searching.planning.machine import Cluster, Machine
from tune_mnist.searching.planning.places import room_for
from tune_mnist.searching.planning.plan import Plan, plan_search
from tune_mnist.spaces import read_space

MIXED = """
model: resnet
dataset: digits
parameters:
  device: {choice: [cpu, gpu]}
  architecture: {choice: [resnet18, resnet50]}
  learning_rate: {log_uniform: [0.001, 0.1]}
search: {trials: 100}
"""
ON_CPU, ON_GPU = {"cpu": 1.0, "gpu": 0.0}, {"cpu": 1.0, "gpu": 0.25}
BUNDLES = """
resources:
  - {cpu: 1, gpu: 0.25, when: {device: gpu}}
  - {cpu: 4, when: {architecture: resnet50}}
  - {cpu: 2}
"""


def on_machine(folder: Path, text: str, cpus: int = 16, gpus: int = 1) -> Plan:
    (folder / "space.yaml").write_text(text)
    machine = Machine(cpus=cpus, gpus=gpus, memory_bytes=2**36)
    return plan_search(read_space(folder / "space.yaml"), cpus=None, gpus=gpus, machine=machine)


@pytest.mark.parametrize(
    ("config", "bundle"),
    [
        ({"device": "gpu", "architecture": "resnet50"}, {"cpu": 1, "gpu": 0.25}),
        ({"device": "cpu", "architecture": "resnet50"}, {"cpu": 4, "gpu": 0}),
        ({"device": "cpu", "architecture": "resnet18"}, {"cpu": 2, "gpu": 0}),
    ],
)
def test_the_first_bundle_that_holds_for_a_configuration_is_its_own(
    tmp_path: Path, config: dict[str, str], bundle: dict[str, float]
) -> None:
    plan = on_machine(tmp_path, MIXED + BUNDLES)
    assert plan.bundle({**config}) == bundle
    assert plan.bundles() == [{"cpu": 4, "gpu": 0}, {"cpu": 2, "gpu": 0}, {"cpu": 1, "gpu": 0.25}]


def test_a_bundle_may_depend_on_a_device_that_the_request_decides(tmp_path: Path) -> None:
    text = MIXED.replace("  device: {choice: [cpu, gpu]}\n", "") + BUNDLES
    on_gpu, on_cpu = (on_machine(tmp_path, text, gpus=n) for n in (1, 0))
    assert on_gpu.bundles() == [{"cpu": 1, "gpu": 0.25}]
    assert on_cpu.bundles() == [{"cpu": 4, "gpu": 0}, {"cpu": 2, "gpu": 0}]


def test_a_trial_that_no_bundle_holds_for_gets_a_core_and_a_whole_gpu(tmp_path: Path) -> None:
    text = MIXED + "resources: {cpu: 4, when: {architecture: resnet50}}\n"
    plan = on_machine(tmp_path, text)
    assert plan.bundle({"device": "gpu", "architecture": "resnet18"}) == {"cpu": 1, "gpu": 1}
    assert plan.bundle({"device": "cpu", "architecture": "resnet50"}) == {"cpu": 4, "gpu": 0}


@pytest.mark.parametrize(
    ("resources", "fault"),
    [
        (
            "[{cpu: 2, when: {architecture: resnet18, learning_rate: 0.01}}]",
            "learning_rate: learning_rate is continuous, so it is never exactly 0.01",
        ),
        (
            "[{cpu: 2, when: {optimizer: adam}}, {cpu: 1}]",
            r"resources\[0\].when.optimizer: optimizer is never 'adam'; add optimizer to param",
        ),
    ],
)
def test_a_bundle_that_no_trial_gets_is_refused(tmp_path: Path, resources: str, fault: str) -> None:
    with pytest.raises(InputError, match=fault):
        on_machine(tmp_path, MIXED + f"resources: {resources}\n")


def test_a_whole_gpu_is_what_a_trial_on_one_gets_unless_the_space_says_less(tmp_path: Path) -> None:
    assert on_machine(tmp_path, MIXED).bundle({"device": "gpu"})["gpu"] == 1.0
    quarter = MIXED + "resources: {gpu: 0.25}\n"
    assert on_machine(tmp_path, quarter).bundle({"device": "gpu"})["gpu"] == 0.25


@pytest.mark.parametrize(
    ("cpus", "running", "on_cpu", "on_gpu"),
    [
        (16, [], 12, 4),  # 4 cores are kept for the GPU
        (16, [ON_CPU] * 12, 0, 4),
        (16, [ON_GPU] * 4, 12, 0),
        (16, [ON_CPU] * 12 + [ON_GPU] * 4, 0, 0),
        (2, [], 1, 2),  # the cores do not keep the GPU busy, and both kinds have a place
        (2, [ON_CPU], 0, 1),
        (1, [], 1, 1),
        (1, [ON_GPU], 0, 0),
    ],
)
def test_trials_without_a_gpu_leave_the_cores_that_the_gpus_need(
    cpus: int, running: list[dict[str, float]], on_cpu: int, on_gpu: int
) -> None:
    room = room_for([ON_CPU, ON_GPU], cpus, 1, None)
    assert (room.places(ON_CPU, running), room.places(ON_GPU, running)) == (on_cpu, on_gpu)


def test_on_a_cluster_they_have_the_nodes_without_gpus() -> None:
    room = room_for([ON_CPU, ON_GPU], 14, 2, Cluster("head:1", NODES))
    assert (room.places(ON_CPU), room.places(ON_GPU)) == (6, 8)
    room = room_for([{"cpu": 4.0, "gpu": 0.0}, ON_GPU], 14, 2, Cluster("head:1", NODES))
    assert room.places({"cpu": 4.0, "gpu": 0.0}) == 1  # which fits beside the GPUs only


def test_side_by_side_are_the_trials_of_all_kinds_together(tmp_path: Path) -> None:
    assert on_machine(tmp_path, MIXED).concurrency == 16
    assert on_machine(tmp_path, MIXED + BUNDLES).concurrency == 4 + 6
    on_cluster = planned(tmp_path, MIXED + "resources: {gpu: 0.5}\n")
    assert on_cluster.concurrency == 4 + 6
