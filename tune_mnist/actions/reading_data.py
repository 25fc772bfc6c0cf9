"""Reading the data set of a search: a new one's, and that of a search which the store has.

The record has both what was typed (`space.dataset`) and the absolute folder (`dataset_path`), so a
search is resumed and confirmed from any working directory. A folder that has moved is named by
`dataset`; its content decides whether it is the same data.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import get_args

from tune_mnist.actions.requests import (
    ConfirmRequest,
    DataRequest,
    ExportRequest,
    ResumeRequest,
    SearchRequest,
)
from tune_mnist.datasets import (
    DATASET_NAMES,
    FROM_PYTHON,
    Dataset,
    LoadOptions,
    PythonData,
    TestSet,
    load_dataset,
    load_given,
    source_path,
)
from tune_mnist.errors import input_error, nearest
from tune_mnist.searching.history.resume import searched_space
from tune_mnist.searching.observer import Observer
from tune_mnist.spaces import Space, possible_values
from tune_mnist.store.plans import SearchRecord, read_search
from tune_mnist.store.reader import list_searches
from tune_mnist.training.images import LARGEST_KEPT
from tune_mnist.wording import displayed


def read_data(
    dataset: str, options: LoadOptions, observer: Observer | None, data: PythonData | None = None
) -> Dataset:
    """Read the data set, or take it as it was given from Python.

    Raises: InputError: what `load_dataset` or `load_given` raises.
    """
    progress = observer.reading if observer else None
    if data is not None:
        return load_given(data, dataset.removeprefix(FROM_PYTHON), options, progress)
    return load_dataset(dataset, options, progress)


def stored_side(space: Space) -> int:
    """Return the pixels per side at which images in files are stored for this space.

    It is the largest `image_size` of the space, at least 64.
    """
    sizes = [size for part in space.parts() for size in possible_values(part, "image_size")]
    return max([LARGEST_KEPT, *(size for size in sizes if isinstance(size, int))])


def recorded_options(record: SearchRecord, data_dir: Path | None) -> LoadOptions:
    """Return how a search of the store read its data.

    Args:
        record: of the search.
        data_dir: where to look first now; None looks where the search looked, if that is there.
    """
    skip, transposed = (
        bool(record.request.get(name)) for name in ("skip_bad_images", "transposed")
    )
    was = record.request.get("data_dir")
    if data_dir is None and isinstance(was, str) and Path(was).is_dir():
        data_dir = Path(was)
    return LoadOptions(
        data_dir,
        record.test_set,
        side=stored_side(searched_space(record)),
        skip_bad_images=skip,
        transposed=transposed,
    )


def asked_options(request: SearchRequest | DataRequest) -> LoadOptions:
    """Return how a request wants its data read. Raises: InputError: an unknown test set."""
    choices = get_args(TestSet)
    given = request.test_set
    chosen = next((choice for choice in choices if choice == given), None)
    if chosen is None:
        raise input_error("`test_set`", f"{given!r} is unknown", nearest(given, choices))
    return LoadOptions(
        request.data_dir,
        chosen,
        skip_bad_images=request.skip_bad_images,
        transposed=request.transposed,
    )


def name_of_given(name: str | None) -> str:
    """Return what data that was given from Python is called in a space and in the store."""
    plain = (name or "data").removeprefix(FROM_PYTHON)
    if plain in DATASET_NAMES:
        problem = f"{plain} is a data set that is known by its name, and `data` is given too"
        raise input_error("`dataset`", problem, "give your data a name of its own")
    return f"{FROM_PYTHON}{plain}"


def folder_of(dataset: str) -> str:
    """Return the absolute folder or file that a data set is read from, as `displayed` writes it.

    "" if it has none: it is known by its name, or comes from Python.
    """
    if dataset in DATASET_NAMES or dataset.startswith(FROM_PYTHON):
        return ""
    return displayed(str(source_path(dataset).resolve()))


def recorded_place(root: Path, search: str, typed: str) -> str:
    """Return where to find what was typed when a search of the store began.

    Args:
        root: the store's folder.
        search: a search, which may not exist.
        typed: the data set as it is typed now.
    Returns: the recorded folder if the same was typed then; else `typed`.
    """
    if not (root / "searches").is_dir() or search not in list_searches(root):
        return typed
    record = read_search(root, search)
    return record.dataset_path or typed if record.space.get("dataset") == typed else typed


def read_again(
    record: SearchRecord,
    request: ResumeRequest | ConfirmRequest | ExportRequest,
    observer: Observer | None,
    given: PythonData | None,
) -> tuple[Dataset, str]:
    """Read the data set of a search of the store, wherever it is now.

    Args:
        record: of the search.
        request: its `dataset` says where the folder has moved to, if it has.
        observer: sees how many image files are decoded.
        given: the images, where they come from Python.
    Returns: the data set under its recorded name, and its folder as `folder_of` gives it.
    Raises: InputError: it is not there, or there is other data and no change is allowed.
    """
    where = request.dataset or record.dataset_path or str(record.space.get("dataset"))
    named = where in DATASET_NAMES or where.startswith(FROM_PYTHON)
    known = named or given is not None or source_path(where).exists()
    if request.dataset is None and not known:
        problem = f"{where}, which {record.search!r} ran on, is not there"
        raise input_error("`dataset`", problem, "say where it is now with `dataset`")
    data = read_data(where, recorded_options(record, request.data_dir), observer, given)
    if data.content_hash == record.data_hash:
        return replace(data, name=record.dataset or data.name), folder_of(where)
    allowed = isinstance(request, ResumeRequest) and request.allow_change
    if request.dataset is not None and not allowed:
        hashes = f"its hash is {data.content_hash[:12]}, was {record.data_hash[:12]}"
        problem = f"{where} is not the data that {record.search!r} ran on ({hashes})"
        raise input_error("`dataset`", problem, "name the folder of that data")
    return data, folder_of(where)
