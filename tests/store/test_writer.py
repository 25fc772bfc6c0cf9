"""What a writer accepts, refuses and leaves on disk."""

from __future__ import annotations

import math
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.store.example_trials import PARAMETERS, report, trial, write
from tune_mnist.errors import InputError
from tune_mnist.store import writer as writer_module
from tune_mnist.store.plans import SearchRecord, read_search
from tune_mnist.store.reader import list_searches, read_reports, read_trials
from tune_mnist.store.writer import StoreError, Writer


def files(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def test_a_trial_can_be_read_when_append_returns(tmp_path: Path) -> None:
    with Writer(tmp_path, "svm", PARAMETERS) as writer:
        writer.append_trial(trial("t1", accuracy=0.75), [])
        assert read_trials(tmp_path)["val_accuracy"].to_pylist() == [0.75]


def test_reports_carry_trial_and_attempt_in_the_order_given(tmp_path: Path) -> None:
    with Writer(tmp_path, "svm", PARAMETERS) as writer:
        writer.append_trial(trial("t1", attempt=2), [report(1), report(2)])
    rows = read_reports(tmp_path, search="svm").select(["search", "trial", "attempt", "step"])
    assert rows.to_pylist() == [
        {"search": "svm", "trial": "t1", "attempt": 2, "step": step} for step in (1, 2)
    ]


def test_config_is_json_with_sorted_keys_and_typed_columns(tmp_path: Path) -> None:
    write(tmp_path, "svm", [trial("t1", config={"kernel": "rbf", "gamma": 0.001, "C": 10})])
    columns = ["config", "config.C", "config.gamma", "config.kernel", "config.degree"]
    assert list(read_trials(tmp_path, columns=columns).to_pylist()[0].values()) == [
        *('{"C": 10, "gamma": 0.001, "kernel": "rbf"}', 10.0, "0.001", "rbf", None)
    ]


def test_numpy_scalars_are_stored_as_the_numbers_they_are(tmp_path: Path) -> None:
    row = trial("t1", np.float32(0.5), seed=np.int64(7), config={"degree": np.int32(3)})
    write(tmp_path, "svm", [row])
    columns = ["val_accuracy", "seed", "config", "config.degree"]
    assert list(read_trials(tmp_path, columns=columns).to_pylist()[0].values()) == [
        *(0.5, 7, '{"degree": 3}', 3)
    ]


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"val_acuracy": 0.5}, "val_acuracy"),
        ({"config": {"learning_rate": 0.1}}, "config.learning_rate"),
        ({"config": {"degree": 2.5}}, "config.degree"),
        ({"config": {"C": math.nan}}, "JSON"),
        ({"seed": "seven"}, "seed"),
        ({"val_accuracy": True}, "val_accuracy"),
        ({"started": datetime(2026, 11, 24)}, "started"),
        ({"status": "done"}, "done"),
        ({"attempt": None}, "attempt"),
    ],
)
def test_a_trial_that_does_not_fit_is_refused_whole(
    tmp_path: Path, wrong: dict[str, Any], named: str
) -> None:
    with Writer(tmp_path, "svm", PARAMETERS) as writer:
        before = files(tmp_path)
        with pytest.raises(ValueError, match=named):
            writer.append_trial(trial("t1") | wrong, [report(1)])
        assert files(tmp_path) == before


@pytest.mark.parametrize("wrong", [{"epoch": 1}, {"trial": "t2"}, {"val_loss": "low"}])
def test_a_report_that_does_not_fit_is_refused_with_its_trial(
    tmp_path: Path, wrong: dict[str, Any]
) -> None:
    with Writer(tmp_path, "svm", PARAMETERS) as writer:
        before = files(tmp_path)
        with pytest.raises(ValueError, match=next(iter(wrong))):
            writer.append_trial(trial("t1"), [report(1) | wrong])
        assert files(tmp_path) == before


def test_the_same_attempt_twice_leaves_one_row(tmp_path: Path) -> None:
    write(tmp_path, "svm", [trial("t1"), trial("t1", accuracy=0.1)], compact=True)
    with Writer(tmp_path, "svm", PARAMETERS, resume=True) as writer:
        writer.append_trial(trial("t1", accuracy=0.2), [report(1)])
    assert read_trials(tmp_path)["val_accuracy"].to_pylist() == [0.9]
    assert len(read_reports(tmp_path)) == 1


def test_another_attempt_is_a_row_of_its_own(tmp_path: Path) -> None:
    write(tmp_path, "svm", [trial("t1", status="failed"), trial("t1", attempt=2)])
    assert read_trials(tmp_path)["attempt"].to_pylist() == [1, 2]


@pytest.mark.parametrize(
    "name", ["", "../x", "a/b", "a\\b", ".svm", "_svm", "7", "2026-11-24", "a b", "ü", "a" * 101]
)
def test_an_unusable_name_is_refused_before_anything_is_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="cannot name a search; begin with a letter"):
        Writer(tmp_path / "results", name, PARAMETERS)
    assert not (tmp_path / "results").exists()


def test_the_name_that_is_suggested_instead_is_usable() -> None:
    for name in ("", "../x", "2026-11-24", "a b/c", "9" * 200):
        with pytest.raises(InputError) as caught:
            writer_module.check_search_name(name)
        writer_module.check_search_name(str(caught.value).rsplit(" ", 1)[1])


def test_a_name_that_is_taken_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "svm", [trial("t1")])
    before = files(tmp_path)
    with pytest.raises(InputError, match=r"'svm' is already in .*; choose another `name`"):
        Writer(tmp_path, "svm", PARAMETERS)
    assert files(tmp_path) == before


def test_a_results_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    root = tmp_path / "results"
    root.write_text("a file where the folder should be")
    with pytest.raises(InputError, match=f"{root}: the results folder cannot be written"):
        Writer(root, "svm", PARAMETERS)


def test_a_second_writer_of_a_search_is_refused(tmp_path: Path) -> None:
    with Writer(tmp_path, "svm", PARAMETERS):
        with pytest.raises(InputError, match=r"'svm' is being written by process [0-9]+ on"):
            Writer(tmp_path, "svm", PARAMETERS)
        with Writer(tmp_path, "resnet", PARAMETERS):
            pass
    Writer(tmp_path, "svm", PARAMETERS).close()


def test_a_closed_writer_leaves_no_lock_and_no_aside_file(tmp_path: Path) -> None:
    write(tmp_path, "svm", [trial("t1")])
    assert not [path for path in (tmp_path / ".writers").iterdir() if path.name != ".doorway"]


def test_a_record_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    record = SearchRecord(search="svm", space={"C": [0.1, 10.0]}, request={"space": "svm"})
    with Writer(tmp_path, "svm", PARAMETERS) as writer:
        writer.write_search(record)
    assert (read_search(tmp_path, "svm"), list_searches(tmp_path)) == (record, ["svm"])


def test_small_files_are_merged_as_they_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "MERGE_AT", 4)
    write(tmp_path, "svm", [trial(f"t{number}") for number in range(11)])
    for kind, rows in (("trials", read_trials(tmp_path)), ("reports", read_reports(tmp_path))):
        assert rows["trial"].to_pylist() == [f"t{number}" for number in range(11)]
        assert len(list((tmp_path / kind / "search=svm").iterdir())) == 2 + 3


def test_compaction_leaves_one_file_with_every_row(tmp_path: Path) -> None:
    write(tmp_path, "svm", [trial(f"t{number}") for number in range(5)], compact=True)
    for kind, read in (("trials", read_trials(tmp_path)), ("reports", read_reports(tmp_path))):
        assert read["trial"].to_pylist() == [f"t{number}" for number in range(5)]
        assert len(list((tmp_path / kind / "search=svm").iterdir())) == 1


def test_a_compaction_that_failed_is_tidied_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(path: Path, target: Path) -> Path:
        raise OSError(f"cannot move {path} to {target}")

    with Writer(tmp_path, "svm", PARAMETERS) as writer:
        for number in range(3):
            writer.append_trial(trial(f"t{number}"), [report(1)])
        with monkeypatch.context() as patch:
            patch.setattr(Path, "rename", broken)
            with pytest.raises(StoreError, match="cannot move"):
                writer.compact()
        writer.compact()
    for kind in ("trials", "reports"):
        assert sorted(pd.read_parquet(tmp_path / kind)["trial"]) == ["t0", "t1", "t2"]


def test_a_large_search_is_compacted_best_trials_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tune_mnist.store.merge.ROW_GROUP", 3)
    accuracies = [0.1, None, 0.7, None, 0.7, 0.3, 0.9, None]
    write(tmp_path, "svm", [trial(f"t{i}", value) for i, value in enumerate(accuracies)])
    with Writer(tmp_path, "svm", PARAMETERS, resume=True) as writer:
        writer.compact()
    names = read_trials(tmp_path)["trial"].to_pylist()
    assert names == ["t2", "t4", "t6", "t0", "t1", "t3", "t5", "t7"]


def test_a_resumed_search_continues_after_its_last_trial(tmp_path: Path) -> None:
    write(tmp_path, "svm", [trial("t1"), trial("t2")], compact=True)
    with Writer(tmp_path, "svm", {**PARAMETERS, "coef0": float}, resume=True) as writer:
        writer.append_trial(trial("t3", config={"coef0": 0.5}), [report(1)])
        writer.compact()
    read = read_trials(tmp_path, columns=["trial", "config.coef0"])
    assert read.to_pylist() == [
        {"trial": name, "config.coef0": value} for name, value in [("t1", None), ("t2", None)]
    ] + [{"trial": "t3", "config.coef0": 0.5}]


def test_a_column_of_a_newer_version_survives_an_older_writer(tmp_path: Path) -> None:
    with Writer(tmp_path, "svm", {**PARAMETERS, "coef0": float}) as writer:
        writer.append_trial(trial("t1", config={"coef0": 0.5}), [])
    with Writer(tmp_path, "svm", PARAMETERS, resume=True) as writer:
        writer.append_trial(trial("t2"), [])
        writer.compact()
    assert read_trials(tmp_path)["config.coef0"].to_pylist() == [0.5, None]
