"""What may be reused for which objective, part by part: a trial that differs in one part is not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.searching.conftest import RESNET, SVM, digits_of, plan_text
from tests.store.example_trials import trial
from tune_mnist.datasets import Dataset
from tune_mnist.models.registry import parameter_types
from tune_mnist.provenance import cpu_name, host
from tune_mnist.searching.history import reusable
from tune_mnist.searching.history.memory import Memory
from tune_mnist.searching.history.reusable import same_training
from tune_mnist.searching.planning.plan import Plan
from tune_mnist.spaces import Config
from tune_mnist.store.plans import SearchRecord
from tune_mnist.store.writer import Writer

Row = dict[str, Any]

TIMED = SVM + "objective: [{metric: val_accuracy, mode: max}, {metric: wall_time_s, mode: min}]\n"
LIMITED = SVM + "constraints: [wall_time_s <= 60]\n"
ASHA = SVM.replace("sampler: grid", "sampler: grid, scheduler: asha") + (
    "fidelity: {parameter: train_fraction, rungs: [0.25, 0.5, 1.0]}\n"
)
RBF: Config = {"kernel": "rbf", "C": 1.0}
NET: Config = {"batch_size": 64, "learning_rate": 0.01, "epochs": 2}

EVERYWHERE = [
    *({name: value} for name, value in (("model", "resnet"), ("seed", 1), ("split", "other"))),
    *({name: "0" * 64} for name in ("data_hash", "code_hash")),
    *({name: value} for name, value in (("gpus", 1.0), ("config", {**RBF, "C": 10.0}))),
]
PLACE = [{"device": "another processor"}, {"cpus": 2.0}]
ELSEWHERE = [{"host": "another"}, *PLACE, {"engine": "shared-gram"}]


@pytest.fixture(scope="module")
def data() -> Dataset:
    return digits_of(train=64, others=32)


def known(
    tmp_path: Path, text: str, data: Dataset, fidelities: tuple[float, ...] = (), **changed: Any
) -> bool:
    """Return whether a plan of this space finds a past trial that differs in what is given."""
    tmp_path.mkdir(exist_ok=True)
    plan = replace(plan_text(tmp_path, text), engine=("scikit-learn", "so says the test"))
    return found(tmp_path / "results", plan, data, fidelities, changed)


def found(
    root: Path, plan: Plan, data: Dataset, fidelities: tuple[float, ...], changed: Row
) -> bool:
    """Write a trial as this plan would, but for what is changed; return whether it is found."""
    model = plan.space.model
    config = RBF if model == "svm" else NET
    alike = same_training(plan, data, model) | {"cpus": 1.0, "gpus": 0.0, "engine": "scikit-learn"}
    row = trial("00000", dataset="digits", config=config, device=cpu_name(), host=host())
    measured = fidelities or ((1.0,) if model == "svm" else (1.0, 2.0))
    curve = [{"step": i, "fidelity": f, "val_accuracy": 0.9} for i, f in enumerate(measured, 1)]
    with Writer(root, "past", parameter_types()) as writer:
        writer.write_search(SearchRecord())
        writer.append_trial(row | alike | changed, curve)
    return Memory(root, plan, data).find(config) is not None


@pytest.mark.parametrize(
    "text", [SVM, TIMED, LIMITED, RESNET], ids=["svm", "timed", "where", "net"]
)
def test_a_trial_that_differs_in_nothing_is_reused(
    tmp_path: Path, data: Dataset, text: str
) -> None:
    assert known(tmp_path, text, data)


@pytest.mark.parametrize("changed", EVERYWHERE, ids=json.dumps)
def test_another_training_is_never_reused(tmp_path: Path, data: Dataset, changed: Row) -> None:
    assert not known(tmp_path, SVM, data, **changed)


@pytest.mark.parametrize("changed", ELSEWHERE, ids=json.dumps)
def test_an_svm_is_the_same_in_every_place_unless_time_decides(
    tmp_path: Path, data: Dataset, changed: Row
) -> None:
    assert known(tmp_path / "a", SVM, data, **changed)
    assert not known(tmp_path / "b", TIMED, data, **changed)
    assert not known(tmp_path / "c", LIMITED, data, **changed)


def test_a_latency_counts_only_where_it_was_measured(tmp_path: Path, data: Dataset) -> None:
    quick = SVM + "constraints: [latency_batch_1_s <= 0.001]\n"
    assert not known(tmp_path / "a", quick, data)  # a row from before latencies were measured
    assert known(tmp_path / "b", quick, data, latency_batch_1_s=0.0001)
    assert not known(tmp_path / "c", quick, data, latency_batch_1_s=0.0001, host="another")


@pytest.mark.parametrize("changed", PLACE, ids=json.dumps)
def test_a_resnets_numbers_depend_on_the_processor_and_the_cores(
    tmp_path: Path, data: Dataset, changed: Row
) -> None:
    assert not known(tmp_path, RESNET, data, **changed)


def test_a_resnet_on_another_host_of_the_same_kind_is_reused_unless_time_decides(
    tmp_path: Path, data: Dataset
) -> None:
    timed = (
        RESNET
        + "objective: [{metric: val_accuracy, mode: max}, {metric: wall_time_s, mode: min}]\n"
    )
    assert known(tmp_path / "a", RESNET, data, host="another")
    assert not known(tmp_path / "b", timed, data, host="another")


@pytest.mark.parametrize(
    ("changed", "usual", "timed"),
    [
        ({}, True, True),
        ({"cpus": 2.0}, True, False),  # a GPU's numbers do not depend on the cores
        ({"gpus": 0.5}, True, False),
        ({"device": "GPU B"}, False, False),
        ({"gpus": 0.0}, False, False),
    ],
    ids=str,
)
def test_on_a_gpu_the_model_of_the_gpu_counts(
    tmp_path: Path,
    data: Dataset,
    monkeypatch: pytest.MonkeyPatch,
    changed: Row,
    usual: bool,
    timed: bool,
) -> None:
    monkeypatch.setattr(reusable, "gpu_name", lambda: "GPU A")
    for text, expected in ((RESNET, usual), (RESNET + "constraints: [wall_time_s <= 60]\n", timed)):
        folder = tmp_path / str(len(text))
        folder.mkdir()
        plan = replace(plan_text(folder, text), device="gpu", gpus=1)
        row = {"device": "GPU A", "gpus": 1.0} | changed
        assert found(folder / "results", plan, data, (), row) == expected


@pytest.mark.parametrize(
    ("text", "fidelities", "expected"),
    [
        (SVM, (0.25, 0.5, 1.0), False),  # its time is the sum over the rungs
        (ASHA, (1.0,), False),  # it was not compared on the rungs
        (ASHA, (0.1, 1.0), False),
        (ASHA, (0.25, 0.5, 1.0), True),
    ],
    ids=str,
)
def test_a_ladder_is_reused_on_the_same_rungs_only(
    tmp_path: Path, data: Dataset, text: str, fidelities: tuple[float, ...], expected: bool
) -> None:
    assert known(tmp_path, text, data, fidelities) == expected
