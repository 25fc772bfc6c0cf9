"""Read the store: trials and their measurements, for any number of readers, never blocked.

Every function reads the files that exist at that moment; a search may be running. A column that an
older file lacks is null. A torn or foreign file, and a row that breaks a rule (`rules.py`), is left
out and named in a `SkippedWarning`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from tune_mnist.data_identity import DataName, data_names, is_plain_name, matching, written
from tune_mnist.errors import input_error, nearest
from tune_mnist.store.catalog import (
    SEARCH,
    ForeignFilesError,
    check_file,
    list_searches,
    not_in_store,
    readable,
    readable_all,
    same_family,
    search_files,
    stored_schema,
    without_foreign,
)
from tune_mnist.store.layout import RowKind, kind_folder, records_folder
from tune_mnist.store.rules import without_broken
from tune_mnist.store.schema import ARROW_TYPES, DECLARED, TRIALS
from tune_mnist.store.selection import EVERYTHING, Selection
from tune_mnist.store.top import Query, best_rows

__all__ = [
    "check_columns",
    "list_searches",
    "read_data_names",
    "read_reports",
    "read_trials",
    "top_trials",
]

_HIVE = ds.partitioning(pa.schema([SEARCH]), flavor="hive")
_FILE = "__filename"  # what Arrow calls the path of a row's file
_EVERY = pc.scalar(True)


def read_trials(
    root: Path,
    *,
    search: str | None = None,
    dataset: str | None = None,
    model: str | None = None,
    columns: Sequence[str] | None = None,
    equal: Mapping[str, Any] | None = None,
) -> pa.Table:
    """Return the finished trials, oldest first within their search.

    Args:
        root: the store's folder.
        search: only trials of this search; None reads all.
        dataset: only trials on this data set: its name, `name@hash`, or a hash's first digits.
        model: only trials of this model.
        columns: which columns, in this order; None returns `search` and all columns of the files.
        equal: other columns, each with the value that it must have; it may match no trial.
    Returns: one row per trial; the fields carry their unit and meaning.
    Raises:
        InputError: there is no store, or no such search, data set or model.
        ValueError: no file has one of the columns.
    """
    wanted = _wanted(root, search, dataset, model)
    condition = _EVERY
    for name, value in {**wanted, **(equal or {})}.items():
        condition = condition & (pc.field(name) == value)
    trials = without_foreign(lambda out: _read(root, "trials", search, columns, condition, out))
    if not len(trials):
        _check_wanted(root, search, wanted)
    return trials


def read_reports(root: Path, *, search: str | None = None) -> pa.Table:
    """Return the measurements of one search or of all; each trial's are in order of `step`.

    Raises: InputError: there is no store, or no such search.
    """
    return without_foreign(lambda out: _read(root, "reports", search, None, _EVERY, out))


def check_columns(root: Path, parameters: Mapping[str, type]) -> None:
    """Check that the store's hyperparameters are of these types, as far as it has them.

    Args:
        root: the store's folder; there may be no store yet.
        parameters: the name and Python type of each hyperparameter.

    Raises: InputError: a model of your own has used the name for something else, so that nobody
        could read both together.
    """
    if not kind_folder(root, "trials").is_dir() or not records_folder(root).is_dir():
        return
    there = without_foreign(lambda out: _newest_schema(root, out))
    for name, type_ in parameters.items():
        index, wanted = there.get_field_index(f"config.{name}"), ARROW_TYPES[type_]
        if index >= 0 and not same_family(there.types[index], wanted):
            problem = f"{name} is {wanted} here, and {there.types[index]} in the store's trials"
            raise input_error("`results`", problem, f"rename {name}, or use another folder")


def _newest_schema(root: Path, out: set[Path]) -> pa.Schema:
    newest = [files[-1] for _, files in search_files(root, "trials", None)]
    return stored_schema("trials", [file for file in newest if file not in out])


def top_trials(
    root: Path,
    *,
    top: int,
    metric: str = "val_accuracy",
    mode: Literal["max", "min"] | None = None,
    selection: Selection = EVERYTHING,
) -> pa.Table:
    """Return the best trials, best first.

    Completed trials come before those that were stopped early. Ties are ordered by wall time, then
    by search and trial. Failed trials, and trials whose metric is null or NaN, are left out.

    Args:
        root: the store's folder.
        top: the most trials to return, > 0.
        metric: a numeric column of `TRIALS`.
        mode: whether "max" or "min" is best; None means "min" for a loss or a time, else "max".
        selection: which trials count; `analysis.constraints` applies its constraints, not this.
    Returns: at most `top` rows, with `search` and all columns of their files.
    Raises:
        InputError: there is no store, or no such search, data set, model or metric.
        ValueError: `top` < 1.
    """
    if top < 1:
        raise ValueError(f"top is {top}, must be >= 1")
    numeric = [
        f.name for f in TRIALS if pa.types.is_integer(f.type) or pa.types.is_floating(f.type)
    ]
    if metric not in numeric:
        raise input_error("`metric`", f"{metric!r} cannot rank trials", nearest(metric, numeric))
    smaller_is_better = mode == "min" if mode else metric.endswith(("_loss", "_s"))
    wanted = _wanted(root, selection.search, selection.dataset, selection.model)
    query = Query(metric, smaller_is_better, top, wanted)

    def rank(out: set[Path]) -> pa.Table:
        listed = search_files(root, "trials", selection.search)
        files = [(name, file) for name, files in listed for file in files if file not in out]
        return best_rows(query, files)

    best = without_foreign(rank)
    if not len(best):
        _check_wanted(root, selection.search, query.wanted)
    return best


def read_data_names(root: Path, *, search: str | None = None) -> list[DataName]:
    """Return the name and the hash of each data set that a search, or any search, ran on.

    Raises: InputError: there is no store, or no such search.
    """
    return data_names(read_trials(root, search=search, columns=["dataset", "data_hash"]))


def _wanted(
    root: Path, search: str | None, dataset: str | None, model: str | None
) -> dict[str, str]:
    """Return the columns that a wanted row must have, each with its value."""
    wanted = {} if dataset is None else _wanted_data(root, search, dataset)
    return wanted if model is None else {**wanted, "model": model}


def _wanted_data(root: Path, search: str | None, dataset: str) -> dict[str, str]:
    """Return the name or the hash that a row on this data set has.

    Raises: InputError: the first digits of a hash stand for several data sets, or for none.
    """
    if is_plain_name(dataset):
        return {"dataset": dataset}
    known = read_data_names(root, search=search)
    found = matching(dataset, known)
    if not found or found[0][0] == dataset:  # `_check_wanted` refuses a name that is not there
        return {"dataset": dataset}
    hashes = {data_hash for _, data_hash in found if data_hash is not None}
    if len(hashes) > 1:
        problem = f"{dataset!r} is {len(hashes)} data sets: {', '.join(written(found))}"
        raise input_error("`dataset`", problem, "give more digits of the hash")
    return {"data_hash": hashes.pop()}


def _check_wanted(root: Path, search: str | None, wanted: Mapping[str, str]) -> None:
    """Raise InputError if there are trials, but none with one of the wanted values."""
    if not wanted:
        return
    trials = read_trials(root, search=search, columns=list(wanted))
    for name, value in wanted.items():
        known = sorted(trials[name].drop_null().unique().to_pylist())
        if known and value not in known:
            raise not_in_store(f"`{name}`", value, known)


def _read(
    root: Path,
    kind: RowKind,
    search: str | None,
    columns: Sequence[str] | None,
    condition: pc.Expression,
    out: set[Path],
) -> pa.Table:
    """Read the rows of all files except those in `out`; ForeignFilesError names further ones."""
    listed = [
        [file for file in files if file not in out] for _, files in search_files(root, kind, search)
    ]
    # A writer's schema has every column of its search's older files, so the newest has them all.
    schema = pa.schema([SEARCH, *stored_schema(kind, [files[-1] for files in listed if files])])
    names = schema.names if columns is None else list(columns)
    unknown = [name for name in names if name not in schema.names]
    if unknown:
        raise ValueError(f"no column {unknown[0]!r} in {kind}; {nearest(unknown[0], schema.names)}")
    paths = [file for files in listed for file in files]
    if not paths:
        return schema.empty_table().select(names)
    with readable_all(kind, paths, schema):
        rows = ds.dataset([str(path) for path in paths], schema=schema, partitioning=_HIVE)
        _check_files(kind, rows)
        checked = dict.fromkeys([*names, *DECLARED[kind].names, _FILE])
        table = rows.to_table(columns=list(checked), filter=condition)
        table.validate(full=True)  # texts that are not UTF-8
    return without_broken(table, kind, table[_FILE]).select(names)


def _check_files(kind: RowKind, rows: ds.Dataset) -> None:
    """Raise ForeignFilesError for the files that cannot be read as rows of this kind."""
    foreign: dict[Path, str] = {}
    for fragment in rows.get_fragments():  # Arrow would read a foreign file as null rows
        file = Path(fragment.path)
        try:
            with (
                readable(file),
                pq.ParquetFile(file, metadata=fragment.metadata) as parquet,
            ):
                check_file(kind, file, parquet)
        except ForeignFilesError as error:
            foreign |= error.found
    if foreign:
        raise ForeignFilesError(foreign)
