"""What is in the store: its searches, their files and columns, and the errors if one is missing.

Reading takes no lock, so a merge may remove a listed file before it is opened; then `retried`
starts again. If a file cannot be read for any other reason, it is torn or not ours: `readable`
raises `ForeignFilesError`, and `without_foreign` warns of the file and reads the others. A reader
may have no permission to write, so it leaves such files in place; the search's next writer moves
them into quarantine. No file is opened just to check it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from tune_mnist.errors import InputError, input_error, nearest, warn_skipped
from tune_mnist.store.layout import RowKind, live_files, records_folder, rows_folder
from tune_mnist.store.schema import REPORTS, TRIALS, column

SEARCH = column("search", pa.string(), "", "id of the search")
DECLARED: dict[RowKind, pa.Schema] = {"trials": TRIALS, "reports": REPORTS}

_TYPES = {kind: dict(zip(s.names, s.types, strict=True)) for kind, s in DECLARED.items()}
_NEEDED: dict[RowKind, tuple[str, ...]] = {
    "trials": ("trial", "status", "wall_time_s"),
    "reports": ("trial", "step"),
}
_RUN_ONE = "run a search first"
_ATTEMPTS = 10  # an attempt fails only if a merge ends during it

Result = TypeVar("Result")


def list_searches(root: Path) -> list[str]:
    """Return the ids of the searches that have a record, sorted.

    Raises: InputError: there is no store at `root`.
    """
    if not records_folder(root).is_dir():
        raise input_error(root, "there are no results", _RUN_ONE)
    return sorted(file.stem for file in records_folder(root).glob("[!.]*.json"))


def search_files(root: Path, kind: RowKind, search: str | None) -> list[tuple[str, list[Path]]]:
    """Return each search that has rows, with its Parquet files, oldest first.

    Args:
        root: the store's folder.
        kind: which rows.
        search: the only search to look at; None looks at all.
    Raises: InputError: there is no store, or no such search.
    """
    known = set(list_searches(root))
    known.update(_searches_with_rows(root / kind, rows_folder(root, kind, "").name))
    if search is not None and search not in known:
        raise not_in_store("`search`", search, sorted(known))
    wanted = sorted(known) if search is None else [search]
    listed = ((name, _listed(rows_folder(root, kind, name))) for name in wanted)
    return [(name, files) for name, files in listed if files]


def _searches_with_rows(folder: Path, prefix: str) -> Iterator[str]:
    """Yield the searches that have a folder in this one; warn of anything else in it."""
    for entry in folder.glob("[!._]*"):
        if entry.name.startswith(prefix) and entry.is_dir():
            yield entry.name[len(prefix) :]
        else:
            warn_skipped(entry, "left out: not the folder of a search", "move it away")


def _listed(folder: Path) -> list[Path]:
    try:
        return live_files(folder)
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
    schema, met = DECLARED[kind], [DECLARED[kind]]
    foreign: dict[Path, str] = {}
    for file in files:
        try:
            with readable(file):
                found = pq.read_schema(file).remove_metadata()
                if found not in met:
                    check_columns(kind, file, found)
                    schema = pa.unify_schemas([schema, found], promote_options="permissive")
                    met.append(found)
        except ForeignFilesError as error:
            foreign |= error.found
    if foreign:
        raise ForeignFilesError(foreign)
    return schema


def check_columns(kind: RowKind, file: Path, found: pa.Schema) -> None:
    """Raise ForeignFilesError if a file with these columns cannot hold rows of this kind."""
    types = dict(zip(found.names, found.types, strict=True))
    for name in _NEEDED[kind]:
        if found.names.count(name) != 1:
            raise ForeignFilesError({file: f"does not have exactly one column {name!r}"})
    for name, declared in _TYPES[kind].items():
        if name in types and not _fits(types[name], declared):
            problem = f"its column {name!r} is {types[name]}, not {declared}"
            raise ForeignFilesError({file: problem})


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
    """Turn any read error into ForeignFilesError, unless the file has disappeared."""
    try:
        yield
    except FileNotFoundError:
        if file.is_symlink():  # a dangling link: the file did not disappear, it was never there
            raise ForeignFilesError({file: "is a link to nothing"}) from None
        raise
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise ForeignFilesError({file: f"cannot be read as Parquet: {error}"}) from error


@contextmanager
def readable_all(kind: RowKind, files: Sequence[Path], schema: pa.Schema) -> Iterator[None]:
    """Do the same for a read of many files, where Arrow may not name the file that failed."""
    try:
        yield
    except (pa.ArrowException, OSError):
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
                check_columns(kind, file, parquet.schema_arrow)
                ds.dataset(str(file), schema=schema).to_table()
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


def retried(read: Callable[[], Result]) -> Result:
    """Return what `read` returns; start again if a listed file has disappeared."""
    for _ in range(_ATTEMPTS - 1):
        try:
            return read()
        except FileNotFoundError:
            continue
    return read()


def not_in_store(where: str, wanted: str, known: Sequence[str]) -> InputError:
    """Return the error for a name that is not in the store."""
    fix = nearest(wanted, known) if known else _RUN_ONE
    return input_error(where, f"{wanted!r} is not in the store", fix)
