"""The plan: bundles, concurrency, budgets, and what is refused before Ray starts."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tune_mnist.datasets import load_dataset
from tune_mnist.errors import InputError
from tune_mnist.searching.planning.machine import Machine
from tune_mnist.searching.planning.plan import plan_search, seen_note, with_engine
from tune_mnist.spaces import Overrides, Space, find_space, override, read_space

LAPTOP = Machine(cpus=4, gpus=0, memory_bytes=8 * 2**30)
GPU_BOX = Machine(cpus=16, gpus=2, memory_bytes=64 * 2**30)


def shipped(name: str, **resources: float) -> Space:
    return override(read_space(find_space(name)), Overrides(resources=resources))


def test_concurrency_is_how_many_bundles_fit() -> None:
    plan = plan_search(shipped("report/svm", cpu=2), cpus=None, gpus=0, machine=LAPTOP)
    assert (plan.bundles(), plan.concurrency) == ([{"cpu": 2.0, "gpu": 0.0}], 2)


def test_a_fraction_of_a_gpu_puts_several_trials_on_one() -> None:
    space = shipped("report/resnet", gpu=0.25)
    assert plan_search(space, cpus=16, gpus=1, machine=GPU_BOX).concurrency == 4


def test_more_cpus_than_there_are_is_capped_with_a_note() -> None:
    plan = plan_search(shipped("report/svm"), cpus=8, gpus=0, machine=LAPTOP)
    assert plan.cpus == 4
    assert any("`cpus`: 8 asked for, this machine has 4" in note for note in plan.notes)


def test_gpus_that_are_not_there_are_refused() -> None:
    with pytest.raises(InputError, match="`gpus`: 1 asked for, but torch sees 0 CUDA"):
        plan_search(shipped("report/resnet"), cpus=None, gpus=1, machine=LAPTOP)


def test_a_bundle_that_never_fits_is_refused() -> None:
    with pytest.raises(InputError, match="`cpus_per_trial`: 8 asked for one trial"):
        plan_search(shipped("report/svm", cpu=8), cpus=None, gpus=0, machine=LAPTOP)


def test_pin_memory_collapses_on_cpu_and_says_so() -> None:
    on_cpu = plan_search(shipped("report/resnet"), cpus=None, gpus=0, machine=LAPTOP)
    on_gpu = plan_search(shipped("report/resnet"), cpus=None, gpus=1, machine=GPU_BOX)
    assert (on_cpu.configurations, on_gpu.configurations) == (32, 64)
    assert any("pin_memory" in note for note in on_cpu.notes)


@pytest.mark.parametrize(
    ("asked", "refused"),
    [
        ("parameters: {precision: bfloat16}", True),
        ("parameters: {precision: {choice: [float32, bfloat16]}}", True),
        ("parameters: {precision: float32}", False),
        ("points: [{precision: bfloat16}]", True),
        (
            "parameters: {device: {choice: [cpu, gpu]}, "
            "precision: {choice: [bfloat16], when: {device: gpu}}}",
            False,
        ),
    ],
)
def test_bfloat16_needs_a_processor_that_has_it(tmp_path: Path, asked: str, refused: bool) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        f"model: resnet\ndataset: digits\n{asked}\nsearch: {{trials: 1, sampler: grid}}\n"
    )
    space = read_space(file)
    gpus = 1 if "gpu" in asked else 0
    new, old = (replace(GPU_BOX, bfloat16=has) for has in (True, False))
    plan_search(space, cpus=None, gpus=gpus, machine=new)
    if refused:
        with pytest.raises(InputError, match=r"parameters\.precision: bfloat16, .*use float32"):
            plan_search(space, cpus=None, gpus=gpus, machine=old)
    else:
        plan_search(space, cpus=None, gpus=gpus, machine=old)


def test_a_space_that_names_the_gpu_needs_one() -> None:
    with pytest.raises(InputError, match=r"parameters\.device: .*add `gpus=1`"):
        plan_search(shipped("report/devices"), cpus=None, gpus=0, machine=LAPTOP)


def test_each_device_has_its_own_bundle() -> None:
    plan = plan_search(shipped("report/devices"), cpus=None, gpus=1, machine=GPU_BOX)
    assert plan.bundle({"device": "cpu"})["gpu"] == 0.0
    assert plan.bundle({"device": "gpu"})["gpu"] == 1.0


def test_an_infinite_space_needs_an_end(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("model: svm\ndataset: digits\nparameters:\n  C: {uniform: [0.1, 1.0]}\n")
    with pytest.raises(InputError, match="set `trials`, `time_budget_s` or `target`"):
        plan_search(read_space(file), cpus=None, gpus=0, machine=LAPTOP)


def test_asha_without_measurements_to_stop_at_is_refused() -> None:
    with pytest.raises(InputError, match="an SVM is measured once"):
        override(read_space(find_space("svm")), Overrides(search={"scheduler": "asha"}))


def test_svm_leaves_the_gpus_alone_and_says_so() -> None:
    plan = plan_search(shipped("svm"), cpus=None, gpus=1, machine=GPU_BOX)
    assert plan.gpus == 0
    assert any("an SVM trains on the CPU" in note for note in plan.notes)


def test_the_plan_says_which_engine_trains_the_svms_and_why() -> None:
    plan = plan_search(shipped("report/svm"), cpus=None, gpus=0, machine=LAPTOP)
    engine = with_engine(plan, load_dataset("digits"), LAPTOP).engine
    assert engine is not None
    assert engine[0] != "shared-gram"
    assert "1,257 training rows" in engine[1]


@pytest.mark.parametrize(
    ("parameters", "shape", "note"),
    [
        ("epochs: 1", (28, 28), "resnet: sees the images at 32x32 pixels"),
        ("epochs: 1", (48, 48), None),
        ("image_size: {choice: [16, 96]}", (28, 28, 3), "at 16x16 or 96x96 pixels"),
        ("colour: grey", (64, 64, 3), "at 64x64 pixels, in grey"),
        ("colour: {choice: [keep, grey]}", (64, 64, 3), "at 64x64 pixels, in colour and in grey"),
        ("colour: grey", (64, 64), None),
    ],
)
def test_a_note_says_how_the_network_sees_the_images(
    tmp_path: Path, parameters: str, shape: tuple[int, ...], note: str | None
) -> None:
    space = f"model: resnet\ndataset: digits\nparameters:\n  {parameters}\n"
    (tmp_path / "space.yaml").write_text(space)
    images = np.zeros((2, *shape), np.uint8)
    said = seen_note(read_space(tmp_path / "space.yaml"), images)
    assert len(said) == (note is not None)
    assert note is None or said[0].endswith(note)


@pytest.mark.parametrize(("shape", "notes"), [((28, 20), 0), ((90, 70), 1)])
def test_an_svm_sees_images_as_they_are_stored_up_to_64_pixels(
    tmp_path: Path, shape: tuple[int, int], notes: int
) -> None:
    (tmp_path / "space.yaml").write_text("model: svm\ndataset: digits\nparameters:\n  C: 1.0\n")
    space = read_space(tmp_path / "space.yaml")
    assert len(seen_note(space, np.zeros((2, *shape), np.uint8))) == notes


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="only Linux pins a process")
def test_only_the_cores_that_this_process_may_use_are_counted() -> None:
    code = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))});"
        "from tune_mnist.searching.planning.machine import this_machine;"
        "print(this_machine(ask_torch=False).cpus)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "1"
