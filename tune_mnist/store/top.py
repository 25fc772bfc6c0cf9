"""The best few of a million trials, without reading the million.

Three bounds make this fast. They are exact, because no row can beat them.

- A file's name promises its best accuracy and wall time. Files are opened in the order of their
  promises, until none can beat the worst of the best found so far. For any other metric, every file
  is opened, which takes about 0.5 ms each.
- A Parquet footer holds the range of every column in every row group. A row group whose best values
  still rank behind is not read.
- A row group that may do better is read only in the columns that rank. Only the winners are read in
  full, and checked (`rules.py`). If one breaks a rule, all is done again with every row checked.

benchmarks/store.py measures it, also for a metric that no name promises.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tune_mnist.store.catalog import (
    SEARCH,
    ForeignFilesError,
    check_columns,
    check_size,
    readable,
    unified,
)
from tune_mnist.store.layout import promise
from tune_mnist.store.rules import broken_rows, check_groups, warn_broken
from tune_mnist.store.schema import TRIALS

# A candidate: its keys in the order of ranking, lower is better, and its place.
_KEYS = ("stopped", "cost", "wall_time_s", "search", "trial")
Numbers = tuple[float, float, float]
"""Of a trial, or a bound for several: whether it was stopped, its cost, its wall time."""
_RUNNING = pa.schema(
    [
        ("stopped", pa.float64()),  # 0 for a completed trial, 1 for one that was stopped early
        ("cost", pa.float64()),
        ("wall_time_s", pa.float64()),
        ("search", pa.string()),
        ("trial", pa.string()),
        ("file", pa.int64()),
        ("group", pa.int64()),
        ("row", pa.int64()),
    ]
)


@dataclass(frozen=True)
class Query:
    """What to look for.

    Args:
        metric: the column that ranks.
        smaller_is_better: whether its lowest value is the best.
        top: the most rows to return.
        wanted: columns, each with the value that a row must have.
        checked: whether a row that breaks a rule is left out, and named.
    """

    metric: str
    smaller_is_better: bool
    top: int
    wanted: Mapping[str, str]
    checked: bool = False


def best_rows(query: Query, files: Sequence[tuple[str, Path]]) -> pa.Table:
    """Return the whole rows of the best trials, best first.

    Args:
        query: what to look for. Failed trials, and those whose metric is null or NaN, never count.
            Completed trials come before stopped ones (winner.py says why), and ties go to the
            shorter wall time, then by search and trial.
        files: search and path of every file to look into.
    Returns: at most `query.top` rows, with `search` and all columns of their files.
    Raises:
        FileNotFoundError: a file has disappeared since it was listed.
        ForeignFilesError: a file is torn or not ours.
    """
    promised = sorted((_promise(path, query), search, path) for search, path in files)
    places = [(search, path) for _, search, path in promised]
    whole = _whole(_best(query, promised), places)
    if broken_rows(whole, "trials"):
        whole = _whole(_best(replace(query, checked=True), promised), places)
    return whole


def _best(query: Query, promised: Sequence[tuple[Numbers, str, Path]]) -> pa.Table:
    """Return the keys and places of the best rows of files, given with their promises."""
    best = _RUNNING.empty_table()
    foreign: dict[Path, str] = {}
    for index, (least, search, path) in enumerate(promised):
        if least > _worst(best, query.top):
            break
        try:
            with readable(path), pq.ParquetFile(path, pre_buffer=False) as parquet:
                check_columns("trials", path, parquet.schema_arrow)
                best = _with_file(best, parquet, (search, index, path), query)
        except ForeignFilesError as error:
            foreign |= error.found
    if foreign:
        raise ForeignFilesError(foreign)
    return best


def _with_file(
    best: pa.Table, parquet: pq.ParquetFile, place: tuple[str, int, Path], query: Query
) -> pa.Table:
    """Return the best rows so far, after a look into one more file: its search, number and path."""
    search, index, path = place
    columns = {name: i for i, name in enumerate(parquet.schema.names)}
    if not {query.metric, *query.wanted} <= columns.keys():
        return best  # the file is older than these columns
    asked = [columns[name] for name in (query.metric, "wall_time_s", *query.wanted)]
    for group in range(parquet.num_row_groups):
        worst = _worst(best, query.top)
        check_groups(parquet, [group], asked)
        if _may_enter(parquet.metadata.row_group(group), columns, query, worst):
            check_size(path, parquet, [group])
            rows = _entering(parquet, group, query, worst)
            if query.checked and len(rows):
                rows = _sound(rows, as_declared(parquet.read_row_group(group)), path)
            best = _merged(best, rows, (search, index, group), query.top)
    return best


def _sound(rows: pa.Table, group: pa.Table, path: Path) -> pa.Table:
    """Return those of a group's entering rows that hold all rules; warn of the others."""
    whole = group.take(rows["row"])
    broken = broken_rows(whole, "trials")
    warn_broken(broken, whole["trial"], lambda _: str(path))
    return rows.take(pa.array([i for i in range(len(rows)) if i not in broken], pa.int64()))


def as_declared(rows: pa.Table) -> pa.Table:
    """Return rows of a file with all declared columns, of their types; a missing one is null."""
    for field in TRIALS:
        if field.name not in rows.column_names:
            rows = rows.append_column(field, pa.nulls(len(rows), field.type))
        elif rows.schema.field(field.name).type != field.type:
            place = rows.column_names.index(field.name)
            rows = rows.set_column(place, field, rows[field.name].cast(field.type))
    rows.validate(full=True)  # texts that are not UTF-8
    return rows


def _promise(path: Path, query: Query) -> Numbers:
    """Return the numbers that, by the file's name, none of its rows beats."""
    known = promise(path.name)
    if known is None or query.metric != "val_accuracy" or query.smaller_is_better:
        return 0.0, -math.inf, -math.inf
    return 0.0, -known[0], known[1]


def _worst(best: pa.Table, top: int) -> Numbers:
    """Return the numbers that a new row must not exceed to be among the best."""
    if len(best) < top:
        return math.inf, math.inf, math.inf
    [last] = best.slice(top - 1, 1).to_pylist()
    return last["stopped"], last["cost"], last["wall_time_s"]


def _may_enter(
    group: pq.RowGroupMetaData, columns: Mapping[str, int], query: Query, worst: Numbers
) -> bool:
    """Return whether, by its bounds, a row group may have a row among the best."""
    for name, value in query.wanted.items():
        low, high = _bounds(group, columns[name])
        if low is not None and not low <= value <= high:
            return False
    low, high = _bounds(group, columns[query.metric])
    shortest, _ = _bounds(group, columns["wall_time_s"])
    if low is None or shortest is None:
        return True
    return not (0.0, low if query.smaller_is_better else -high, shortest) > worst


def _bounds(group: pq.RowGroupMetaData, column: int) -> tuple[Any, Any]:
    """Return the lowest and highest value of a column; None if the file does not say."""
    statistics = group.column(column).statistics
    if statistics is None or not statistics.has_min_max:
        return None, None
    return statistics.min, statistics.max


def _entering(parquet: pq.ParquetFile, group: int, query: Query, worst: Numbers) -> pa.Table:
    """Return the keys and numbers of the rows of a group that are among the best."""
    keys = parquet.read_row_group(group, columns=[query.metric, "wall_time_s"], use_threads=False)
    cost = pc.cast(keys[query.metric], pa.float64()).to_numpy()  # null is NaN
    cost = cost if query.smaller_is_better else -cost
    wall_time_s = np.nan_to_num(keys["wall_time_s"].to_numpy(), nan=math.inf, posinf=math.inf)
    better = (cost < worst[1]) | ((cost == worst[1]) & (wall_time_s <= worst[2]))
    enters = ~np.isnan(cost) if worst[0] else better  # a completed trial beats a stopped one
    if not enters.any():  # the usual case; reading the text columns takes longer than these two
        return _RUNNING.empty_table()
    names = ["trial", "status", *query.wanted]
    texts = parquet.read_row_group(group, columns=names, use_threads=False)
    texts.validate(full=True)  # texts that are not UTF-8
    stopped = pc.fill_null(pc.not_equal(texts["status"], "completed"), True).to_numpy()
    failed = pc.fill_null(pc.equal(texts["status"], "failed"), False).to_numpy()
    enters &= ~failed & (better | ~stopped)
    for name, value in query.wanted.items():
        enters &= pc.fill_null(pc.equal(texts[name], value), False).to_numpy()
    number = np.flatnonzero(enters)
    return pa.table(
        {
            "trial": texts["trial"].take(pa.array(number)),
            "stopped": stopped[number].astype(np.float64),
            "cost": cost[number],
            "wall_time_s": wall_time_s[number],
            "row": number,
        }
    )


def _merged(best: pa.Table, rows: pa.Table, place: tuple[str, int, int], top: int) -> pa.Table:
    """Return the best rows so far and the new ones together; these share one row group."""
    if not len(rows):
        return best
    for name, value in zip(("search", "file", "group"), place, strict=True):
        rows = rows.append_column(name, pa.repeat(value, len(rows)))
    both = pa.concat_tables([best, rows.select(_RUNNING.names).cast(_RUNNING)])
    return both.sort_by([(key, "ascending") for key in _KEYS]).slice(0, top).combine_chunks()


def _whole(best: pa.Table, files: Sequence[tuple[str, Path]]) -> pa.Table:
    """Return all columns of the best rows; each row group is read once."""
    places = [
        (place["file"], place["group"], place["row"], rank)
        for rank, place in enumerate(best.select(["file", "group", "row"]).to_pylist())
    ]
    parts = [pa.schema([SEARCH, *TRIALS]).empty_table()]
    columns: dict[Path, pa.Schema] = {}
    ranks: list[int] = []
    for (file, group), found in groupby(sorted(places), key=lambda place: place[:2]):
        rows, ranked = zip(*(place[2:] for place in found), strict=True)
        search, path = files[file]
        with readable(path), pq.ParquetFile(path, pre_buffer=False) as parquet:
            part = as_declared(parquet.read_row_group(group, use_threads=False).take(rows))
        columns[path] = part.schema.remove_metadata()
        parts.append(part.add_column(0, SEARCH, pa.repeat(search, len(part))))
        ranks += ranked
    unified("trials", columns)  # files whose other columns differ are named
    whole = pa.concat_tables(parts, promote_options="permissive")
    return whole.take(np.argsort(ranks)) if ranks else whole
