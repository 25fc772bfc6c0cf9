"""The fast ranking agrees with a plain one, on stores of every shape."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any, Literal

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.store.example_trials import PARAMETERS, trial, write
from tune_mnist.store.reader import read_trials, top_trials
from tune_mnist.store.selection import Selection
from tune_mnist.store.writer import Writer

Metric = Literal["val_accuracy", "test_accuracy", "val_loss", "wall_time_s", "parameters"]
ACCURACIES = st.sampled_from([None, 0.0, 0.5, 0.7, 0.9, 0.9, 1.0])
LOSSES = st.sampled_from([None, math.nan, math.inf, 0.0, 0.5, 0.7, 1.9])
TRIALS = st.lists(
    st.fixed_dictionaries(
        {
            "val_accuracy": ACCURACIES,
            "test_accuracy": ACCURACIES,
            "val_loss": LOSSES,
            "wall_time_s": st.sampled_from([1.0, 1.0, 2.0, 3.0]),
            "parameters": st.sampled_from([None, 10, 20]),
            "status": st.sampled_from(["completed", "completed", "stopped", "failed"]),
            "model": st.sampled_from(["svm", "resnet"]),
        }
    ),
    max_size=12,
)


def plain_ranking(rows: list[dict[str, Any]], metric: str, smaller: bool) -> list[tuple[str, str]]:
    """Rank by sorting every trial, in the order that `top_trials` promises."""
    ranked = [
        (
            row["status"] != "completed",
            value if smaller else -value,
            math.inf if wall is None else wall,
            row,
        )
        for row in rows
        if row["status"] != "failed"
        and (value := row[metric]) is not None
        and not math.isnan(value)
        and ((wall := row["wall_time_s"]) or True)
    ]
    ranked.sort(key=lambda item: (*item[:3], item[3]["search"], item[3]["trial"]))
    return [(row["search"], row["trial"]) for *_, row in ranked]


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    searches=st.lists(st.tuples(TRIALS, st.sampled_from(["loose", "compacted", "regrouped"]))),
    metric=st.sampled_from(Metric.__args__),  # type: ignore[attr-defined]  # of a Literal
    top=st.integers(1, 8),
    model=st.sampled_from([None, "svm"]),
)
def test_the_quick_ranking_equals_the_plain_one(
    tmp_path_factory: pytest.TempPathFactory,
    searches: list[tuple[list[dict[str, Any]], str]],
    metric: Metric,
    top: int,
    model: str | None,
) -> None:
    root = tmp_path_factory.mktemp("store")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)  # no power cut is tested here
        patch.setattr("tune_mnist.store.merge.ROW_GROUP", 4)
        write(root, "none", [])
        for number, (rows, layout) in enumerate(searches):
            trials = [trial(f"t{i}", **row) for i, row in enumerate(rows)]
            write(root, f"s{number}", trials, compact=layout == "compacted")
            if layout == "regrouped":
                with Writer(root, f"s{number}", PARAMETERS, resume=True) as writer:
                    writer.compact()
    everything = [
        row for row in read_trials(root).to_pylist() if model is None or row["model"] == model
    ]
    expected = plain_ranking(everything, metric, metric in ("val_loss", "wall_time_s"))[:top]
    if expected:
        best = top_trials(root, top=top, metric=metric, selection=Selection(model=model))
        found = zip(best["search"].to_pylist(), best["trial"].to_pylist(), strict=True)
        assert list(found) == expected


@pytest.mark.parametrize("compact", [False, True])
@pytest.mark.parametrize("metric", ["val_accuracy", "test_accuracy"])
def test_a_full_tie_goes_to_the_smaller_trial_id_in_whatever_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, metric: str, compact: bool
) -> None:
    monkeypatch.setattr("tune_mnist.store.merge.ROW_GROUP", 1)
    write(tmp_path, "svm", [trial(name, test_accuracy=0.8) for name in ("t9", "t1", "t5")])
    with Writer(tmp_path, "svm", PARAMETERS, resume=True) as writer:
        writer.append_trial(trial("t2", 0.95, test_accuracy=0.1), [])
        if compact:
            writer.compact()
    others = top_trials(tmp_path, top=2, metric=metric)["trial"].to_pylist()
    assert others == (["t2", "t1"] if metric == "val_accuracy" else ["t1", "t5"])


def test_mode_reverses_the_ranking(tmp_path: Path) -> None:
    write(tmp_path, "svm", [trial("bad", 0.1), trial("good", 0.9)])
    assert top_trials(tmp_path, top=1, mode="min")["trial"].to_pylist() == ["bad"]


def test_whole_rows_come_back_in_the_order_of_the_ranking(tmp_path: Path) -> None:
    write(tmp_path, "svm", [trial(f"t{i}", 0.1 * i, engine=f"e{i}") for i in range(6)])
    best = top_trials(tmp_path, top=3)
    assert best["engine"].to_pylist() == ["e5", "e4", "e3"]
    assert best.sort_by("trial").equals(read_trials(tmp_path).slice(3).select(best.column_names))


def test_files_that_promise_too_little_are_not_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "svm", [trial(f"t{i}", 0.01 * i) for i in range(50)])
    opened: list[object] = []

    class Counted(pq.ParquetFile):  # type: ignore[misc]
        def __init__(self, source: object, **options: Any) -> None:
            opened.append(source)
            super().__init__(source, **options)

    monkeypatch.setattr(pq, "ParquetFile", Counted)
    assert len(top_trials(tmp_path, top=3)) == 3
    assert len(opened) == 3 + 3  # to rank them, and to fetch them


def test_a_completed_trial_beats_a_stopped_one_of_an_earlier_file(tmp_path: Path) -> None:
    write(tmp_path, "a", [trial("stopped", 0.99, status="stopped")])
    write(tmp_path, "b", [trial("completed", 0.5)])
    assert top_trials(tmp_path, top=1)["trial"].to_pylist() == ["completed"]


@pytest.mark.parametrize("model", [None, "svm", "resnet"])
def test_row_groups_that_cannot_enter_are_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str | None
) -> None:
    """Five row groups in one file: four SVMs, the best one first, and a ResNet below them."""
    monkeypatch.setattr("tune_mnist.store.merge.ROW_GROUP", 1)
    svms = [trial(f"t{i}", 0.9 - 0.1 * i) for i in range(4)]
    write(tmp_path, "svm", [*svms, trial("t4", 0.1, model="resnet")])
    with Writer(tmp_path, "svm", PARAMETERS, resume=True) as writer:
        writer.compact()
    read: list[int] = []

    class Counted(pq.ParquetFile):  # type: ignore[misc]
        def read_row_group(self, number: int, **options: Any) -> Any:
            if "wall_time_s" in (options.get("columns") or ()):
                read.append(number)
            return super().read_row_group(number, **options)

    monkeypatch.setattr(pq, "ParquetFile", Counted)
    assert len(top_trials(tmp_path, top=1, selection=Selection(model=model))) == 1
    assert len(read) == 1
