"""Every test has its own cache, working folder and environment."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.datasets.written import write_classes, write_idx


@pytest.fixture(autouse=True)
def _own_surroundings(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("work"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.delenv("TUNE_MNIST_DATA", raising=False)


@pytest.fixture
def idx_folder(tmp_path: Path) -> Path:
    return write_idx(tmp_path / "idx")


@pytest.fixture
def class_folder(tmp_path: Path) -> Path:
    return write_classes(tmp_path / "pets")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with complete copies of mnist/ and fashion-mnist/."""
    beside = Path(__file__).parents[2].parent / "shared" / "data"
    folder = Path(os.environ.get("TUNE_MNIST_TEST_DATA") or beside)
    if not (folder / "mnist" / "train-images-idx3-ubyte.gz").is_file():
        pytest.skip(f"no full MNIST in {folder}; set TUNE_MNIST_TEST_DATA to a folder that has it")
    return folder
