"""Arrays in huge pages behave like any array, and their space is allocated before it is used."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tune_mnist.training.svm import huge_pages
from tune_mnist.training.svm.huge_pages import map_array, new_array

SHAPE = (1100, 1000)  # 4.4 MB: two huge pages and a part of one
MEMORY = Path("/dev/shm")


@pytest.fixture(params=["disk", "memory", "refused"])
def folder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    if request.param == "disk":
        return tmp_path
    if not MEMORY.is_dir():
        pytest.skip("no memory file system")
    if request.param == "refused":
        monkeypatch.setattr(huge_pages, "_MADV_COLLAPSE", 9999)
    return Path(request.getfixturevalue("memory_folder"))


@pytest.fixture
def memory_folder() -> Iterator[Path]:
    folder = MEMORY / f"tune_mnist-test-{os.getpid()}"
    folder.mkdir()
    yield folder
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()


def test_numpy_reads_what_was_written(folder: Path) -> None:
    file = folder / "array.npy"
    array = new_array(file, SHAPE, threads=2)
    assert array.shape == SHAPE
    assert not array.any()
    assert file.stat().st_blocks * 512 >= file.stat().st_size
    array[:] = np.arange(array.size).reshape(SHAPE)
    assert np.array_equal(np.load(file), array)


def test_a_map_is_read_only_and_outlives_its_file(folder: Path) -> None:
    file = folder / "array.npy"
    new_array(file, SHAPE, threads=2)[:] = 7
    mapped = map_array(file, "r")
    file.unlink()
    assert (mapped == 7).all()
    with pytest.raises(ValueError, match="read-only"):
        mapped[0, 0] = 1


@pytest.mark.skipif(
    not Path("/proc/self/smaps").exists(), reason="only Linux says what pages a map has"
)
def test_addresses_are_freed_with_the_last_array(memory_folder: Path) -> None:
    file = memory_folder / "array.npy"
    part = new_array(file, SHAPE, threads=2)[5:]
    assert str(file) in Path("/proc/self/maps").read_text()
    del part
    assert str(file) not in Path("/proc/self/maps").read_text()


FULL = """
import sys
from pathlib import Path
from tune_mnist.training.svm.huge_pages import new_array
try:
    new_array(Path(sys.argv[1]) / "array.npy", (3000, 1000), threads=2)
except OSError as error:
    print(error.strerror)
"""


@pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="only root mounts a file system"
)
def test_a_full_memory_file_system_is_an_error_not_a_crash(tmp_path: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", tmp_path], check=True)
    try:
        done = subprocess.run(
            [sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, check=True
        )
    finally:
        subprocess.run(["umount", tmp_path], check=True)
    assert done.stdout == "No space left on device\n"
