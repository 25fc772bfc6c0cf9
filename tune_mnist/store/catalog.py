"""What is in the store: its searches, their files and columns, and the errors when one is not.

Reading takes no lock, so a merge may take a listed file away before it is opened: `retried`
starts over. Any other failure to read is the file's, and `readable` names it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from tune_mnist.errors import InputError, input_error, nearest
from tune_mnist.store.layout import Kind, live_files, plans_folder, rows_folder
from tune_mnist.store.schema import REPORTS, TRIALS, column

SEARCH = column("search", pa.string(), "", "id of the search")
DECLARED: dict[Kind, pa.Schema] = {"trials": TRIALS, "reports": REPORTS}

_RUN_ONE = "run a search first: python -m tune_mnist search svm"
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
    prefix = rows_folder(root, kind, "").name
    known.update(folder.name[len(prefix) :] for folder in (root / kind).glob(f"{prefix}*"))
    if search is not None and search not in known:
        raise not_in_store("--search", search, sorted(known))
    wanted = sorted(known) if search is None else [search]
    listed = ((name, live_files(rows_folder(root, kind, name))) for name in wanted)
    return [(name, files) for name, files in listed if files]


def stored_schema(kind: Kind, files: Sequence[Path]) -> pa.Schema:
    """Return the declared columns of a kind and all others that these files have."""
    schemas = [DECLARED[kind]]
    for file in files:
        with readable(file):
            schema = pq.read_schema(file).remove_metadata()
        if schema not in schemas:
            schemas.append(schema)
    return pa.unify_schemas(schemas, promote_options="permissive")


@contextmanager
def readable(file: Path) -> Iterator[None]:
    """Turn what goes wrong while this file is read, other than its going, into an InputError."""
    try:
        yield
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError) as error:
        raise input_error(
            file, f"cannot be read as Parquet: {error}", "restore it from a copy, or move it away"
        ) from error


@contextmanager
def readable_all(files: Sequence[Path]) -> Iterator[None]:
    """Do as `readable` for a read of many files, of which Arrow does not always name the one."""
    try:
        yield
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError):
        for file in files:
            with readable(file), pq.ParquetFile(file) as parquet:
                parquet.read()
        raise


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
