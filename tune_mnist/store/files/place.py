"""Where a store is: from what a person gave, a folder or an address, to the folder to read.

`opened` is called once at each request; below it, a store is the path of a folder.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tune_mnist.errors import input_error, say_instead
from tune_mnist.store.files.bucket import SCHEMES, Bucket
from tune_mnist.store.files.copied import LocalCopy
from tune_mnist.store.files.lease import holder_of, is_fresh
from tune_mnist.store.files.models import check_model, fetch_model, models_here, trials_of
from tune_mnist.store.files.states import fetch_states
from tune_mnist.store.layout import model_folder, models_folder
from tune_mnist.store.lock import living_writer
from tune_mnist.user_cache import cache_folder

_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/")
_FIXES = {
    "s3": "check the bucket's name, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and, if S3 is not"
    " at Amazon's, `s3_endpoint` or AWS_ENDPOINT_URL",
    "gs": "check the bucket's name and GOOGLE_APPLICATION_CREDENTIALS",
    "az": "check the container's name, AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
}
_OPENED: dict[Path, LocalCopy] = {}
"""The copies that this process reads. A folder in the cache is nothing more to anybody else."""


def opened(results: str | Path, s3_endpoint: str | None = None) -> Path:
    """Return the folder of a store; of one at an address, its copy here, brought up to date.

    Args:
        results: a folder, or s3://bucket/prefix, gs://..., az://... or file:///folder.
        s3_endpoint: where S3 is, if not at Amazon's or where AWS_ENDPOINT_URL says.

    Raises: InputError: not such an address, or it cannot be read.
    """
    copy = _OPENED.get(results) if isinstance(results, Path) else None
    if copy is None:
        if not (address := _ADDRESS.match(str(results))):
            return Path(results)
        if isinstance(results, Path):
            problem = f"{str(results)!r} is an address in a path, which has lost a slash"
            raise input_error("`results`", problem, "give it as text")
        if address[1] == "file":
            return _folder(results)
        copy = _copy(results.rstrip("/"), address[1], s3_endpoint)
    with _reading(copy):
        copy.refresh()
    return copy.folder


def is_address(results: str | Path) -> bool:
    """Return whether these results are at an address, and not in a folder."""
    return isinstance(results, str) and _ADDRESS.match(results) is not None


def copy_of(root: Path) -> LocalCopy | None:
    """Return what this folder is the copy of; None if it is a store itself."""
    return _OPENED.get(root)


def given(root: Path) -> tuple[str, str | None]:
    """Return what a person gives to name this store: its folder or address, and its endpoint."""
    copy = _OPENED.get(root)
    return (copy.bucket.url, copy.bucket.endpoint) if copy else (str(root), None)


def bring_states(root: Path, search: str) -> None:
    """Bring the saved states of a search to its folder, if its store is far away.

    Raises: InputError: the store cannot be read.
    """
    if copy := _OPENED.get(root):
        with _reading(copy):
            fetch_states(copy, search)


def saved_models(root: Path, search: str) -> set[str]:
    """Return the trials of a search whose models are in the store, wherever that is.

    Raises: InputError: the store cannot be read.
    """
    if copy := _OPENED.get(root):
        with _reading(copy):
            folder = copy.key(models_folder(root, search))
            return trials_of([one.key for one in copy.bucket.objects(folder)])
    return models_here(root, search)


def bring_model(root: Path, search: str, trial: str) -> Path:
    """Return the folder of a trial's saved model, checked; of a store far away, brought here.

    Raises: InputError: it is not there or damaged, or the store cannot be read.
    """
    if copy := _OPENED.get(root):
        with _reading(copy):
            fetch_model(copy, search, trial)
    return check_model(model_folder(root, search, trial))


def writer_of(root: Path, search: str) -> str | None:
    """Return who is writing a search, wherever its store is; None if nobody is.

    Raises: InputError: a file or the store cannot be read.
    """
    copy = _OPENED.get(root)
    if copy is None:
        return living_writer(root, search)
    renewed = copy.leases.get(search)
    if renewed is None or not is_fresh(renewed):
        return None
    with _reading(copy):
        return holder_of(copy.bucket, search)


@contextmanager
def _reading(copy: LocalCopy) -> Iterator[None]:
    """Turn what a store answers into one line with a fix."""
    try:
        yield
    except OSError as error:
        fix = _FIXES.get(copy.bucket.url.partition(":")[0], "check the address")
        raise input_error(copy.bucket.url, f"cannot be read: {error}", fix) from error


def _folder(address: str) -> Path:
    parts = urlsplit(address)
    if parts.netloc not in ("", "localhost") or not parts.path:
        raise input_error("`results`", f"{address!r} names no folder", "write file:///its/path")
    return Path(unquote(parts.path))


def _copy(address: str, scheme: str, s3_endpoint: str | None) -> LocalCopy:
    """Return the copy of the store at this address, not yet brought up to date."""
    if scheme not in SCHEMES:
        known = ", ".join(f"{one}://" for one in ("file", *SCHEMES[:-1]))
        raise input_error("`results`", f"{address!r} is no place for a store", f"use {known}")
    if not re.fullmatch(r"[a-z0-9]+://[^/\s]+(/[^/\s]+)*", address):
        problem = f"{address!r} names no bucket"
        raise input_error("`results`", problem, f"write {scheme}://bucket/prefix")
    if s3_endpoint is not None and scheme != "s3":
        problem = f"is for s3://, and the store is at {scheme}://"
        raise input_error("`s3_endpoint`", problem, "leave out `s3_endpoint`")
    if s3_endpoint is not None and not re.match(r"https?://[^/\s]", s3_endpoint):
        problem = f"{s3_endpoint!r} is no address"
        raise input_error("`s3_endpoint`", problem, "for example http://127.0.0.1:9000")
    cache = cache_folder()
    if cache is None:
        problem = "needs a folder for its copy, and this user has no home"
        raise input_error(address, problem, "set XDG_CACHE_HOME")
    named = hashlib.sha256(f"{address} {s3_endpoint or ''}".encode()).hexdigest()[:32]
    try:
        (cache / "stores").mkdir(parents=True, exist_ok=True)
        folder = (cache / "stores" / named).resolve()
    except OSError as error:
        problem = f"needs a folder for its copy: {error}"
        raise input_error(address, problem, "make it writable, or set XDG_CACHE_HOME") from error
    if folder not in _OPENED:
        _OPENED[folder] = LocalCopy(Bucket(address, s3_endpoint), folder)
        say_instead(str(folder), address)
    return _OPENED[folder]
