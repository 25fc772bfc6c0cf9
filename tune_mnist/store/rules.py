"""What rows and files must fulfil, declared once: readers leave out others, no writer writes one.

A store may come from another disk, program or person, so any value may be in it. The views rely on
these rules instead of checking for themselves. A rule follows from the column's unit; the columns
of text that hold JSON, and those that must not be null, are named here.

A small file can be huge in memory: a text that is stored once stands for a million rows. The
footer says how many values a column has and how many bytes they take in the file. Where these
cannot exclude such a text, the column is read with each distinct text once, and counted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic_core import from_json

from tune_mnist.errors import warn_skipped

MOST_ROWS = 10_000_000
MOST_BYTES = 4 * 2**30  # two million of our trials
_HARMLESS = 2**28  # bytes
STATUSES = ("completed", "stopped", "failed")
_STATUSES = pa.array(STATUSES)
_ALWAYS = (
    "trial",
    "attempt",
    "status",
    "config",
    "model",
    "dataset",
    "started",
    "finished",
    "step",
)
"""Columns that are never null."""

_WHOLE = 2**53  # a float holds every integer up to this one
_NOT_NEGATIVE = (0, _WHOLE, "0 or more")
_RANGES = {  # by unit
    "fraction": (0, 1, "a number from 0 to 1"),
    "s": (0, 10**9, "a number of seconds from 0 to 1,000,000,000"),
    "epochs, or fraction of the training images": _NOT_NEGATIVE,
    **dict.fromkeys(("numbers", "multiply-adds", "trials", "cores", "GPUs"), _NOT_NEGATIVE),
}
_FROM_ONE = (1, 2**31, "1 or more")
_RANGES_BY_NAME = {"attempt": _FROM_ONE, "step": _FROM_ONE}
_FIRST, _LAST = 0, 9_214_646_400 * 10**6  # 1970 to 2261, in microseconds: what pandas can hold
_SQUARES = pa.array([side * side for side in range(1, 1001)])

_MOST = 1e300  # of a hyperparameter's size


def _is_plain(value: Any) -> bool:
    """Return whether a value from JSON is a text, a truth value or a finite number."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return abs(value) <= _MOST if number else isinstance(value, str | bool)


def _is_flat(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_plain, value.values()))


def _is_schedule(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(one, list) and len(one) == 2 and _is_plain(one[0]) and _is_flat(one[1])
        for one in value
    )


_JSON: dict[str, tuple[Callable[[Any], bool], str]] = {
    "config": (_is_flat, "a JSON object of texts, numbers and truth values"),
    "versions": (_is_flat, "a JSON object of texts"),
    "schedule": (_is_schedule, "a JSON list of changes"),
}
_NOT_BLANK = ("trial", "model", "dataset", "error")


def broken_rows(rows: pa.Table, declared: pa.Schema) -> dict[int, str]:
    """Return each row that breaks a rule, with the first rule that it breaks.

    Args:
        rows: all declared columns, of their declared types; other columns are ignored.
        declared: `TRIALS` or `REPORTS`.
    """
    broken: dict[int, str] = {}
    for field in declared:
        values = rows[field.name]
        if field.name in _ALWAYS and values.null_count:
            _note(broken, values.is_valid(), f"its {field.name} is missing")
        if values.null_count < len(values) and (rule := _rule(field, values)) is not None:
            holds, what = rule
            _note(broken, holds, f"its {field.name} is not {what}")
    if "status" in declared.names and rows["wall_time_s"].null_count:
        timed = pc.or_kleene(rows["wall_time_s"].is_valid(), pc.equal(rows["status"], "failed"))
        _note(broken, timed, "its wall_time_s is missing")
    return broken


def without_broken(rows: pa.Table, declared: pa.Schema, files: pa.ChunkedArray) -> pa.Table:
    """Return the rows that hold all rules; warn of the others.

    Args:
        rows, declared: as in `broken_rows`.
        files: the path of each row's file.
    """
    broken = broken_rows(rows, declared)
    if not broken:
        return rows
    warn_broken(broken, rows["trial"], lambda index: str(files[index]))
    sound = np.ones(len(rows), dtype=bool)
    sound[list(broken)] = False
    return rows.filter(pa.array(sound))


def warn_broken(
    broken: Mapping[int, str], trials: pa.ChunkedArray, file: Callable[[int], str]
) -> None:
    """Warn of rows that were left out, a line for each file and rule.

    Args:
        broken: as `broken_rows` returns it.
        trials: the trial of every row.
        file: returns the file of a row.
    """
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for index, problem in sorted(broken.items()):
        found[file(index), problem].append(str(trials[index]))
    for (where, problem), names in found.items():
        more = f" and {len(names) - 3:,} more" if len(names) > 3 else ""
        row = f"trial {', '.join(names[:3])}{more}: {problem}"
        warn_skipped(where, f"left out {row}", "restore the file from a copy")


def _note(broken: dict[int, str], holds: pa.ChunkedArray, problem: str) -> None:
    if pc.all(holds).as_py() is False:  # null where a value is null, and that is no fault here
        for index in pc.indices_nonzero(pc.invert(holds)).to_pylist():
            broken.setdefault(index, problem)


def _rule(field: pa.Field, values: pa.ChunkedArray) -> tuple[pa.ChunkedArray, str] | None:
    """Return where a column's values hold their rule, and the rule; None if it has none."""
    if field.name == "status":
        return pc.is_in(values, _STATUSES), f"one of {', '.join(STATUSES)}"
    if field.name in _JSON:
        fits, what = _JSON[field.name]
        return _are_json(values, fits), what
    if field.name in _NOT_BLANK:
        return pc.match_substring_regex(values, r"\S"), "a text"
    if pa.types.is_timestamp(field.type):
        return _within(values.cast(pa.int64()), _FIRST, _LAST), "a moment from 1970 to 2261"
    if pa.types.is_list(field.type):
        if pa.types.is_floating(field.type.value_type):
            return _are_fractions(values), "a list of numbers from 0 to 1"
        return _are_counts(values), "a square matrix of counts"
    unit = field.metadata[b"unit"].decode()
    bounds = _RANGES_BY_NAME.get(field.name) or _RANGES.get(unit)
    if bounds is None:
        return None
    low, high, what = bounds
    return _within(values, low, high), what


def _within(values: pa.ChunkedArray, low: int, high: int) -> pa.ChunkedArray:
    least, most = pa.scalar(low, values.type), pa.scalar(high, values.type)
    return pc.and_(pc.greater_equal(values, least), pc.less_equal(values, most))


def _are_json(values: pa.ChunkedArray, fits: Callable[[Any], bool]) -> pa.ChunkedArray:
    """Return whether each text is JSON that fits; a text that is there often is read once."""
    wrong = [text for text in pc.unique(values).drop_null().to_pylist() if not _parses(text, fits)]
    return pc.invert(pc.is_in(values, pa.array(wrong, values.type)))


def _parses(text: str, fits: Callable[[Any], bool]) -> bool:
    try:
        return fits(from_json(text, allow_inf_nan=False))
    except ValueError:
        return False


def _are_counts(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return whether each list has k * k counts, none negative or null."""
    square = pc.or_(pc.is_in(pc.list_value_length(values), _SQUARES), values.is_null())
    counts = pc.fill_null(pc.greater_equal(pc.list_flatten(values), 0), False)
    return pc.and_(square, _all_in_list(values, counts))


def _are_fractions(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return whether each list has only numbers from 0 to 1 and nulls."""
    return _all_in_list(values, pc.fill_null(_within(pc.list_flatten(values), 0, 1), True))


def _all_in_list(values: pa.ChunkedArray, holds: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return whether all elements of each list hold; `holds` says it of one element after another.

    A null and an empty list do, too.
    """
    if pc.all(holds, min_count=0).as_py():
        return pa.chunked_array([np.ones(len(values), bool)])
    bad = pc.unique(pc.list_parent_indices(values).filter(pc.invert(holds)))
    return pc.invert(pc.is_in(pa.array(np.arange(len(values))), bad))


def decoded_size(file: Path, footer: pq.FileMetaData, groups: Iterable[int]) -> int:
    """Return the bytes that the values of some row groups take in memory, or more.

    Args:
        file: where it is.
        footer: its metadata; its columns of text are not nested.
        groups: the numbers of the row groups.
    """
    most = 0
    for number in groups:
        group = footer.row_group(number)
        for index in range(footer.num_columns):
            column = group.column(index)
            size = 8 * column.num_values
            if column.physical_type == "BYTE_ARRAY":
                size += column.num_values * column.total_uncompressed_size
                if size > _HARMLESS:
                    size = _text_size(file, number, column.path_in_schema)
            most += size
    return most


def _text_size(file: Path, group: int, name: str) -> int:
    """Return the bytes that a column of text takes; each distinct text is read once."""
    with pq.ParquetFile(file, read_dictionary=[name]) as parquet:
        texts = parquet.read_row_group(group, columns=[name], use_threads=False)[name]
    size = 8 * len(texts)
    for chunk in texts.chunks:
        if pa.types.is_dictionary(chunk.type):
            lengths = pc.binary_length(chunk.dictionary).cast(pa.int64())
            size += pc.sum(lengths.take(chunk.indices), min_count=0).as_py()
        else:
            size += chunk.nbytes
    return size
