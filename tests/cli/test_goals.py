"""What a search of several objectives says at its end."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from tests.analysis.example_store import trial, write_store
from tune_mnist.cli.shown import print_goals
from tune_mnist.spaces import Overrides, find_space, override, read_space


@pytest.fixture
def store(tmp_path: Path) -> Path:
    measured = [(0.98, 90.0), (0.97, 50.0), (0.965, 5.0), (0.6, 4.0), (0.97, 1.0)]
    rows = [
        trial(f"{C}", accuracy, wall_time_s=seconds, config={"kernel": "rbf", "C": float(C)})
        for C, (accuracy, seconds) in enumerate(measured, start=1)
    ]
    return write_store(tmp_path, [*rows[:-1], rows[-1] | {"status": "stopped"}])


def said(store: Path, capsys: pytest.CaptureFixture[str], within: float | None = None) -> str:
    space = override(read_space(find_space("svm")), Overrides(objective="val_accuracy,wall_time_s"))
    console = Console(file=io.StringIO(), width=200)
    print_goals(store, "first", space, within, console)
    assert isinstance(console.file, io.StringIO)
    return capsys.readouterr().out + console.file.getvalue()


def test_the_pareto_set_and_its_knee_are_named_without_stopped_trials(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = said(store, capsys)
    assert "4 of 4 trials" in text
    assert "its knee is" in text


def test_the_cheapest_within_the_tolerance_is_named(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "96.50%, 5.00 s) is the cheapest of 3" in said(store, capsys, within=0.02)
