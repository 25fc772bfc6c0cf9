"""What `leaderboard` answers beyond the ranking: constraints, the cheapest, the Pareto set."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.analysis.example_store import trial, write_store
from tune_mnist.cli import run

SVMS = [(1.0, 0.970, 60.0), (2.0, 0.969, 8.0), (3.0, 0.95, 2.0), (4.0, 0.9, 9.0)]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    rows = [
        trial(f"{C:g}", accuracy, wall_time_s=s, config={"kernel": "rbf", "C": C})
        for C, accuracy, s in SVMS
    ]
    return write_store(tmp_path / "results", rows)


def printed(capsys: pytest.CaptureFixture[str], store: Path, *arguments: object) -> str:
    """Run a leaderboard command that must succeed; return what it printed."""
    line = ["leaderboard", "--results", store, *arguments]
    assert run([str(argument) for argument in line]) == 0
    return capsys.readouterr().out


def test_within_prints_the_cheapest_after_the_table(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = printed(capsys, store, "--within", 0.002)
    assert text.splitlines()[-1] == (
        "digits on cpu: svm rbf C=2 (96.90%, 8.00 s) is the cheapest of 2 within 0.2 points of the"
        " best (97.00%, svm rbf C=1)"
    )


def test_json_has_the_within_answer_next_to_the_ranking(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = json.loads(printed(capsys, store, "--within", 0.002, "--format", "json"))
    assert [row["trial"] for row in found["ranking"]] == ["1", "2", "3", "4"]
    assert found["within"][0]["config"] == {"C": 2.0, "kernel": "rbf"}


def test_where_is_applied_before_everything_else(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    limits = ["--where", "wall_time_s <= 60", "--where", "val_accuracy < 0.97"]
    found = json.loads(printed(capsys, store, *limits, "--within", 0.02, "--format", "json"))
    assert [row["trial"] for row in found["ranking"]] == ["2", "3", "4"]
    assert found["within"][0]["best_accuracy"] == 0.969


def test_pareto_prints_the_set_its_knee_and_the_fronts_behind(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = printed(capsys, store, "--pareto", "val_accuracy,wall_time_s")
    assert "Pareto set on digits: 3 of 4 trials; its knee is rbf C=2" in text
    [marked] = [
        line for line in text.splitlines() if line.rstrip().endswith("knee") and "C=" in line
    ]
    assert "C=2" in marked


def test_pareto_in_csv_has_front_and_knee(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, store, "--pareto", "val_accuracy,wall_time_s", "--format", "csv")
    rows = [line.split(",") for line in text.splitlines()]
    assert [(row[0], row[-1]) for row in rows] == [
        ("front", "knee"),
        ("1", "False"),
        ("1", "True"),
        ("1", "False"),
        ("2", "False"),
    ]


def test_page_names_the_cheapest_and_says_which_trials_it_shows(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.html"
    printed(capsys, store, "--where", "wall_time_s < 61", "--within", 0.002, "--html", page)
    text = page.read_text("utf-8")
    assert "Cheapest within 0.2 points of the best, on cpu" in text
    assert "only trials with wall_time_s &lt; 61" in text


BAD = {
    "unknown metric": (["--where", "wal_time_s <= 60"], "did you mean wall_time_s?"),
    "no operator": (["--where", "wall_time_s 60"], "is no constraint"),
    "nothing left": (["--where", "wall_time_s < 1"], "none of 4 trials satisfies wall_time_s < 1"),
    "percent": (["--within", "2"], "0.002 is 0.2 points"),
    "unknown objective": (["--pareto", "val_accuracy,walltime"], "did you mean wall_time_s?"),
    "within in CSV": (["--within", "0.002", "--format", "csv"], "use --format json"),
    "Pareto set on the page": (
        ["--pareto", "val_accuracy,wall_time_s", "--html", "page.html"],
        "leave out --pareto or --html",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_option_is_one_line_and_exit_2(
    name: str, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments, hint = BAD[name]
    assert run(["leaderboard", "--results", str(store), *arguments]) == 2
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1
    assert hint in error
