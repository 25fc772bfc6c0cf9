"""Many small files are decoded in processes: the same images, the same faults, and no hang."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.datasets.written import write_classes
from tune_mnist.datasets.pictures import decoding, read_pictures
from tune_mnist.errors import InputError

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux forks them")


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Files enough for several chunks."""
    write_classes(tmp_path)
    monkeypatch.setattr(decoding, "SMALL_FILES", 4)
    monkeypatch.setattr(decoding, "_cores", lambda: 2)
    monkeypatch.setattr("threading.active_count", lambda: 1)  # pytest-xdist has threads
    return sorted(map(str, tmp_path.rglob("*.png")))


def test_processes_decode_what_one_decodes(
    files: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path(files[5]).write_bytes(b"bad")
    alone = read_pictures(files)
    monkeypatch.setattr(decoding, "PROCESSES_PAY_FILES", 1)
    monkeypatch.setattr(decoding, "_of_chunk", of_chunk_elsewhere)
    together = read_pictures(files)
    np.testing.assert_array_equal(together.pixels, alone.pixels)
    assert (together.hashes, together.bad) == (alone.hashes, alone.bad)
    assert list(alone.bad) == [5]


_of_chunk, _parent = decoding._of_chunk, os.getpid()


def of_chunk_elsewhere(chunk: list[str], side: int) -> object:
    assert os.getpid() != _parent
    return _of_chunk(chunk, side)


def test_a_killed_process_is_one_line(files: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "PROCESSES_PAY_FILES", 1)
    monkeypatch.setattr(decoding, "_of_chunk", killed)
    with pytest.raises(InputError, match=r"images: a process that decoded some of them was killed"):
        read_pictures(files)


def killed(chunk: list[str], side: int) -> object:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError
