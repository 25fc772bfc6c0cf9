"""A whole search is removed, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.store.example_trials import PARAMETERS, trial, write
from tune_mnist.errors import InputError
from tune_mnist.store.files.place import copy_of, opened
from tune_mnist.store.files.removal import remove_search
from tune_mnist.store.reader import list_searches, read_trials
from tune_mnist.store.writer import Writer


@pytest.fixture(params=["folder", "memory", "s3"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    if request.param == "folder":
        return tmp_path / "results"
    return opened(request.getfixturevalue(f"{request.param}_address"))


def test_a_search_is_gone_and_its_neighbour_is_not(root: Path) -> None:
    write(root, "svm", [trial("00000"), trial("00001")], compact=True)
    write(root, "svm-2", [trial("00000")])
    remove_search(root, "svm")
    remove_search(root, "svm")
    assert list_searches(root) == ["svm-2"]
    assert read_trials(root)["search"].to_pylist() == ["svm-2"]
    if copy := copy_of(root):
        left = {one.key for one in copy.bucket.objects("")}
        assert not [key for key in left if "svm/" in key or "svm." in key]
    write(root, "svm", [trial("00000")])
    assert len(read_trials(root, search="svm")) == 1


def test_a_search_that_is_being_written_stays(root: Path) -> None:
    with Writer(root, "svm", PARAMETERS) as writer:
        writer.append_trial(trial("00000"), [])
        with pytest.raises(InputError, match="being written"):
            remove_search(root, "svm")
    assert len(read_trials(root, search="svm")) == 1


def test_what_is_linked_from_a_search_is_not_removed(tmp_path: Path) -> None:
    root, mine = tmp_path / "results", tmp_path / "mine"
    write(root, "svm", [trial("00000")])
    mine.mkdir()
    (mine / "letter").write_text("dear")
    (root / "models").mkdir(exist_ok=True)
    (root / "models" / "search=svm").symlink_to(mine)
    with pytest.raises(InputError, match="symbolic link"):
        remove_search(root, "svm")
    assert (mine / "letter").read_text() == "dear"
