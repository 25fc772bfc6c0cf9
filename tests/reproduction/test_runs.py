"""Which trials count as runs of the technical report's grids, and which grids those are."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from tests.reproduction.example_runs import config_of, stored_trial, write_report_store
from tune_mnist.reproduction.runs import grid, published_runs, records, setting_text, stored_runs
from tune_mnist.spaces import config_key, configurations, find_space, read_space

SVM = records(grid().query("part == 'svm'"))
RESNET = records(grid().query("part == 'resnet'"))


def test_the_published_grids_are_those_of_the_shipped_spaces() -> None:
    for part in ("svm", "resnet"):
        ours = {
            config_key(config)
            for config in configurations(read_space(find_space(f"report/{part}")), "cpu")
        }
        published = {
            config_key(config_of(row)) for row in records(grid().query(f"part == '{part}'"))
        }
        assert {key.replace('0.001"', "0.001").replace('"0.01"', "0.01") for key in ours} == {
            key.replace('"0.001"', "0.001").replace('"0.01"', "0.01") for key in published
        }


def test_the_technical_report_ran_every_network_up_to_three_times() -> None:
    runs = published_runs().query("part == 'resnet'")
    counts = runs.groupby(["dataset", "kind", "setting"]).size()
    assert len(counts) == 64
    assert set(counts) == {3}


def test_a_row_of_the_store_becomes_a_run(tmp_path: Path) -> None:
    [run] = records(stored_runs(write_report_store(tmp_path, [stored_trial(7, RESNET[0])])))
    assert run["setting"] == setting_text(RESNET[0])
    assert (run["part"], run["device"], run["fraction"]) == ("resnet", "cpu", 1.0)
    assert (run["test_set"], run["origin"]) == ("standard", "first/00007")
    assert round(run["test_accuracy"], 4) == 0.9007


def test_a_fraction_is_kept_apart(tmp_path: Path) -> None:
    trials = [stored_trial(0, SVM[0], extra={"train_fraction": 0.05}), stored_trial(1, SVM[0])]
    runs = stored_runs(write_report_store(tmp_path, trials))
    assert sorted(runs["fraction"]) == [0.05, 1.0]


def test_a_training_outside_the_technical_reports_grids_is_left_out(tmp_path: Path) -> None:
    trials = [
        stored_trial(0, SVM[0], extra={"C": 3.0}),
        stored_trial(1, SVM[0], extra={"kernel": "linear"}),
        stored_trial(2, SVM[0], status="stopped"),
        stored_trial(3, {**SVM[0], "dataset": "digits"}),
        {**stored_trial(4, SVM[0]), "split": "holdout"},
        stored_trial(5, SVM[0]),
    ]
    assert list(stored_runs(write_report_store(tmp_path, trials))["origin"]) == ["first/00005"]


def test_a_copied_row_counts_once(tmp_path: Path) -> None:
    write_report_store(tmp_path, [stored_trial(0, SVM[0])])
    write_report_store(tmp_path, [stored_trial(0, SVM[0], shared_with="first/00000")], "second")
    assert list(stored_runs(tmp_path)["origin"]) == ["first/00000"]


def test_the_tables_name_both_kernels_winners() -> None:
    best = pd.DataFrame(SVM)
    meant = best[best["setting"] == "C=1 gamma=0.01 degree=3"]
    assert len(meant) == 2  # what Table 2's defective row "Poly | 1.0 | 0.01 | 3" means


def test_a_run_beside_another_trial_on_its_host_is_marked(tmp_path: Path) -> None:
    """Each took 10 s; a prefix was timed in the training that it is a part of."""
    trials = [
        stored_trial(0, RESNET[0], began_s=0),
        stored_trial(1, RESNET[1], began_s=9),
        stored_trial(2, RESNET[2], began_s=9, host="another"),
        stored_trial(3, RESNET[3], began_s=30),
        stored_trial(4, RESNET[4], began_s=50, shared_with="00001"),
    ]
    runs = stored_runs(write_report_store(tmp_path, trials))
    assert list(runs.sort_values("origin")["beside"]) == [True, True, False, False, True]
