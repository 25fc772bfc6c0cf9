"""Saved models of somebody else's store: damaged, too large, or not files at all."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.store.example_trials import PARAMETERS, trial
from tests.store.models.kept import finish, kept_models, whole_models, written
from tune_mnist.errors import InputError
from tune_mnist.store.files import sealing
from tune_mnist.store.files.models import check_model
from tune_mnist.store.files.place import bring_model
from tune_mnist.store.files.sealing import LIST, seal
from tune_mnist.store.writer import Writer


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store with the model of t0."""
    root = tmp_path / "store"
    with Writer(root, "svm", PARAMETERS) as writer:
        finish(writer, kept_models(writer), trial("t0"))
    return root


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Somebody's folder with a model's name in it."""
    folder = tmp_path / "home"
    (folder / "t0").mkdir(parents=True)
    (folder / "t0" / "thesis.txt").write_text("mine")
    return folder


def a_bit(model: Path) -> None:
    content = bytearray((model / "model.safetensors").read_bytes())
    content[7] ^= 1
    (model / "model.safetensors").write_bytes(content)


def a_link(model: Path) -> None:
    (model / "model.json").rename(model.parent.parent / "t0")
    (model / "model.json").symlink_to(model.parent.parent / "t0")


def climbing(model: Path) -> None:
    listed = json.loads((model / LIST).read_text())
    listed["files"][0]["name"] = "../../../secret"
    (model / LIST).write_text(json.dumps(listed))


WRONG: dict[str, tuple[Callable[[Path], object], str]] = {
    "a bit has changed": (a_bit, "is missing or damaged"),
    "cut off": (lambda model: os.truncate(model / "model.json", 1), "is missing or damaged"),
    "a file is gone": (lambda model: (model / "model.json").unlink(), "is missing or damaged"),
    "a file more": (lambda model: (model / "x.pkl").touch(), "is not one of the files of this"),
    "a link": (a_link, "is a symbolic link"),
    "a name that climbs": (climbing, "is not the list of a saved model.s files"),
    "no list": (lambda model: (model / LIST).unlink(), "is no whole saved model"),
    "a list that is none": (lambda model: (model / LIST).write_text("[]"), "is not the list"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_model_that_is_not_what_was_sealed_is_refused(what: str, store: Path) -> None:
    change, expected = WRONG[what]
    assert bring_model(store, "svm", "t0").is_dir()
    change(store / "models" / "search=svm" / "t0")
    with pytest.raises(InputError, match=expected):
        bring_model(store, "svm", "t0")


def test_a_huge_list_is_not_read(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "_MOST_LISTED", 10)
    with pytest.raises(InputError, match="is larger than"):
        bring_model(store, "svm", "t0")


@pytest.mark.parametrize("name", ["../t0", "", ".", "a/b", "-rf", "x" * 101])
def test_only_a_trials_name_is_one(name: str, store: Path) -> None:
    with pytest.raises(InputError, match="is no trial's name"):
        bring_model(store, "svm", name)


@pytest.mark.parametrize("place", [".models/svm", "models/search=svm", "models"])
def test_no_link_in_the_place_of_models_is_followed(
    place: str, store: Path, home: Path, tmp_path: Path
) -> None:
    there = store / place
    if there.exists():
        there.rename(tmp_path / "aside")
    there.parent.mkdir(exist_ok=True)
    there.symlink_to(home)
    with (
        pytest.raises(InputError, match="is a symbolic link"),
        Writer(store, "svm", PARAMETERS, resume=True) as writer,
    ):
        finish(writer, kept_models(writer), trial("t1", 0.95))
    assert (home / "t0" / "thesis.txt").read_text() == "mine"
    assert len(list(home.rglob("*"))) == 2


def test_what_is_not_ours_among_the_models_stays(store: Path, home: Path) -> None:
    (store / "models" / "search=svm" / "link").symlink_to(home)
    (store / "models" / "search=svm" / "notes of mine").mkdir()
    with Writer(store, "svm", PARAMETERS, resume=True) as writer:
        finish(writer, kept_models(writer), trial("t1", 0.95))
        assert writer.models() == {"t1"}
    names = {path.name for path in (store / "models" / "search=svm").iterdir()}
    assert names == {"t1", "link", "notes of mine"}
    assert (home / "t0" / "thesis.txt").read_text() == "mine"


def test_a_model_without_a_file_cannot_be_sealed(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be kept"):
        seal(tmp_path)


def test_a_model_that_is_sealed_again_is_whole(tmp_path: Path) -> None:
    folder = written(tmp_path, "t0")
    seal(folder)
    assert check_model(folder) == folder


def test_the_better_model_takes_the_place(store: Path) -> None:
    with Writer(store, "svm", PARAMETERS, resume=True) as writer:
        finish(writer, kept_models(writer), trial("t1", 0.95))
    assert whole_models(store) == {"t1"}
