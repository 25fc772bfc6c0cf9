"""Runs that misled a check once, and what it says of them now."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from tests.reproduction.example_runs import Row, stored_trial, whole_grid, write_report_store
from tune_mnist.reproduction.claims import CLAIMS, judged
from tune_mnist.reproduction.evidence import Finding
from tune_mnist.reproduction.runs import (
    by_setting,
    grid,
    published_runs,
    records,
    stored_runs,
)
from tune_mnist.reproduction.tables import by_device, ours, svm_grid, table_5

KNOWN = {claim.name: claim for claim in CLAIMS}


def found(claim: str, runs: pd.DataFrame) -> Finding:
    return judged(KNOWN[claim], runs)


def test_a_lead_of_three_images_does_not_make_c_of_10_the_best() -> None:
    def one_of_ten_thousand(row: Row) -> Row:
        ahead = 0.0003 * (row["C"] == 10.0)
        return {"val_accuracy": 0.97 + ahead, "test_accuracy": 0.97 + ahead}

    assert found("C = 10 best", whole_grid(one_of_ten_thousand)).verdict == "not decidable"


def test_a_kernel_is_not_chosen_by_test_accuracy() -> None:
    """One setting of each kernel is lucky on the test images; by validation, others are best."""

    def lucky(row: Row) -> Row:
        kernel = {"mnist": "poly", "fashion-mnist": "rbf"}[row["dataset"]]
        luck = row["kind"] == kernel and row["C"] == 0.1
        better = 0.95 if row["kind"] == kernel else 0.97
        return {
            "val_accuracy": better - 0.01 * (row["C"] != 1.0),
            "test_accuracy": 0.99 if luck else better,
        }

    name = "Poly best on MNIST, rbf on FashionMNIST"
    assert found(name, whole_grid(lucky)).verdict == "does not hold"


def test_two_versions_of_the_code_that_differ_refute_no_determinism() -> None:
    old = whole_grid(lambda _: {"code": "old", "test_accuracy": 0.90})
    new = whole_grid(lambda _: {"code": "new", "test_accuracy": 0.91})
    assert found("Deterministic training", pd.concat([old, new])).verdict == "not decidable"


def test_times_that_leave_out_the_shared_matrix_are_not_compared() -> None:
    def quick(row: Row) -> Row:
        svm = row["kind"] in ("rbf", "poly")
        return {"shares": svm, "wall_time_s": 1.0 if row["kind"] == "rbf" else 2.0}

    runs = whole_grid(quick, seeds=2)
    for name in ("RBF 9 % faster than poly", "ResNet-18 trains 11.5× faster than SVM"):
        answer = found(name, runs)
        assert answer.verdict == "not decidable"
        assert "leave out a shared matrix" in answer.evidence


def test_the_settings_of_a_grid_are_no_sample_of_others() -> None:
    """Settings that differ tenfold, and hardly a difference between two runs of one."""

    def differing(row: Row) -> Row:
        slow = 10.0 if row["C"] == 0.1 else 1.0
        return {"wall_time_s": (0.91 if row["kind"] == "rbf" else 1.0) * slow}

    balanced = "kind not in ('rbf', 'poly') or C in (0.1, 1.0)"
    runs = whole_grid(differing, seeds=2).query(balanced)
    assert found("RBF 9 % faster than poly", runs).verdict == "holds"


def test_choosing_by_test_can_be_seen_not_to_matter() -> None:
    """By test, other settings are chosen, but on the other seeds they are hardly better."""

    def chosen(row: Row) -> Row:
        number = sum(map(ord, row["setting"])) % 7
        lucky = row["seed"] == 0 and row["learning_rate"] == 0.001 and row["epochs"] == 2
        return {
            "val_accuracy": 0.9 + 0.0001 * number,
            "test_accuracy": 0.9 + (0.001 if lucky else 0.0001 * row["seed"]),
        }

    name = "Winners do not depend on choosing by test accuracy"
    assert found(name, whole_grid(chosen, seeds=3)).verdict == "holds"


# Means over one place


def test_times_of_two_hosts_are_not_averaged() -> None:
    here = whole_grid(lambda _: {"wall_time_s": 10.0}, seeds=2)
    there = whole_grid(lambda _: {"wall_time_s": 100.0, "where": "there", "host": "there"})
    means = by_setting(pd.concat([there, here], ignore_index=True))
    assert len(means) == len(grid())
    assert set(means["wall_time_s"]) == {10.0}
    assert set(means["where"]) == {"here"}  # where most seeds ran


def test_two_data_sets_of_one_name_are_not_averaged() -> None:
    first = whole_grid(lambda _: {"data": "one", "test_accuracy": 0.9}, seeds=2)
    other = whole_grid(lambda _: {"data": "two", "test_accuracy": 0.5})
    means = by_setting(pd.concat([first, other], ignore_index=True))
    assert set(means["test_accuracy"]) == {0.9}


def test_a_cpu_and_a_gpu_are_not_averaged() -> None:
    cpu = whole_grid(lambda _: {"test_accuracy": 0.9}, seeds=2)
    gpu = whole_grid(lambda _: {"test_accuracy": 0.8, "device": "gpu", "where": "gpu"})
    means = by_setting(pd.concat([cpu, gpu], ignore_index=True))
    assert set(means["test_accuracy"]) == {0.9}


def test_table_3_takes_both_devices_of_one_host() -> None:
    """A second CPU, ten times as slow, ran everything more often."""
    both = [
        whole_grid(lambda _, on=on, of=seconds: {"device": on, "where": on, "wall_time_s": of})  # type: ignore[misc]
        for on, seconds in (("cpu", 20.0), ("gpu", 10.0))
    ]
    slow = whole_grid(lambda _: {"where": "slow", "host": "slow", "wall_time_s": 200.0}, seeds=3)
    runs = pd.concat([*both, slow], ignore_index=True).query("part == 'devices'")
    means = by_device(runs)
    assert means.groupby("device")["wall_time_s"].mean().to_dict() == {"cpu": 20.0, "gpu": 10.0}


# Times without the shared matrix


def test_the_tables_say_which_times_leave_out_the_shared_matrix(tmp_path: Path) -> None:
    rows = records(grid().query("part == 'svm'"))
    trials = [
        stored_trial(i, row, engine="shared-gram" if row["kind"] == "rbf" else "scikit-learn")
        for i, row in enumerate(rows)
    ]
    of = ours(stored_runs(write_report_store(tmp_path, trials)), published_runs())
    for table in (svm_grid(of), table_5(of)):
        told = {
            row[0].text + row[1].text: row[-1].text
            for row in table.rows
            if "SVM" in row[0].text or "SVM" in table.title
        }
        for name, time in told.items():
            assert time.endswith("+ matrix") == ("rbf" in name)
