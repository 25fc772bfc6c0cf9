"""The command line with a model of your own: tried out, refused in one line, not needed to read."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.models.written import HEAD, MEANS, write_model
from tests.store.example_trials import report, trial
from tune_mnist.cli import run
from tune_mnist.errors import InputError
from tune_mnist.spaces import read_space
from tune_mnist.store.plans import SearchRecord
from tune_mnist.store.reader import check_columns
from tune_mnist.store.writer import Writer


def fails(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """Run a command that must fail; return its one line on stderr."""
    assert run([str(word) for word in words]) == 2
    [line] = capsys.readouterr().err.splitlines()
    return line


def test_a_check_tries_it_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    space = write_model(tmp_path)
    assert run(["spaces", "check", str(space)]) == 0
    said = capsys.readouterr().out
    assert f"means:train: the code in {tmp_path / 'means.py'}" in said
    assert "tried out on 64 digits: epochs=2 scale=" in said


BROKEN = {
    "an error": (
        "    return data.test\n",
        "'TrainingData' object has no attribute 'test' (means.py",
    ),
    "no report": ("    pass\n", "means:train returned and reported nothing; call report(network)"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_check_names_what_breaks(
    what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    body, said = BROKEN[what]
    space = write_model(tmp_path, f"{HEAD}\ndef train(config: Config, data, report):\n{body}")
    line = fails(capsys, "spaces", "check", space)
    assert line.startswith(f"{space}: model: means:train fails on 64 digits with epochs=2 scale=")
    assert said in line


def test_a_check_names_an_objective_that_is_not_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    space = write_model(tmp_path)
    space.write_text(space.read_text() + 'constraints: ["parameters <= 1000"]\n')
    line = fails(capsys, "spaces", "check", space)
    assert "means:train measures no parameters, which the space needs" in line
    space.write_text(space.read_text().replace('["parameters <= 1000"]', '["val_loss <= 1"]'))
    assert "means:train has no val_loss; use val_accuracy" in fails(
        capsys, "spaces", "check", space
    )


def test_a_model_without_a_space_file_is_told_to_write_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    line = fails(capsys, "search", "means:train")
    assert line == (
        "means:train: no such space; write a space file with the line `model: means:train`, and "
        "search that"
    )


def test_pbt_needs_what_can_change_during_a_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = MEANS.replace("def train", "@trainer(resumable=True)\ndef train")
    line = fails(capsys, "search", write_model(tmp_path, text), "--scheduler", "pbt", "--dry-run")
    assert "--scheduler: pbt changes parameters during a training, and means:train has none" in line


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store with a search of a model whose module is gone."""
    space = read_space(write_model(tmp_path / "code")).model_dump(mode="json")
    space["model"] = "gone:train"
    with Writer(tmp_path / "store", "s", {"scale": float, "epochs": int}) as writer:
        files = {"gone:train": "/x/gone.py"}
        writer.write_search(SearchRecord(space=space, dataset="digits", model_files=files))
        row = {"model": "gone:train", "config": {"scale": 1.5, "epochs": 3}, "proposed_after": 0}
        writer.append_trial({**trial("00000", 0.9), **row}, [report(1)])
    return tmp_path / "store"


@pytest.mark.parametrize("words", [["replay", "s"], ["resume", "s"], ["confirm", "s"]])
def test_what_runs_it_again_says_what_is_missing(
    words: list[str], store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = fails(capsys, *words, "--results", store)
    assert line.startswith("s: there is no module gone in ")
    assert "its code was in /x/gone.py; run the command in its folder, or install it" in line


@pytest.mark.parametrize(
    "words", [["status"], ["leaderboard"], ["leaderboard", "--model", "gone:train"]]
)
def test_what_reads_the_store_does_not_need_it(
    words: list[str], store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*words, "--results", str(store)]) == 0
    assert "1.5" in capsys.readouterr().out or words == ["status"]


def test_a_parameter_that_is_a_text_elsewhere_in_the_store_is_refused(store: Path) -> None:
    check_columns(store, {"scale": int, "epochs": int})  # both are numbers
    with pytest.raises(InputError, match="scale is string here, and double in the store's trials"):
        check_columns(store, {"scale": str})
    check_columns(store / "none", {"scale": str})
