"""What a trial tells Ray Tune, and how it continues from a saved state; on real Ray."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import ray
from ray import tune

from tune_mnist.code_hash import code_hash
from tune_mnist.datasets import Dataset
from tune_mnist.provenance import versions
from tune_mnist.searching.history.resume import newest_whole, saved_states
from tune_mnist.searching.observer import Row
from tune_mnist.searching.on_ray.saving import writing
from tune_mnist.searching.on_ray.saving.fetching import bring_models
from tune_mnist.searching.on_ray.saving.states import StatesFromNodes
from tune_mnist.searching.on_ray.saving.writing import keep_of
from tune_mnist.searching.on_ray.session.nodes import Node
from tune_mnist.searching.on_ray.trainable import Shared, run_trial
from tune_mnist.spaces import Config, Space
from tune_mnist.store.files.models import check_model
from tune_mnist.training.measurement import Measurement, Save
from tune_mnist.training.model import find_model
from tune_mnist.training.options import TrainOptions

NET: Config = {
    "architecture": "resnet18",
    "batch_size": 64,
    "optimizer": "sgd",
    "learning_rate": 0.01,
    "epochs": 3,
}

pytestmark = pytest.mark.usefixtures("running_ray")


class Heard(tune.Callback):
    """Keeps what the trial reports, and whether a checkpoint came with it."""

    def __init__(self) -> None:
        self.results: list[dict[str, Any]] = []

    def on_trial_result(
        self, iteration: int, trials: Any, trial: Any, result: dict[str, Any], **_: Any
    ) -> None:
        self.results.append(result)


def fit(
    trainable: Callable[..., None],
    trial: dict[str, Any],
    shared: Shared,
    folder: Path,
    tune_config: tune.TuneConfig | None = None,
) -> tuple[list[dict[str, Any]], tune.Result]:
    """Run one trial, once more if it fails; return its reports and Tune's result."""
    heard = Heard()
    tuner = tune.Tuner(
        tune.with_resources(tune.with_parameters(trainable, shared=shared), {"cpu": 1}),
        tune_config=tune_config,
        param_space={"number": 0, **trial},
        run_config=tune.RunConfig(
            storage_path=str(folder),
            callbacks=[heard],
            failure_config=tune.FailureConfig(max_failures=1),
            verbose=0,
        ),
    )
    return heard.results, tuner.fit()[0]


def dies_once(trial: dict[str, Any], shared: Shared) -> None:
    """Run the trial, but fail right after its first report."""
    report, mark = tune.report, Path(trial["mark"])

    def report_and_die(*arguments: Any, **named: Any) -> None:
        report(*arguments, **named)
        if not mark.exists():
            mark.touch()
            raise RuntimeError("the test pulls the plug")

    tune.report = report_and_die
    try:
        run_trial(trial, shared)
    finally:
        tune.report = report


def shared_by(data: Dataset, *configs: Config, model: str = "resnet", **rest: Any) -> Shared:
    """What the trials of a space of these configurations share; of `NET` if none is given."""
    space = Space(name="test", models=(model,), dataset="digits", points=configs or (NET,))
    return Shared(data, space, "cpu", None, **rest)


def numbers(reports: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [(r["step"], r["train_loss"], r["val_loss"], r["val_accuracy"]) for r in reports]


@pytest.fixture(scope="module")
def unbroken(
    fewer_digits: Dataset, tmp_path_factory: pytest.TempPathFactory
) -> list[dict[str, Any]]:
    """Reports of the trial that nothing interrupts, its 2-epoch prefix asked for."""
    shared = shared_by(fewer_digits, lengths=(2, 3))
    folder = tmp_path_factory.mktemp("unbroken")
    reports, result = fit(run_trial, {"hyperparameters": NET}, shared, folder)
    assert result.checkpoint is None
    return reports


def test_neither_a_driver_on_digits_nor_a_trial_s_process_imports_what_it_does_not_use() -> None:
    """Each of these takes a second or more, at every start."""
    program = """
import sys
from tune_mnist.datasets import load_dataset
load_dataset("digits")
import tune_mnist.searching.on_ray.trainable
print(*{"sklearn", "scipy", "torch", "optuna", "plotly"} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("\n", "")


def test_a_prefix_reaches_the_driver_whole(unbroken: list[dict[str, Any]]) -> None:
    prefix = unbroken[1]["prefix"]
    assert ("prefix" in unbroken[0], "prefix" in unbroken[2]) == (False, False)
    assert prefix["val_accuracy"] == unbroken[1]["val_accuracy"]
    assert len(prefix["confusion"]) == 100


def test_a_trial_that_died_goes_on_from_its_checkpoint(
    fewer_digits: Dataset, unbroken: list[dict[str, Any]], tmp_path: Path
) -> None:
    shared = shared_by(fewer_digits, save_every_s=0)
    trial = {"hyperparameters": NET, "mark": str(tmp_path / "mark")}
    reports, result = fit(dies_once, trial, shared, tmp_path)
    assert result.error is None
    assert numbers(reports) == numbers(unbroken)  # and none of them twice


def test_the_next_trial_in_a_process_begins_at_its_beginning(
    fewer_digits: Dataset, tmp_path: Path
) -> None:
    configs = [{**NET, "epochs": 2, "batch_size": size} for size in (64, 32)]
    shared = shared_by(fewer_digits, *configs, save_every_s=0)
    trial = {"hyperparameters": tune.grid_search(configs)}
    in_turn = tune.TuneConfig(max_concurrent_trials=1, reuse_actors=True)
    reports, _ = fit(run_trial, trial, shared, tmp_path, in_turn)
    assert [r["step"] for r in reports] == [1, 2, 1, 2]


def test_no_state_is_saved_before_it_is_due(fewer_digits: Dataset, tmp_path: Path) -> None:
    shared = shared_by(fewer_digits, {**NET, "epochs": 2}, save_every_s=3600)
    _, result = fit(run_trial, {"hyperparameters": {**NET, "epochs": 2}}, shared, tmp_path)
    assert result.checkpoint is None


def test_a_trial_goes_on_from_the_folder_it_is_given(
    fewer_digits: Dataset, unbroken: list[dict[str, Any]], tmp_path: Path
) -> None:
    def keep(measurement: Measurement, save: Save | None) -> None:
        if measurement["step"] == 2 and save:
            save(tmp_path / "state")

    find_model("resnet").train(NET, fewer_digits, keep, TrainOptions(threads=1))
    shared = shared_by(fewer_digits)
    trial = {"hyperparameters": NET, "restore": str(tmp_path / "state")}
    reports, _ = fit(run_trial, trial, shared, tmp_path)
    assert [r["step"] for r in reports] == [3]
    assert numbers(reports) == numbers(unbroken[2:])


def test_a_trial_on_a_cluster_goes_on_from_a_state_that_was_brought_to_the_driver(
    fewer_digits: Dataset, unbroken: list[dict[str, Any]], tmp_path: Path
) -> None:
    """Its process keeps its last two states; the driver gets the newest, whole, and sends it."""
    here = ray.get_runtime_context().get_node_id()
    shared = shared_by(fewer_digits, save_every_s=0, driver=here)
    reports, result = fit(run_trial, {"hyperparameters": NET}, shared, tmp_path)
    assert result.checkpoint is None
    saved = [one["state"] for one in reports if "state" in one]
    assert [Path(one["folder"]).is_dir() for one in saved] == [True, True]
    brought = StatesFromNodes(tmp_path / "states", "run")
    brought.offer("00000", saved[1])
    brought.stop(60)
    assert brought.problems() == []
    state = newest_whole(saved_states(tmp_path / "states")[0])
    assert state == tmp_path / "states" / "run" / "00000" / "checkpoint_000000"
    trial = {"hyperparameters": NET, "restore": str(state)}
    again, _ = fit(run_trial, trial, shared, tmp_path)
    assert numbers(again) == numbers(unbroken[2:])


@pytest.mark.parametrize("model", ["svm", "resnet"])
def test_a_ladder_reports_each_rung_and_tests_the_last(
    model: Any, fewer_digits: Dataset, tmp_path: Path
) -> None:
    config: Config = (
        {"kernel": "rbf", "C": 1.0, "gamma": "scale"} if model == "svm" else {**NET, "epochs": 1}
    )
    shared = shared_by(fewer_digits, config, model=model, rungs=(0.25, 1.0))
    reports, _ = fit(run_trial, {"hyperparameters": config}, shared, tmp_path)
    assert [(r["step"], r["fidelity"]) for r in reports] == [(1, 0.25), (2, 1.0)]
    assert ["test_accuracy" in r for r in reports] == [False, True]
    assert reports[1]["wall_time_s"] > reports[0]["wall_time_s"]


def test_a_configuration_outside_the_space_never_runs(
    fewer_digits: Dataset, tmp_path: Path
) -> None:
    outside = {"hyperparameters": {**NET, "learning_rate": 0.02}}
    reports, result = fit(run_trial, outside, shared_by(fewer_digits), tmp_path)
    assert reports == []
    assert "0.02} is not in the search space" in str(result.error).replace(", 'epochs': 3", "")


def test_a_node_with_other_libraries_says_so(
    fewer_digits: Dataset, unbroken: list[dict[str, Any]], tmp_path: Path
) -> None:
    """Its versions, and the hash of the code that it ran, are in what the trial reports."""
    assert "versions" not in unbroken[0]
    shared = shared_by(fewer_digits, {**NET, "epochs": 1}, versions={"torch": "of the driver"})
    reports, _ = fit(run_trial, {"hyperparameters": {**NET, "epochs": 1}}, shared, tmp_path)
    assert json.loads(reports[0]["versions"]) == versions()
    assert reports[0]["code_hash"] == code_hash("resnet")
    alike = shared_by(fewer_digits, {**NET, "epochs": 1}, versions=versions())
    reports, _ = fit(run_trial, {"hyperparameters": {**NET, "epochs": 1}}, alike, tmp_path / "b")
    assert "versions" not in reports[0]


LOGISTIC: Config = {"C": 1.0, "max_iter": 50}


def offered(data: Dataset, candidates: Path, bar: list[Row] | None = None) -> Measurement:
    """Train a logistic regression as a trial with this bar does; return its measurement."""
    space = shared_by(data, LOGISTIC, model="logistic").space
    trial = {"number": 7, "hyperparameters": LOGISTIC, "bar": [] if bar is None else bar}
    options = TrainOptions(threads=1, keep=keep_of(trial, space, candidates, 1))
    return find_model("logistic").train(LOGISTIC, data, lambda *_: None, options)


def test_a_trial_writes_its_model_only_if_it_may_be_the_best(
    fewer_digits: Dataset, tmp_path: Path
) -> None:
    best = {"trial": "00001", "status": "completed", "val_accuracy": 1.0, "wall_time_s": 0.0}
    assert "saved" not in offered(fewer_digits, tmp_path, [best])
    assert list(tmp_path.iterdir()) == []
    assert Path(offered(fewer_digits, tmp_path)["saved"]).parent == tmp_path


def test_a_model_that_cannot_be_saved_costs_no_trial(
    fewer_digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(folder: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writing, "seal", full)
    measured = offered(fewer_digits, tmp_path)
    assert measured["val_accuracy"] > 0
    assert "saved" not in measured
    [problem] = bring_models([{**measured}], tmp_path, None)
    assert "No space left on device" in problem
    assert list(tmp_path.iterdir()) == []


def test_a_model_is_fetched_from_a_node_that_does_not_see_the_store(
    fewer_digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: Row = {**offered(fewer_digits, tmp_path / "on another machine")}
    here = Node("this machine", "", ray.get_runtime_context().get_node_id())
    monkeypatch.setattr(Path, "is_dir", lambda _: False)
    assert bring_models([measured], tmp_path / "here", here) == []
    monkeypatch.undo()
    found = Path(measured["saved"])
    assert found.parent == tmp_path / "here"
    assert {file.name for file in check_model(found).iterdir()} == {
        *("files.json", "model.json", "model.safetensors"),
    }


def test_a_model_on_a_node_that_has_died_is_said_to_be_lost(tmp_path: Path) -> None:
    gone = Node("gone", "", "f" * 56)
    measured: Row = {"saved": str(tmp_path / "there")}
    [problem] = bring_models([measured], tmp_path, gone)
    assert problem
    assert "saved" not in measured
