from __future__ import annotations

import csv
import json
import random
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from tests.analysis.example_store import failed, ranked, stored, trial, write_store
from tune_mnist.actions.search import scores
from tune_mnist.analysis.constraints import CONSTRAINABLE, satisfying
from tune_mnist.analysis.pareto import pareto_sets
from tune_mnist.analysis.ranking import (
    RANKING,
    faster_note,
    ranked_trials,
    ranking,
    status_counts,
    to_csv,
    to_json,
    top_ranking,
)
from tune_mnist.metrics import ACCURACY, Goal, parse_constraint
from tune_mnist.pages.page_parts import winner_card
from tune_mnist.store.reader import read_trials
from tune_mnist.store.schema import TRIALS
from tune_mnist.wording import (
    cell_text,
    config_text,
    duration,
    heading,
    kind_text,
    meaning,
    percent,
)


def names(table: pa.Table) -> list[str]:
    return [str(name) for name in table["trial"].to_pylist()]


def test_validation_accuracy_sorts_and_test_accuracy_does_not(tmp_path: Path) -> None:
    table = ranked(tmp_path, [trial("a", 0.7, test_accuracy=0.99), trial("b", 0.8)])
    assert names(table) == ["b", "a"]


def test_ties_go_to_the_faster_trial(tmp_path: Path) -> None:
    table = ranked(tmp_path, [trial("slow", wall_time_s=20.0), trial("fast", wall_time_s=5.0)])
    assert names(table) == ["fast", "slow"]


def test_failed_trial_has_no_rank_even_with_an_accuracy(tmp_path: Path) -> None:
    table = ranked(tmp_path, [trial("a", 0.7), trial("b", 0.9, status="failed", error="lost")])
    assert names(table) == ["a"]


def test_trial_without_accuracy_has_no_rank(tmp_path: Path) -> None:
    assert names(ranked(tmp_path, [trial("a", 0.7), trial("b", None)])) == ["a"]


def test_a_trial_stopped_early_is_ranked_behind_the_completed(tmp_path: Path) -> None:
    table = ranked(tmp_path, [trial("a", 0.7), trial("b", 0.8, status="stopped")])
    assert names(table) == ["a", "b"]


def test_an_svm_whose_solver_gave_up_is_shown_as_not_converged(tmp_path: Path) -> None:
    write_store(tmp_path, [trial("a", 0.9, converged=False), trial("b", 0.8, converged=True)])
    shown = ["not converged", "completed"]
    assert top_ranking(tmp_path, top=2)["status"].to_pylist() == shown
    [front] = pareto_sets(read_trials(tmp_path), ("val_accuracy", "wall_time_s"), 2)
    assert front.trials["status"].to_pylist() == shown
    card = winner_card(ranked_trials(read_trials(tmp_path)), ACCURACY)
    assert "gave up before it converged" in card.note
    assert scores(read_trials(tmp_path).to_pylist()[0]).endswith(" on cpu, not converged")


def test_counts_name_every_status(tmp_path: Path) -> None:
    table = stored(tmp_path, [trial("a"), trial("b"), failed("c", "lost")])
    assert status_counts(table) == {"completed": 2, "stopped": 0, "failed": 1}


def test_ranking_from_the_store_equals_ranking_of_all_its_trials(tmp_path: Path) -> None:
    draw = random.Random(0)
    for search in ("one", "two"):
        accuracies = [draw.choice([0.7, 0.8, 0.9, None]) for _ in range(40)]
        rows = [
            trial(f"{index}", accuracy, wall_time_s=draw.choice([1.0, 2.0, 3.0]))
            for index, accuracy in enumerate(accuracies)
        ]
        write_store(tmp_path, rows, search)
    assert top_ranking(tmp_path, top=25) == ranking(ranked_trials(read_trials(tmp_path))[:25])


def test_another_metric_ranks_by_its_own_direction(tmp_path: Path) -> None:
    write_store(tmp_path, [trial("slow", wall_time_s=20.0), trial("fast", wall_time_s=5.0)])
    assert names(top_ranking(tmp_path, top=2, metric="wall_time_s")) == ["fast", "slow"]


@pytest.mark.parametrize(
    ("config", "text"),
    [
        ({"C": 10.0, "gamma": "scale", "kernel": "rbf"}, "rbf C=10 gamma=scale"),
        ({"C": 0.0316227766, "kernel": "linear"}, "linear C=0.03162"),
        ({"architecture": "resnet18", "pin_memory": True}, "resnet18 pin_memory=true"),
        ({"epochs": 100000}, "epochs=100000"),
    ],
)
def test_config_reads_as_a_person_would_write_it(config: dict[str, object], text: str) -> None:
    assert config_text(json.dumps(config)) == text


@pytest.mark.parametrize(
    ("model", "config", "kind"),
    [
        ("svm", {"kernel": "rbf"}, "svm rbf"),
        ("resnet", {"architecture": "resnet18"}, "resnet18"),
        ("svm", {}, "svm"),
    ],
)
def test_kind_is_the_model_with_its_architecture_or_kernel(
    model: str, config: dict[str, str], kind: str
) -> None:
    assert kind_text(model, json.dumps(config)) == kind


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0.40 s"),
        (9.999, "10.0 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 00 s"),
        (3599.4, "59 min 59 s"),
        (3599.6, "1 h 00 min"),
        (7500.0, "2 h 05 min"),
    ],
)
def test_duration_reads_in_the_largest_fitting_unit(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_accuracy_is_in_percent_on_screen_under_a_heading_that_says_so() -> None:
    field = RANKING.field("val_accuracy")
    assert (heading(field), cell_text(field, 0.9628)) == ("val accuracy %", "96.28")
    assert meaning(field).endswith("(percent)")
    assert percent(0.9628) == "96.28%"


SLOW_SVM = [
    trial("svm", 0.981, latency_batch_1_s=0.04, latency_batch_256_s=0.03),
    trial("fast", 0.980, latency_batch_1_s=0.0001, config={"kernel": "linear"}),
    trial("old", 0.7),
]


def test_a_latency_stands_in_the_ranking_as_soon_as_a_trial_has_one(tmp_path: Path) -> None:
    assert "latency_batch_1_s" not in ranking(ranked(tmp_path / "old", SLOW_SVM[2:])).column_names
    table = ranking(ranked(tmp_path / "new", SLOW_SVM))
    assert table["latency_batch_1_s"].to_pylist() == [0.04, 0.0001, None]
    assert json.loads(to_json(table))[0]["latency_batch_1_s"] == 0.04


def test_who_is_far_faster_and_almost_as_accurate_is_named(tmp_path: Path) -> None:
    table = ranking(ranked(tmp_path / "a", SLOW_SVM))
    said = "svm linear is 0.10 points less accurate than the first and predicts an image 400 times"
    assert faster_note(table) == f"{said} as fast"
    assert faster_note(table[1:]) == ""
    elsewhere = [SLOW_SVM[0], {**SLOW_SVM[1], "device": "gpu"}]
    assert faster_note(ranking(ranked(tmp_path / "b", elsewhere))) == ""
    worse = [SLOW_SVM[0], {**SLOW_SVM[1], "val_accuracy": 0.9}]
    assert faster_note(ranking(ranked(tmp_path / "c", worse))) == ""


def test_of_several_latencies_those_that_decide_are_shown(tmp_path: Path) -> None:
    goal = Goal(("val_accuracy", "latency_batch_256_s"))
    table = ranking(ranked(tmp_path, SLOW_SVM), goal)
    place = table.column_names.index("device")
    shown = ["wall_time_s", "latency_batch_256_s", "latency_batch_1_s"]
    assert table.column_names[place - 3 : place] == shown


def test_pareto_and_constraints_take_latencies(tmp_path: Path) -> None:
    rows = stored(tmp_path, SLOW_SVM)
    [front] = pareto_sets(rows, ("val_accuracy", "latency_batch_1_s"), 9)
    assert (names(front.trials), front.left_out) == (["svm", "fast"], 1)
    [quick] = [parse_constraint("latency_batch_1_s <= 0.001", CONSTRAINABLE)]
    assert names(satisfying(rows, [quick])) == ["fast"]
    ranked_by_it = ranked_trials(rows, Goal(constraints=(quick,)))
    assert names(ranked_by_it) == ["fast", "svm", "old"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "0 ms"), (3e-6, "0.00300 ms"), (0.000213, "0.213 ms"), (1.23, "1,230 ms")],
)
def test_a_latency_is_in_milliseconds_on_screen(seconds: float, text: str) -> None:
    field = TRIALS.field("latency_batch_1_s")
    assert (heading(field), cell_text(field, seconds)) == ("latency batch 1", text)


def test_wall_time_is_a_duration_on_screen() -> None:
    field = RANKING.field("wall_time_s")
    assert (heading(field), cell_text(field, 75.0)) == ("wall time", "1 min 15 s")


def test_missing_value_is_a_dash_on_screen() -> None:
    assert cell_text(RANKING.field("test_accuracy"), None) == "–"


def test_json_keeps_fractions_and_the_config_as_an_object(tmp_path: Path) -> None:
    row = json.loads(to_json(ranking(ranked(tmp_path, [trial("a", 0.9628)]))))[0]
    assert row["val_accuracy"] == 0.9628
    assert row["config"] == {"C": 10.0, "gamma": "scale", "kernel": "rbf"}


def test_csv_keeps_fractions_and_every_digit_of_the_config(tmp_path: Path) -> None:
    table = ranking(ranked(tmp_path, [trial("a", 0.9628, config={"C": 0.0316227766})]))
    row = next(csv.DictReader(to_csv(table).splitlines()))
    assert (row["val_accuracy"], row["config"]) == ("0.9628", "C=0.0316227766")


def test_ranking_loads_no_plotly() -> None:
    code = "import sys, tune_mnist.analysis.ranking; sys.exit('plotly' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
