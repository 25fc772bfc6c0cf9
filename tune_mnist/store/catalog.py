"""What is in the store: its searches, their files and columns, and the errors when one is not.

Reading takes no lock, so a merge may take a listed file away before it is opened: `retried`
starts over. Any other failure to read is the file's: it is torn, or not ours. Then `readable`
raises `ForeignFilesError`, and `without_foreign` names the file in a warning and reads the others.
Readers may have a read-only store, so they leave such files where they are; the next writer of
the search puts them into quarantine. No file is opened only to be checked.
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
from tune_mnist.store.layout import Kind, live_files, plans_folder, rows_folder
from tune_mnist.store.schema import REPORTS, TRIALS, column

SEARCH = column("search", pa.string(), "", "id of the search")
DECLARED: dict[Kind, pa.Schema] = {"trials": TRIALS, "reports": REPORTS}

_TYPES = {kind: dict(zip(s.names, s.types, strict=True)) for kind, s in DECLARED.items()}
_NEEDED: dict[Kind, tuple[str, ...]] = {
    "trials": ("trial", "status", "wall_time_s"),
    "reports": ("trial", "step"),
}
_RUN_ONE = "run a search first"
_ATTEMPTS = 10  # one fails only if a merge ends during it

Result = TypeVar("Result")


def list_searches(root: Path) -> list[str]:
    """Return the ids of the searches that have a plan, sorted.

    Raises: InputError: no store at `root`.
    """
    if not plans_folder(root).is_dir():
        raise input_error(root, "there are no results", _RUN_ONE)
    return sorted(file.stem for file in plans_folder(root).glob("[!.]*.json"))


def search_files(root: Path, kind: Kind, search: str | None) -> list[tuple[str, list[Path]]]:
    """Return each search that has rows, with its Parquet files, oldest first.

    Args:
        root: the store's folder.
        kind: whose rows.
        search: only this search; None: all.
    Raises: InputError: no store, or no such search.
    """
    known = set(list_searches(root))
    known.update(_searches_with_rows(root / kind, rows_folder(root, kind, "").name))
    if search is not None and search not in known:
        raise not_in_store("`search`", search, sorted(known))
    wanted = sorted(known) if search is None else [search]
    listed = ((name, _listed(rows_folder(root, kind, name))) for name in wanted)
    return [(name, files) for name, files in listed if files]


def _searches_with_rows(folder: Path, prefix: str) -> Iterator[str]:
    """Yield the searches that have a folder in this one; name what else is in it."""
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
    """Files among the store's that do not hold its rows, each with what is wrong with it."""

    def __init__(self, found: dict[Path, str]) -> None:
        self.found = found
        super().__init__(found)


def stored_schema(kind: Kind, files: Sequence[Path]) -> pa.Schema:
    """Return the declared columns of a kind and all others that these files have.

    Raises: ForeignFilesError: some do not hold rows of this kind.
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


def check_columns(kind: Kind, file: Path, found: pa.Schema) -> None:
    """Raise ForeignFilesError if a file of these columns cannot hold rows of this kind."""
    types = dict(zip(found.names, found.types, strict=True))
    for name in _NEEDED[kind]:
        if found.names.count(name) != 1:
            raise ForeignFilesError({file: f"does not have the column {name!r} once"})
    for name, declared in _TYPES[kind].items():
        if name in types and not _fits(types[name], declared):
            problem = f"its column {name!r} is {types[name]}, not {declared}"
            raise ForeignFilesError({file: problem})


def _fits(type_: pa.DataType, declared: pa.DataType) -> bool:
    """Say whether a column is of its declared type, or of one that pandas makes of it."""
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
    """Raise ForeignFilesError for what goes wrong while this file is read, but for its going."""
    try:
        yield
    except FileNotFoundError:
        if file.is_symlink():  # to nothing: it has not gone, it was never there
            raise ForeignFilesError({file: "is a link to nothing"}) from None
        raise
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise ForeignFilesError({file: f"cannot be read as Parquet: {error}"}) from error


@contextmanager
def readable_all(kind: Kind, files: Sequence[Path], schema: pa.Schema) -> Iterator[None]:
    """Do as `readable` for a read of many files, of which Arrow does not always name the one."""
    try:
        yield
    except (pa.ArrowException, OSError):
        foreign = foreign_files(kind, files, schema)
        if foreign:
            raise ForeignFilesError(foreign) from None
        raise


def foreign_files(kind: Kind, files: Iterable[Path], schema: pa.Schema) -> dict[Path, str]:
    """Return those files that do not hold rows of this kind; slow, for it reads them whole.

    Raises: FileNotFoundError: a file has gone.
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
    """Return what `read` returns when it leaves out the files that it finds foreign; name them."""
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
    """Return what `read` returns, starting over when a file it had listed has gone."""
    for _ in range(_ATTEMPTS - 1):
        try:
            return read()
        except FileNotFoundError:
            continue
    return read()


def not_in_store(where: str, wanted: str, known: Sequence[str]) -> InputError:
    """Return the error for a name that the store does not have."""
    fix = nearest(wanted, known) if known else _RUN_ONE
    return input_error(where, f"{wanted!r} is not in the store", fix)
