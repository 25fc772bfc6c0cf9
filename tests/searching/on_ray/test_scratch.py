"""Folders outside the store are private, and go with their owner, even one that was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tune_mnist.errors import InputError
from tune_mnist.searching.on_ray.scratch import remove_leftovers, scratch_folder

KILLED = """
import os, sys
from pathlib import Path
from tune_mnist.searching.on_ray.scratch import scratch_folder
with scratch_folder(Path(sys.argv[1])) as folder:
    (folder / "matrix.npy").write_bytes(b"9.7 GB")
    os.kill(os.getpid(), 9)
"""


def left(place: Path) -> list[str]:
    return sorted(found.name for found in place.iterdir())


def killed_in(place: Path) -> Path:
    """Let a process make a folder in an empty place and be killed; return the folder."""
    ended = subprocess.run([sys.executable, "-c", KILLED, place], check=False)
    assert ended.returncode == -signal.SIGKILL
    (folder,) = place.iterdir()
    return folder


@pytest.fixture
def leftover(tmp_path: Path) -> Path:
    """A folder that a killed process has left."""
    return killed_in(tmp_path)


def test_only_its_owner_may_enter_it_and_it_goes_after_the_block(tmp_path: Path) -> None:
    with scratch_folder(tmp_path) as folder:
        assert [mode.stat().st_mode & 0o777 for mode in tmp_path.iterdir()] == [0o700]
        (folder / "file").touch()
    assert left(tmp_path) == []


def test_what_a_killed_process_left_is_removed_but_nothing_of_a_living_one(leftover: Path) -> None:
    place = leftover.parent
    with scratch_folder(place) as living:
        remove_leftovers(place)
        assert left(place) == [living.parent.name]
        assert living.is_dir()


def test_what_another_user_left_stays(leftover: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    remove_leftovers(leftover.parent)
    assert leftover.is_dir()


def test_a_name_like_ours_is_not_enough_to_be_removed(leftover: Path) -> None:
    place = leftover.parent
    home = leftover.rename(place / "home")
    (place / "tune_mnist-link").symlink_to(home)
    other = place / "tune_mnist-locked-by-a-link"
    other.mkdir()
    (other / "lock").symlink_to(home / "lock")
    (place / "tune_mnist-without-a-lock").mkdir()
    before = left(place)
    remove_leftovers(place)
    assert left(place) == before
    assert (home / "in" / "matrix.npy").exists()


def test_a_place_that_takes_no_folder_is_one_line_with_the_way_out(tmp_path: Path) -> None:
    with (
        pytest.raises(InputError, match=r"takes no temporary folder.*TMPDIR"),
        scratch_folder(tmp_path / "missing"),
    ):
        pass
