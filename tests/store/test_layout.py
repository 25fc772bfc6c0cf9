"""What the names of files promise."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tune_mnist.store import layout
from tune_mnist.store.layout import (
    covered,
    file_name,
    live_files,
    merged_name,
    numbers,
    promise,
    retried,
)


@given(
    first=st.integers(0, 10**9),
    more=st.integers(0, 10**9),
    best=st.none() | st.tuples(st.floats(0, 1), st.floats(0)),
)
def test_a_name_gives_back_its_numbers_and_promise_exactly(
    first: int, more: int, best: tuple[float, float] | None
) -> None:
    name = file_name(first, first + more, best)
    assert (numbers(name), promise(name)) == ((first, first + more), best)


def test_a_merged_file_promises_the_best_of_its_parts() -> None:
    parts = [file_name(0, 3, (0.9, 7.0)), file_name(4, 4, (0.9, 5.0)), file_name(5, 5, (0.2, 1.0))]
    assert merged_name(parts) == file_name(0, 5, (0.9, 5.0))


def test_a_merged_file_of_a_part_without_promise_has_none() -> None:
    assert merged_name([file_name(0, 3, (0.9, 7.0)), file_name(4, 4)]) == file_name(0, 4)


def test_a_larger_file_covers_those_inside_it() -> None:
    inside = {file_name(0, 0), file_name(1, 3), file_name(0, 3)}
    assert covered({*inside, file_name(0, 4), file_name(5, 5), "notes.parquet"}) == inside


def test_files_that_are_not_ours_are_read_too_and_hidden_ones_are_not(tmp_path: Path) -> None:
    for name in (file_name(0, 0), "mine.parquet", ".aside.parquet", "_metadata", "notes.txt"):
        (tmp_path / name).touch()
    assert [file.name for file in live_files(tmp_path)] == [file_name(0, 0), "mine.parquet"]


def test_a_listing_that_missed_a_merge_is_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    merged, newest = tmp_path / file_name(0, 8), tmp_path / file_name(9, 9)
    listings = [
        [newest],
        [merged, newest],
    ]  # listed before the merged file arrived, and after the old ones left
    monkeypatch.setattr(Path, "iterdir", lambda folder: iter(listings.pop(0)))
    assert live_files(tmp_path) == [merged, newest]


def test_a_gap_that_stays_is_accepted(tmp_path: Path) -> None:
    (tmp_path / file_name(1, 1)).touch()  # someone moved the first trial away
    assert [file.name for file in live_files(tmp_path)] == [file_name(1, 1)]


def test_a_read_is_repeated_however_often_its_files_are_merged() -> None:
    attempts = iter(range(1000))

    def read() -> int:
        if (attempt := next(attempts)) < 500:
            raise FileNotFoundError
        return attempt

    assert retried(read) == 500


def test_a_read_whose_files_never_stay_ends_after_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter(range(1000))
    monkeypatch.setattr(layout, "monotonic", lambda: float(next(seconds)))

    def read() -> None:
        raise FileNotFoundError

    with pytest.raises(FileNotFoundError):
        retried(read)
    assert next(seconds) == 62
