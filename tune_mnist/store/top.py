"""The best few of a million trials, without reading the million.

Three bounds, all exact because no row beats them. A file's name promises its best accuracy and
wall time: files are opened best promise first, until no promise can beat the worst of the best
found so far; where the metric is another, every file is opened, at about 0.5 ms. A Parquet footer
holds the range of every column in every row group: a group whose best values still rank behind is
not read. One that may do better is read in the columns that rank, and the winners alone in full.

Measured by benchmarks/store.py, which also times a metric that no name promises.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tune_mnist.store.catalog import SEARCH, ForeignFilesError, check_columns, readable
from tune_mnist.store.layout import promise
from tune_mnist.store.schema import TRIALS

# A row in the running: its keys in the order of ranking, lower is better, and where it is.
_KEYS = ("cost", "wall_time_s", "search", "trial")
_RUNNING = pa.schema(
    [
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
    """The question: which metric, which end of it is best, how many rows, and of what kind."""

    metric: str
    smaller_is_better: bool
    top: int
    wanted: Mapping[str, str]  # column to the only value that counts


def best_rows(query: Query, files: Sequence[tuple[str, Path]]) -> pa.Table:
    """Return the whole rows of the best trials, best first.

    Args:
        query: failed trials, and those whose metric is null or NaN, never count; ties go to the
            shorter wall time, then by search and trial.
        files: search and path of every file to look into.
    Returns: at most `query.top` rows: `search`, the columns of `TRIALS`, and the files' others.
    Raises:
        FileNotFoundError: a file has gone since it was listed.
        ForeignFilesError: a file is torn or not ours.
    """
    best = _RUNNING.empty_table()
    promised = sorted((_promise(path, query), search, path) for search, path in files)
    foreign: dict[Path, str] = {}
    for index, (least, search, path) in enumerate(promised):
        if least > _worst(best, query.top):
            break
        try:
            with readable(path), pq.ParquetFile(path, pre_buffer=False) as parquet:
                check_columns("trials", path, parquet.schema_arrow)
                best = _with_file(best, parquet, (search, index), query)
        except ForeignFilesError as error:
            foreign |= error.found
    if foreign:
        raise ForeignFilesError(foreign)
    return _whole(best, [(search, path) for _, search, path in promised])


def _with_file(
    best: pa.Table, parquet: pq.ParquetFile, place: tuple[str, int], query: Query
) -> pa.Table:
    """Return the best of the rows so far and of a file's."""
    columns = {name: i for i, name in enumerate(parquet.schema.names)}
    if not {query.metric, *query.wanted} <= columns.keys():
        return best  # written before these were recorded
    for group in range(parquet.num_row_groups):
        worst = _worst(best, query.top)
        if _may_enter(parquet.metadata.row_group(group), columns, query, worst):
            rows = _entering(parquet, group, query, worst)
            best = _merged(best, rows, (*place, group), query.top)
    return best


def _promise(path: Path, query: Query) -> tuple[float, float]:
    """Return cost and wall time that no row of the file beats, by its name."""
    known = promise(path.name)
    if known is None or query.metric != "val_accuracy" or query.smaller_is_better:
        return -math.inf, -math.inf
    return -known[0], known[1]


def _worst(best: pa.Table, top: int) -> tuple[float, float]:
    """Return the cost and wall time that a row must not exceed to get in."""
    if len(best) < top:
        return math.inf, math.inf
    return best["cost"][-1].as_py(), best["wall_time_s"][-1].as_py()


def _may_enter(
    group: pq.RowGroupMetaData, columns: Mapping[str, int], query: Query, worst: tuple[float, float]
) -> bool:
    """Say whether a row group's bounds leave room for a row that gets in."""
    for name, value in query.wanted.items():
        low, high = _bounds(group, columns[name])
        if low is not None and not low <= value <= high:
            return False
    low, high = _bounds(group, columns[query.metric])
    shortest, _ = _bounds(group, columns["wall_time_s"])
    if low is None or shortest is None:
        return True
    return not (low if query.smaller_is_better else -high, shortest) > worst


def _bounds(group: pq.RowGroupMetaData, column: int) -> tuple[Any, Any]:
    """Return the lowest and highest value of a column, None where the file does not say."""
    statistics = group.column(column).statistics
    if statistics is None or not statistics.has_min_max:
        return None, None
    return statistics.min, statistics.max


def _entering(
    parquet: pq.ParquetFile, group: int, query: Query, worst: tuple[float, float]
) -> pa.Table:
    """Return trial, cost, wall time and number of the rows of a group that get in."""
    keys = parquet.read_row_group(group, columns=[query.metric, "wall_time_s"], use_threads=False)
    cost = pc.cast(keys[query.metric], pa.float64()).to_numpy()  # null is NaN
    cost = cost if query.smaller_is_better else -cost
    wall_time_s = np.nan_to_num(keys["wall_time_s"].to_numpy(), nan=math.inf, posinf=math.inf)
    enters = (cost < worst[0]) | ((cost == worst[0]) & (wall_time_s <= worst[1]))
    if not enters.any():  # most often; the text columns cost more than these two
        return _RUNNING.empty_table()
    names = ["trial", "status", *query.wanted]
    texts = parquet.read_row_group(group, columns=names, use_threads=False)
    enters &= pc.not_equal(texts["status"], "failed").to_numpy()
    for name, value in query.wanted.items():
        enters &= pc.fill_null(pc.equal(texts[name], value), False).to_numpy()
    number = np.flatnonzero(enters)
    return pa.table(
        {
            "trial": texts["trial"].take(pa.array(number)),
            "cost": cost[number],
            "wall_time_s": wall_time_s[number],
            "row": number,
        }
    )


def _merged(best: pa.Table, rows: pa.Table, place: tuple[str, int, int], top: int) -> pa.Table:
    """Return the best of the rows so far and of new ones, which are all in one row group."""
    if not len(rows):
        return best
    for name, value in zip(("search", "file", "group"), place, strict=True):
        rows = rows.append_column(name, pa.repeat(value, len(rows)))
    both = pa.concat_tables([best, rows.select(_RUNNING.names).cast(_RUNNING)])
    return both.sort_by([(key, "ascending") for key in _KEYS]).slice(0, top).combine_chunks()


def _whole(best: pa.Table, files: Sequence[tuple[str, Path]]) -> pa.Table:
    """Fetch all columns of the winners, each row group once."""
    places = [
        (place["file"], place["group"], place["row"], rank)
        for rank, place in enumerate(best.select(["file", "group", "row"]).to_pylist())
    ]
    parts = [pa.schema([SEARCH, *TRIALS]).empty_table()]
    ranks: list[int] = []
    for (file, group), found in groupby(sorted(places), key=lambda place: place[:2]):
        rows, ranked = zip(*(place[2:] for place in found), strict=True)
        search, path = files[file]
        with readable(path), pq.ParquetFile(path, pre_buffer=False) as parquet:
            part = parquet.read_row_group(group, use_threads=False).take(rows)
        parts.append(part.add_column(0, SEARCH, pa.repeat(search, len(part))))
        ranks += ranked
    whole = pa.concat_tables(parts, promote_options="permissive")
    return whole.take(np.argsort(ranks)) if ranks else whole
