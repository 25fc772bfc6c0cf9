"""The commands as a person types them, and what they print."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tune_mnist.cli import run


def printed(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Run a command line that must succeed; return what it printed."""
    assert run([str(argument) for argument in arguments]) == 0
    return capsys.readouterr().out


def test_help_loads_none_of_the_heavy_libraries() -> None:
    """--help must answer at once; the time itself is claimed in benchmarks/orchestration.py."""
    code = (
        "import sys; from tune_mnist.cli import run; run(['--help']);"
        "heavy = {'torch', 'ray', 'optuna', 'pandas', 'pyarrow', 'plotly', 'sklearn', 'numpy'};"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


def test_spaces_lists_every_space_that_ships(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, "spaces")
    for name in ("resnet", "resnet-wide", "svm", "report/resnet", "report/svm", "report/devices"):
        assert name in text


def test_spaces_show_prints_the_file_and_its_number_of_configurations(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = printed(capsys, "spaces", "show", "report/svm")
    assert "points:" in text
    assert "20 configurations" in text


def test_spaces_show_says_what_collapses_on_which_device(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = printed(capsys, "spaces", "show", "report/resnet")
    assert "32 on CPU, 64 on GPU configurations" in text
    assert "on cpu: pin_memory" in text


def test_dry_run_prints_the_plan_and_runs_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = printed(capsys, "search", "report/svm", "--dataset", "digits", "--dry-run")
    assert "20" in text
    assert "rbf C=100 gamma=scale" in text
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The quick start's SVM search, run as a person runs it; its store and what it printed."""
    folder = tmp_path_factory.mktemp("searched")
    command = [sys.executable, "-m", "tune_mnist", "search", "svm", "--dataset", "digits"]
    options = ["--trials", "5", "--cpus", "2", "--name", "first"]
    done = subprocess.run([*command, *options], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder / "results", done.stdout + done.stderr


def test_search_ends_with_the_winner_and_the_command_that_exports_the_page(
    searched: tuple[Path, str],
) -> None:
    text = searched[1]
    assert "winner" in text
    assert "leaderboard --search first --html leaderboard.html" in text


def test_search_shows_none_of_rays_own_noise(searched: tuple[Path, str]) -> None:
    lines = [line for line in searched[1].splitlines() if line.strip()]
    noisy = [line for line in lines if "ray" in line.lower() or "tune.py" in line]
    assert noisy == []


def test_search_writes_down_its_plan(searched: tuple[Path, str]) -> None:
    plan = json.loads((searched[0] / "searches" / "first.json").read_text())
    assert (plan["dataset"], plan["trials"], plan["seed"]) == ("digits", 5, 0)
    assert plan["request"]["space"] == "svm"


def test_leaderboard_ranks_by_validation_accuracy(
    searched: tuple[Path, str], capsys: pytest.CaptureFixture[str]
) -> None:
    text = printed(capsys, "leaderboard", "--results", searched[0], "--format", "json")
    rows = json.loads(text)
    accuracies = [row["val_accuracy"] for row in rows]
    assert len(rows) == 5
    assert accuracies == sorted(accuracies, reverse=True)


def test_leaderboard_exports_csv_with_fractions(
    searched: tuple[Path, str], capsys: pytest.CaptureFixture[str]
) -> None:
    text = printed(capsys, "leaderboard", "--results", searched[0], "--format", "csv", "--top", 2)
    head, *rows = text.splitlines()
    assert "val_accuracy" in head
    assert len(rows) == 2


def test_a_search_name_is_used_once(
    searched: tuple[Path, str], capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--dataset", "digits", "--name", "first", "--results", str(searched[0])]
    assert run(["search", "svm", *options]) == 2
    assert "first" in capsys.readouterr().err


def test_the_command_line_is_built_without_pydantic() -> None:
    """`--help` stays fast: a request's model is loaded by the command that makes one."""
    code = "import sys, tune_mnist.cli.app; print({'pydantic', 'numpy', 'ray'} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "set()"
