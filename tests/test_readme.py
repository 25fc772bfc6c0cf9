"""The README's own examples: the space is valid, the store opens with the lines it shows."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from tests.analysis.example_store import trial, write_store
from tune_mnist.cli import run
from tune_mnist.spaces import parameter_types, read_space
from tune_mnist.store.writer import Writer

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


@pytest.fixture
def in_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with a store of one SVM and one ResNet trial in `results`, as the README has it."""
    monkeypatch.chdir(tmp_path)
    for model, config in (("svm", {"kernel": "rbf", "C": 1.0}), ("resnet", {"epochs": 2})):
        with Writer(Path("results"), f"{model}-1", parameter_types()) as writer:
            trial = {"trial": "00000", "attempt": 1, "status": "completed", "model": model}
            writer.append_trial({**trial, "config": config, "val_accuracy": 0.9}, [])


def test_the_example_space_is_valid(tmp_path: Path) -> None:
    [text] = blocks("yaml")
    file = tmp_path / "my_space.yaml"
    file.write_text(text)
    assert read_space(file).search.trials == 40


def test_pandas_opens_the_store_with_one_line(in_store: None) -> None:
    names: dict[str, pd.DataFrame] = {}
    exec(next(block for block in blocks("python") if "pandas" in block), names)
    trials = names["trials"]
    assert set(trials["search"]) == {"svm-1", "resnet-1"}
    assert set(trials["config.kernel"].dropna()) == {"rbf"}


def test_duckdb_opens_the_store_with_one_line(in_store: None) -> None:
    names: dict[str, duckdb.DuckDBPyRelation] = {}
    exec(next(block for block in blocks("python") if "duckdb" in block), names)
    assert sorted(names["best"].fetchall(), key=str) == [("rbf", 0.9), (None, 0.9)]


COMMANDS = re.findall(r"^    python -m tune_mnist (.*)$", README, flags=re.MULTILINE)


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.startswith("search")])
def test_every_search_in_the_readme_parses(
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Dry, on the digits, and without the GPU that CI has not."""
    monkeypatch.chdir(tmp_path)
    Path("my_space.yaml").write_text(blocks("yaml")[0])
    words = shlex.split(command.replace("--gpus 1", "").replace("./my_images", "digits"))
    assert run([*words, "--dataset", "digits", "--dry-run"]) == 0, capsys.readouterr().err


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.startswith("spaces")])
def test_every_spaces_command_in_the_readme_runs(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("my_space.yaml").write_text(blocks("yaml")[0])
    assert run(shlex.split(command)) == 0


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.startswith("leaderboard")])
def test_every_leaderboard_in_the_readme_is_answered(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    figures = {"wall_time_s": 10.0, "parameters": 5}
    write_store(Path("results"), [trial("a", 0.95, dataset="mnist", **figures)])
    assert run(shlex.split(command)) == 0


def test_the_make_targets_in_the_readme_exist() -> None:
    makefile = (Path(__file__).parents[1] / "Makefile").read_text()
    targets = re.findall(r"\bmake (\w+)", README)
    assert targets
    assert all(re.search(rf"^{target}:", makefile, flags=re.MULTILINE) for target in targets)
