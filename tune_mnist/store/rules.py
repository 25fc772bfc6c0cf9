"""What rows and files must fulfil, declared once: readers leave out others, no writer writes one.

A store may come from another disk, program or person, so any value may be in it. The views rely on
these rules instead of checking for themselves. A rule follows from the column's unit; the columns
of text that hold JSON, and those that must not be null, are named here.

A small file can be huge in memory: a text that is stored once stands for a million rows. The
footer says how many values a column has and how many bytes they take in the file. Where these
cannot exclude such a text, the column is read with each distinct text once, and counted.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic_core import from_json

from tune_mnist.errors import warn_skipped
from tune_mnist.store.layout import RowKind
from tune_mnist.store.schema import DECLARED
from tune_mnist.wording import some

MOST_ROWS = 10_000_000
MOST_BYTES = 4 * 2**30  # two million of our trials
_HARMLESS = 2**28  # bytes
STATUSES = ("completed", "stopped", "failed")
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
    "s/image": (0, 10**9, "a number of seconds from 0 to 1,000,000,000"),
    "epochs, or fraction of the training images": _NOT_NEGATIVE,
    **dict.fromkeys(("numbers", "multiply-adds", "trials", "cores", "GPUs"), _NOT_NEGATIVE),
}
_FROM_ONE = (1, 2**31, "1 or more")
_RANGES_BY_NAME = {"attempt": _FROM_ONE, "step": _FROM_ONE}
_FIRST = datetime(1970, 1, 1, tzinfo=timezone.utc)  # what pandas can hold ends in 2262
_LAST = datetime(2262, 1, 1, tzinfo=timezone.utc)
_LONGEST_SIDE = 1000  # of a confusion matrix
_NOT_BLANK = ("trial", "model", "dataset", "error")
_VISIBLE = r"[^\t\n\f\r ]"

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


@dataclass(frozen=True)
class Rule:
    """What the values of a column must fulfil.

    Args:
        what: what a value must be: "a number from 0 to 1".
        holds: returns whether a value that is not null fulfils it: how a row is checked that is
            being written. Preparing Arrow for one row would take ten times as long.
        all_hold: returns the same for a whole column, null where a value is null or true there.
    """

    what: str
    holds: Callable[[Any], bool]
    all_hold: Callable[[pa.ChunkedArray], pa.ChunkedArray]


def _rule(field: pa.Field) -> Rule | None:
    """Return the rule of a declared column; None if it has none."""
    if field.name == "status":
        return _one_of(STATUSES)
    if field.name in _JSON:
        return _json(*_JSON[field.name])
    if field.name in _NOT_BLANK:
        return _not_blank()
    if pa.types.is_timestamp(field.type):
        return _within(_FIRST, _LAST, "a moment from 1970 to 2261")
    if pa.types.is_list(field.type):
        if pa.types.is_floating(field.type.value_type):
            return Rule("a list of numbers from 0 to 1", _is_fractions, _are_fractions)
        return Rule("a square matrix of counts", _is_matrix, _are_matrices)
    unit = field.metadata[b"unit"].decode()
    bounds = _RANGES_BY_NAME.get(field.name) or _RANGES.get(unit)
    return _within(*bounds) if bounds else None


def _one_of(known: tuple[str, ...]) -> Rule:
    among = pa.array(known)
    what = f"one of {', '.join(known)}"
    return Rule(what, known.__contains__, lambda values: pc.is_in(values, among))


def _not_blank() -> Rule:
    visible = re.compile(_VISIBLE)
    return Rule(
        "a text",
        lambda text: visible.search(text) is not None,
        lambda texts: pc.match_substring_regex(texts, _VISIBLE),
    )


def _within(low: Any, high: Any, what: str) -> Rule:
    def all_hold(values: pa.ChunkedArray) -> pa.ChunkedArray:
        least, most = pa.scalar(low, values.type), pa.scalar(high, values.type)
        return pc.and_(pc.greater_equal(values, least), pc.less_equal(values, most))

    return Rule(what, lambda value: bool(low <= value <= high), all_hold)


def _json(fits: Callable[[Any], bool], what: str) -> Rule:
    def holds(text: str) -> bool:
        try:
            return fits(from_json(text, allow_inf_nan=False))
        except ValueError:
            return False

    def all_hold(texts: pa.ChunkedArray) -> pa.ChunkedArray:
        """Read a text that is there often only once."""
        wrong = [text for text in pc.unique(texts).drop_null().to_pylist() if not holds(text)]
        return pc.invert(pc.is_in(texts, pa.array(wrong, texts.type)))

    return Rule(what, holds, all_hold)


def _is_matrix(counts: list[int | None]) -> bool:
    side = math.isqrt(len(counts))
    is_square = 1 <= side <= _LONGEST_SIDE and side * side == len(counts)
    return is_square and all(count is not None and count >= 0 for count in counts)


def _are_matrices(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return whether each list has k * k counts, none negative or null."""
    squares = pa.array([side * side for side in range(1, _LONGEST_SIDE + 1)])
    square = pc.or_(pc.is_in(pc.list_value_length(values), squares), values.is_null())
    counts = pc.fill_null(pc.greater_equal(pc.list_flatten(values), 0), False)
    return pc.and_(square, _all_in_list(values, counts))


def _is_fractions(numbers: list[float | None]) -> bool:
    return all(number is None or 0 <= number <= 1 for number in numbers)


def _are_fractions(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return whether each list has only numbers from 0 to 1 and nulls."""
    numbers = pc.list_flatten(values)
    inside = pc.and_(pc.greater_equal(numbers, 0), pc.less_equal(numbers, 1))
    return _all_in_list(values, pc.fill_null(inside, True))


def _all_in_list(values: pa.ChunkedArray, holds: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return whether all elements of each list hold; `holds` says it of one element after another.

    A null and an empty list do, too.
    """
    if pc.all(holds, min_count=0).as_py():
        return pa.chunked_array([np.ones(len(values), bool)])
    bad = pc.unique(pc.list_parent_indices(values).filter(pc.invert(holds)))
    return pc.invert(pc.is_in(pa.array(np.arange(len(values))), bad))


_RULES: dict[RowKind, tuple[tuple[str, Rule | None], ...]] = {
    kind: tuple((field.name, _rule(field)) for field in declared)
    for kind, declared in DECLARED.items()
}


def problem_of(row: Mapping[str, Any], kind: RowKind) -> str | None:
    """Return the first rule that a row breaks; None if it breaks none.

    Args:
        row: column to value, each of its declared type; a missing one is null.
        kind: of the row.
    """
    for name, rule in _RULES[kind]:
        value = row.get(name)
        if value is None:
            if name in _ALWAYS:
                return f"its {name} is missing"
        elif rule is not None and not rule.holds(value):
            return f"its {name} is not {rule.what}"
    if kind == "trials" and row.get("wall_time_s") is None and row["status"] != "failed":
        return "its wall_time_s is missing"
    return None


def rule_of(kind: RowKind, column: str) -> Rule | None:
    """Return the rule of a declared column; None if it has none."""
    return dict(_RULES[kind])[column]


def broken_rows(rows: pa.Table, kind: RowKind) -> dict[int, str]:
    """Return each row that breaks a rule, with the first rule that it breaks.

    Args:
        rows: all declared columns, of their declared types; other columns are ignored.
        kind: of the rows.
    """
    broken: dict[int, str] = {}
    for name, rule in _RULES[kind]:
        values = rows[name]
        if name in _ALWAYS and values.null_count:
            _note(broken, values.is_valid(), f"its {name} is missing")
        if rule is not None and values.null_count < len(values):
            _note(broken, rule.all_hold(values), f"its {name} is not {rule.what}")
    if kind == "trials" and rows["wall_time_s"].null_count:
        timed = pc.or_kleene(rows["wall_time_s"].is_valid(), pc.equal(rows["status"], "failed"))
        _note(broken, timed, "its wall_time_s is missing")
    return broken


def without_broken(rows: pa.Table, kind: RowKind, files: pa.ChunkedArray) -> pa.Table:
    """Return the rows that hold all rules; warn of the others.

    Args:
        rows, kind: as in `broken_rows`.
        files: the path of each row's file.
    """
    broken = broken_rows(rows, kind)
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
        row = f"trial {some(names)}: {problem}"
        warn_skipped(where, f"left out {row}", "restore the file from a copy")


def _note(broken: dict[int, str], holds: pa.ChunkedArray, problem: str) -> None:
    if pc.all(holds).as_py() is False:  # null where a value is null, and that is no fault here
        for index in pc.indices_nonzero(pc.invert(holds)).to_pylist():
            broken.setdefault(index, problem)


def check_groups(
    parquet: pq.ParquetFile, groups: Iterable[int], columns: Sequence[int] | None = None
) -> None:
    """Raise OSError if what a file says of the columns of some row groups is damaged.

    Ask before `row_group.column`, before statistics and before a filter: on such damage they end
    the whole process (Arrow 26: an exception crosses code that expects none). A reader of no rows
    looks at the same metadata, and raises; only the type it leaves to us. For one group all this
    takes about 8 µs a column.

    Args:
        parquet: the file.
        groups: the numbers of the row groups.
        columns: the numbers of the columns; None means all.
    """
    for number in groups:
        for _ in parquet.reader.iter_batches(0, row_groups=[number], column_indices=columns):
            pass
        group, schema = parquet.metadata.row_group(number), parquet.schema
        for index in range(group.num_columns) if columns is None else columns:
            if group.column(index).physical_type != schema.column(index).physical_type:
                raise OSError(f"column {schema.names[index]!r} is of two types")


def decoded_size(file: Path, parquet: pq.ParquetFile, groups: Iterable[int]) -> int:
    """Return the bytes that the values of some row groups take in memory, or more.

    Args:
        file: where it is.
        parquet: the same file; its columns of text are not nested, and `check_groups` accepts it.
        groups: the numbers of the row groups.
    """
    most = 0
    footer = parquet.metadata
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
