"""A model of your own on real Ray: searched, stopped early, failing, continued."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.models.written import HEAD
from tune_mnist.actions.exporting.export import export
from tune_mnist.actions.requests import ExportRequest, ResumeRequest, SearchRequest
from tune_mnist.actions.search import resume, search
from tune_mnist.actions.status import replay
from tune_mnist.code_hash import code_hash
from tune_mnist.searching.observer import Observer, Row
from tune_mnist.searching.on_ray import run
from tune_mnist.store.plans import read_search
from tune_mnist.store.reader import read_reports, read_trials

pytestmark = pytest.mark.usefixtures("running_ray")

GUIDE = Path(__file__).parents[2] / "docs" / "guide" / "models"

FRAGILE = (
    HEAD
    + """
class TwoPartsError(Exception):
    def __init__(self, one, other):  # so it cannot be read back from a pickle
        super().__init__(f"{one} and {other}")

@trainer(resumable=True)
def train(config: Config, data: TrainingData, report: Reporter) -> None:
    if config.scale > 5:
        raise TwoPartsError("too", "bright")
    seen = report.state or {"epochs": 0}
    for epoch in report.epochs():
        seen = {"epochs": seen["epochs"] + epoch}
        report(zeros, parameters=seen["epochs"], state=seen)

def zeros(images):
    if len(images) == 1:
        raise ValueError("one image is too few")
    return [0] * len(images)
"""
)

SPACE = """
model: fragile:train
dataset: digits
parameters: {scale: {choice: [9.0, 1.0]}, epochs: 40}
search: {sampler: grid, max_concurrent: 1}
"""


def test_the_guides_network_is_searched_with_asha_on_digits_from_its_file(tmp_path: Path) -> None:
    space = GUIDE / "small_cnn.yaml"
    asked = SearchRequest(space=str(space), trials=6, max_concurrent=1, results=tmp_path, name="s")
    searched = search(asked)
    assert searched.best is not None
    assert searched.best["val_accuracy"] > 0.9
    rows = read_trials(tmp_path, search="s").to_pylist()
    assert len(rows) == 6
    assert {row["status"] for row in rows} == {"completed", "stopped"}
    assert {row["model"] for row in rows} == {"small_cnn:train"}
    assert {row["code_hash"] for row in rows} == {code_hash("small_cnn:train")}
    assert {row["config.channels"] is not None for row in rows} == {True}
    files = {"small_cnn:train": str(GUIDE / "small_cnn.py")}
    assert read_search(tmp_path, "s").model_files == files
    again = replay(tmp_path, "s")
    assert again.reproduced == again.proposals == 6
    timed = {row["status"]: row["latency_batch_1_s"] is not None for row in rows}
    assert timed == {"completed": True, "stopped": False}
    exported = export(ExportRequest(search="s", results=tmp_path, out=tmp_path / "winner"))
    assert (exported.trial, exported.file) == (searched.best["trial"], "model.pt2")
    assert exported.check.images == exported.check.equal == 179


class Listens(Observer):
    """Remembers which models were not timed or not kept."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def not_timed(self, trial: str, problem: str) -> None:
        self.said.append(problem)

    def model_not_kept(self, trial: str, problem: str) -> None:
        self.said.append(problem)


class InterruptsAfterFive(Observer):
    def trial_reported(self, trial: str, measurement: Row) -> None:
        if measurement["step"] == 5:
            os.kill(os.getpid(), signal.SIGINT)


def test_its_failures_are_failed_trials_and_an_interrupted_one_continues_from_its_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "SAVE_EVERY_S", 0.0)
    (tmp_path / "fragile.py").write_text(FRAGILE)
    space = tmp_path / "fragile.yaml"
    space.write_text(SPACE)
    results = tmp_path / "results"
    asked = SearchRequest(space=str(space), results=results, name="s")
    assert search(asked, InterruptsAfterFive()).outcome.reason == "interrupted"
    [failed] = read_trials(results, search="s").to_pylist()
    assert (failed["status"], failed["config.scale"]) == ("failed", 9.0)
    assert failed["error"] == "RuntimeError: TwoPartsError: too and bright"
    listens = Listens()
    resume(ResumeRequest(search="s", results=results), listens)
    _, row = read_trials(results, search="s").to_pylist()
    assert (row["status"], row["parameters"]) == ("completed", sum(range(1, 41)))
    not_saved, not_timed = sorted(listens.said)
    assert not_timed == "ValueError: one image is too few"
    assert "fragile:train reports a function, which only a pickle could save" in not_saved
    assert row["latency_batch_1_s"] is None
    steps = read_reports(results, search="s")["step"].to_pylist()
    assert steps[0] > 1  # it did not begin again
    assert steps[-1] == 40
