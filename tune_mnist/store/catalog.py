"""What is in the store: its searches, their files and columns, and the errors if one is missing.

Reading takes no lock, so a merge may remove a listed file before it is opened; then `retried`
starts again. If a file cannot be read for any other reason, it is torn or not ours: `readable`
raises `ForeignFilesError`, and `without_foreign` warns of the file and reads the others. A reader
may have no permission to write, so it leaves such files in place; the search's next writer moves
them into quarantine. No file is opened just to check it, and none is read that would fill the
memory (`rules.py`).
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from tune_mnist.errors import InputError, input_error, nearest, warn_left_out, warn_skipped
from tune_mnist.store.layout import (
    RowKind,
    is_search_name,
    kind_folder,
    live_files,
    not_ours,
    record_file,
    records_folder,
    retried,
    rows_folder,
)
from tune_mnist.store.rules import MOST_BYTES, MOST_ROWS, check_groups, decoded_size
from tune_mnist.store.schema import DECLARED, column

SEARCH = column("search", pa.string(), "", "id of the search")

_TYPES = {kind: dict(zip(s.names, s.types, strict=True)) for kind, s in DECLARED.items()}
_NEEDED: dict[RowKind, tuple[str, ...]] = {
    "trials": ("trial", "status", "wall_time_s"),
    "reports": ("trial", "step"),
}
_COLUMN = re.compile(r"[A-Za-z]\w*(\.\w+)?")
_RUN_ONE = "run a search first"

Result = TypeVar("Result")


def list_searches(root: Path) -> list[str]:
    """Return the ids of the searches that have a record, sorted.

    Raises: InputError: there is no store at `root`.
    """
    if not records_folder(root).is_dir():
        raise input_error(root, "there are no results", _RUN_ONE)
    found = []
    for file in records_folder(root).glob("[!.]*.json"):
        if is_search_name(file.stem):
            found.append(file.stem)
        else:
            warn_skipped(file, "left out: not the name of a search", "move it away")
    return sorted(found)


def has_search(root: Path, search: str) -> bool:
    """Return whether a search has a record; the others are not looked at, there can be many."""
    return is_search_name(search) and record_file(root, search).is_file()


def search_files(root: Path, kind: RowKind, search: str | None) -> list[tuple[str, list[Path]]]:
    """Return each search that has rows, with its Parquet files, oldest first.

    Args:
        root: the store's folder.
        kind: which rows.
        search: the only search to look at; None looks at all.
    Raises: InputError: there is no store, or no such search.
    """
    if search is not None and has_search(root, search):
        wanted = [search]
    else:
        known = set(list_searches(root))
        known.update(_searches_with_rows(kind_folder(root, kind), rows_folder(root, kind, "").name))
        if search is not None and search not in known:
            raise not_in_store("`search`", search, sorted(known))
        wanted = sorted(known) if search is None else [search]
    listed = ((name, _listed(root, kind, name)) for name in wanted)
    return [(name, files) for name, files in listed if files]


def _searches_with_rows(folder: Path, prefix: str) -> Iterator[str]:
    """Yield the searches that have a folder in this one; warn of anything else in it."""
    for entry in folder.glob("[!._]*"):
        search = entry.name.removeprefix(prefix)
        if entry.name == prefix + search and is_search_name(search) and entry.is_dir():
            yield search
        else:
            warn_skipped(entry, "left out: not the folder of a search", "move it away")


def _listed(root: Path, kind: RowKind, search: str) -> list[Path]:
    folder = kind_folder(root, kind) / f"search={search}"
    try:
        return live_files(rows_folder(root, kind, search))
    except InputError as error:
        warn_left_out(error)
    except OSError as error:
        warn_skipped(folder, f"left out: {error.strerror}", "make it a folder that can be read")
    return []


class ForeignFilesError(Exception):
    """Some of the store's files do not hold its rows; `found` says what is wrong with each."""

    def __init__(self, found: dict[Path, str]) -> None:
        self.found = found
        super().__init__(found)


def stored_schema(kind: RowKind, files: Sequence[Path]) -> pa.Schema:
    """Return the declared columns of a kind, and any others that these files have.

    Raises: ForeignFilesError: some files do not hold rows of this kind.
    """
    found: dict[Path, pa.Schema] = {}
    foreign: dict[Path, str] = {}
    for file in files:
        try:
            with readable(file):
                found[file] = pq.read_schema(file).remove_metadata()
                check_columns(kind, file, found[file])
        except ForeignFilesError as error:
            foreign |= error.found
    if foreign:
        raise ForeignFilesError(foreign)
    return unified(kind, found)


def unified(kind: RowKind, found: Mapping[Path, pa.Schema]) -> pa.Schema:
    """Return the declared columns of a kind, and any others that files with these columns have.

    Raises: ForeignFilesError: a column is of another type in most files.
    """
    alike: list[tuple[pa.Schema, list[Path]]] = []  # a store has very few different schemas
    for file, schema in found.items():
        files = next((files for one, files in alike if one == schema), None)
        if files is None:
            alike.append((schema, [file]))
        else:
            files.append(file)
    others = [
        (field, files)
        for schema, files in alike
        for field in schema
        if field.name not in _TYPES[kind] and not pa.types.is_null(field.type)
    ]
    votes: dict[str, Counter[str]] = defaultdict(Counter)
    for field, files in others:
        votes[field.name][_family(field.type)] += len(files)
    foreign: dict[Path, str] = {}
    for field, files in others:
        [(usual, _)] = votes[field.name].most_common(1)
        if _family(field.type) != usual:
            problem = f"its column {field.name!r} is {field.type}; in most files it is a {usual}"
            foreign |= dict.fromkeys(files, problem)
    if foreign:
        raise ForeignFilesError(foreign)
    unknown = [pa.schema([f for f in one if f.name not in _TYPES[kind]]) for one, _ in alike]
    return pa.unify_schemas([DECLARED[kind], *unknown], promote_options="permissive")


def check_file(kind: RowKind, file: Path, parquet: pq.ParquetFile) -> None:
    """Raise ForeignFilesError if a file cannot hold our rows, or is too large."""
    check_columns(kind, file, parquet.schema_arrow)
    check_size(file, parquet, range(parquet.num_row_groups))


def check_size(file: Path, parquet: pq.ParquetFile, groups: Sequence[int]) -> None:
    """Raise ForeignFilesError if these row groups of a file are too large to be read."""
    rows = parquet.metadata.num_rows
    if rows > MOST_ROWS:
        raise ForeignFilesError({file: f"has {rows:,} rows; at most {MOST_ROWS:,} can be"})
    check_groups(parquet, groups)
    if decoded_size(file, parquet, groups) > MOST_BYTES:
        problem = f"would take more than {MOST_BYTES / 2**30:g} GiB of memory"
        raise ForeignFilesError({file: problem})


def check_columns(kind: RowKind, file: Path, found: pa.Schema) -> None:
    """Raise ForeignFilesError if a file with these columns cannot hold rows of this kind."""
    types = dict(zip(found.names, found.types, strict=True))
    for name in _NEEDED[kind]:
        if found.names.count(name) != 1:
            raise ForeignFilesError({file: f"does not have exactly one column {name!r}"})
    if len(types) < len(found.names):
        raise ForeignFilesError({file: "has two columns of one name"})
    for name, type_ in types.items():
        declared = _TYPES[kind].get(name)
        if declared is not None and not _fits(type_, declared):
            problem = f"its column {name!r} is {type_}, not {declared}"
            raise ForeignFilesError({file: problem})
        if declared is None and not (_may_be_added(name) and _family(type_)):
            problem = f"its column {name!r} of type {type_} is none of the store's"
            raise ForeignFilesError({file: problem})


def _may_be_added(name: str) -> bool:
    """Return whether a column that is not declared may have this name."""
    return name != SEARCH.name and _COLUMN.fullmatch(name) is not None


def same_family(one: pa.DataType, other: pa.DataType) -> bool:
    """Return whether added columns of these types can be read together."""
    return _family(one) == _family(other)


def _family(type_: pa.DataType) -> str:
    """Return what an added column holds; files that agree on it can be read together."""
    if pa.types.is_signed_integer(type_) or pa.types.is_floating(type_):
        return "number"
    if pa.types.is_string(type_) or pa.types.is_large_string(type_):
        return "text"
    if pa.types.is_boolean(type_):
        return "truth value"
    return "null" if pa.types.is_null(type_) else ""


def _fits(type_: pa.DataType, declared: pa.DataType) -> bool:
    """Return whether a column has its declared type, or one that pandas turns it into."""
    if type_ == declared:
        return True
    number = pa.types.is_integer(type_) or pa.types.is_floating(type_)
    return bool(
        pa.types.is_null(type_)
        or (pa.types.is_large_string(type_) and pa.types.is_string(declared))
        or (number and pa.types.is_floating(declared))
        or (pa.types.is_timestamp(type_) and pa.types.is_timestamp(declared))
    )


@contextmanager
def readable(file: Path) -> Iterator[None]:
    """Turn any read error into ForeignFilesError, unless the file has disappeared.

    A link, pipe or device is not opened.
    """
    if problem := not_ours(file):
        raise ForeignFilesError({file: problem})
    try:
        yield
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise ForeignFilesError({file: f"cannot be read as Parquet: {error}"}) from error


@contextmanager
def readable_all(kind: RowKind, files: Sequence[Path], schema: pa.Schema) -> Iterator[None]:
    """Do the same for a read of many files, where Arrow may not name the file that failed."""
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError):
        foreign = foreign_files(kind, files, schema)
        if foreign:
            raise ForeignFilesError(foreign) from None
        raise


def foreign_files(kind: RowKind, files: Iterable[Path], schema: pa.Schema) -> dict[Path, str]:
    """Return the files that do not hold rows of this kind; slow, because it reads them whole.

    Raises: FileNotFoundError: a file has disappeared.
    """
    foreign: dict[Path, str] = {}
    for file in files:
        try:
            with readable(file), pq.ParquetFile(file) as parquet:
                check_file(kind, file, parquet)
                ds.dataset(str(file), schema=schema).to_table().validate(full=True)
        except ForeignFilesError as error:
            foreign |= error.found
    return foreign


def without_foreign(read: Callable[[set[Path]], Result]) -> Result:
    """Call `read` until it finds no more foreign files to leave out; warn of those it found."""
    out: set[Path] = set()
    while True:
        try:
            return retried(partial(read, out))
        except ForeignFilesError as error:
            name_foreign(error.found)
            out |= error.found.keys()


def name_foreign(found: dict[Path, str]) -> None:
    """Warn of files that were left out."""
    for file, problem in found.items():
        warn_skipped(file, f"left out: {problem}", "restore it from a copy, or move it away")


def not_in_store(where: str, wanted: str, known: Sequence[str]) -> InputError:
    """Return the error for a name that is not in the store."""
    fix = nearest(wanted, known) if known else _RUN_ONE
    return input_error(where, f"{wanted!r} is not in the store", fix)
