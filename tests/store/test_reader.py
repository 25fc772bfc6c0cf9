"""What readers receive, and which errors they get if it is not there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.store.example_trials import PARAMETERS, trial, write
from tune_mnist.errors import InputError
from tune_mnist.store import catalog
from tune_mnist.store.layout import live_files, rows_folder
from tune_mnist.store.plans import read_search
from tune_mnist.store.reader import list_searches, read_reports, read_trials, top_trials
from tune_mnist.store.schema import REPORTS, TRIALS
from tune_mnist.store.selection import Selection
from tune_mnist.store.writer import Writer


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store of two searches: SVM on MNIST, ResNet on FashionMNIST."""
    write(tmp_path, "svm-1", [trial("t1"), trial("t2")])
    write(tmp_path, "resnet-1", [trial("t1", model="resnet", dataset="fashion-mnist")])
    return tmp_path


def test_all_trials_of_all_searches_are_read_with_their_search(store: Path) -> None:
    rows = read_trials(store, columns=["search", "trial"]).to_pylist()
    assert [tuple(row.values()) for row in rows] == [
        ("resnet-1", "t1"),
        ("svm-1", "t1"),
        ("svm-1", "t2"),
    ]


@pytest.mark.parametrize(
    "filters", [{"search": "resnet-1"}, {"model": "resnet"}, {"dataset": "fashion-mnist"}]
)
def test_filters_choose_trials(store: Path, filters: dict[str, Any]) -> None:
    assert read_trials(store, **filters)["search"].to_pylist() == ["resnet-1"]
    best = top_trials(store, top=5, selection=Selection(**filters))
    assert best["search"].to_pylist() == ["resnet-1"]


def test_columns_carry_unit_and_meaning(store: Path) -> None:
    for rows in (read_trials(store), top_trials(store, top=1)):
        assert rows.schema.field("wall_time_s").metadata == TRIALS.field("wall_time_s").metadata


def test_every_file_carries_unit_and_meaning_for_other_readers(store: Path) -> None:
    for kind, schema in (("trials", TRIALS), ("reports", REPORTS)):
        (file,) = rows_folder(store, kind, "resnet-1").iterdir()  # type: ignore[arg-type]  # a str
        metadata = pq.read_schema(file).field("val_accuracy").metadata
        assert metadata.items() >= schema.field("val_accuracy").metadata.items()


def test_columns_that_an_older_file_lacks_are_null(store: Path) -> None:
    old = rows_folder(store, "trials", "svm-0")
    old.mkdir()
    (file,) = live_files(rows_folder(store, "trials", "resnet-1"))
    pq.write_table(pq.ParquetFile(file).read().drop_columns("engine"), old / file.name)
    for rows in (read_trials(store), top_trials(store, top=9)):
        assert rows.filter(pa.compute.field("search") == "svm-0")["engine"].to_pylist() == [None]
        assert len(rows) == 4


def test_a_search_without_trials_is_empty_and_has_columns(tmp_path: Path) -> None:
    write(tmp_path, "svm", [])
    for rows in (read_trials(tmp_path), top_trials(tmp_path, top=5)):
        assert (len(rows), rows.schema.names) == (0, ["search", *TRIALS.names])
    assert len(read_reports(tmp_path, search="svm")) == 0


def test_a_missing_store_says_to_run_a_search(tmp_path: Path) -> None:
    for read in (list_searches, read_trials, read_reports, lambda root: top_trials(root, top=1)):
        with pytest.raises(InputError, match="there are no results; run a search first"):
            read(tmp_path / "results")


def test_an_unknown_search_names_the_nearest(store: Path) -> None:
    for read in (
        lambda: read_trials(store, search="svm1"),
        lambda: read_reports(store, search="svm1"),
        lambda: read_search(store, "svm1"),
        lambda: top_trials(store, top=1, selection=Selection("svm1")),
    ):
        with pytest.raises(
            InputError, match=r"`search`: 'svm1' is not in .*; did you mean svm-1\?"
        ):
            read()


def test_an_unknown_data_set_model_or_metric_names_the_nearest(store: Path) -> None:
    with pytest.raises(InputError, match=r"`dataset`: 'fashion' .*; did you mean fashion-mnist\?"):
        read_trials(store, dataset="fashion")
    with pytest.raises(InputError, match=r"`model`: 'resnet18' .*; did you mean resnet\?"):
        top_trials(store, top=1, selection=Selection(model="resnet18"))
    with pytest.raises(InputError, match=r"`metric`: 'accuracy' .*; did you mean .*_accuracy\?"):
        top_trials(store, top=1, metric="accuracy")


def test_an_unknown_column_is_a_mistake_of_the_caller(store: Path) -> None:
    with pytest.raises(ValueError, match="no column 'val_acc' in trials; did you mean"):
        read_trials(store, columns=["val_acc"])


def test_files_that_disappear_while_they_are_read_are_listed_again(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = {name: live_files(rows_folder(store, "trials", name)) for name in list_searches(store)}
    with Writer(store, "svm-1", PARAMETERS, resume=True) as writer:
        writer.compact()

    def stale_once(folder: Path) -> list[Path]:
        return listed.pop(folder.name.removeprefix("search="), None) or live_files(folder)

    for read in (read_trials, lambda root: top_trials(root, top=9)):
        before = dict(listed)
        monkeypatch.setattr(catalog, "live_files", stale_once)
        assert len(read(store)) == 3
        assert not listed
        listed = before


def test_a_store_from_before_balanced_accuracy_reads_as_before_with_nulls(tmp_path: Path) -> None:
    new = ["val_balanced_accuracy", "test_balanced_accuracy", "recall", "config.schedule"]
    write(tmp_path, "old", [trial("t1", 0.8), trial("t2", 0.9)], compact=True)
    for kind in ("trials", "reports"):
        for file in live_files(rows_folder(tmp_path, kind, "old")):
            rows = pq.ParquetFile(file).read()
            pq.write_table(rows.drop_columns([n for n in new if n in rows.column_names]), file)
    write(tmp_path, "new", [trial("t1", 0.7, val_balanced_accuracy=0.6, recall=[1.0, 0.2])])
    rows = read_trials(tmp_path).sort_by("search")
    assert rows["val_balanced_accuracy"].to_pylist() == [0.6, None, None]
    assert rows["recall"].to_pylist() == [[1.0, 0.2], None, None]
    assert len(read_reports(tmp_path)) == 3
    best = top_trials(tmp_path, top=3, metric="val_balanced_accuracy", mode="max")
    assert best["search"].to_pylist() == ["new"]
