"""Stores that are far away, and machines that look at them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.store.far.server import s3_server
from tune_mnist.store.files.place import opened

Machine = Callable[[str], Path]
"""Returns the folder to read of the test's store, on the machine of a name."""

_NUMBER = count()


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """The address of an S3 server on loopback."""
    with s3_server() as address:
        yield address


@pytest.fixture
def memory_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of an empty store in this process's memory."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return f"memory://{os.getpid()}-{next(_NUMBER)}"


@pytest.fixture
def s3_address(s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of an empty store on an S3 server."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    return f"s3://bucket/store-{next(_NUMBER)}"


@pytest.fixture(params=["memory", "s3"])
def address(request: pytest.FixtureRequest) -> str:
    """The address of an empty store that is far away."""
    found: str = request.getfixturevalue(f"{request.param}_address")
    return found


@pytest.fixture
def machine(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Machines that have nothing in common but the store."""
    return machines(address, tmp_path, monkeypatch)


@pytest.fixture
def machine_of_s3(s3_address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """The same for the store on an S3 server."""
    return machines(s3_address, tmp_path, monkeypatch)


def machines(address: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Return what gives each machine a cache of its own."""

    def on(name: str) -> Path:
        monkeypatch.setenv("XDG_CACHE_HOME", str(folder / name))
        return opened(address)

    return on
