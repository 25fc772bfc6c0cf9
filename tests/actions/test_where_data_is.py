"""A search is resumed and confirmed from any folder, also when its images have moved."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.datasets.written import write_classes
from tests.store.example_trials import trial
from tune_mnist.actions.confirm import prepare_confirmation
from tune_mnist.actions.preparing import Prepared, prepare, prepare_resumed
from tune_mnist.actions.reading_data import recorded_options
from tune_mnist.actions.requests import ConfirmRequest, ResumeRequest, SearchRequest
from tune_mnist.actions.search import recorded
from tune_mnist.errors import InputError
from tune_mnist.models.registry import parameter_types
from tune_mnist.store.plans import read_search
from tune_mnist.store.writer import Writer

ASKED = {"space": "svm", "cpus": 1, "trials": 2}


def begun(at: Path, monkeypatch: pytest.MonkeyPatch, typed: str = "./images") -> Path:
    """Begin the search "s" in a folder with images; return the store."""
    write_classes(at / "images")
    monkeypatch.chdir(at)
    prepared = prepare(SearchRequest(**ASKED, dataset=typed, name="s"))
    write_record(prepared)
    return Path(prepared.request.results)


def write_record(prepared: Prepared, resume: bool = False) -> None:
    results = Path(prepared.request.results)
    with Writer(results, prepared.name, parameter_types(), resume=resume) as writer:
        writer.write_search(recorded(prepared))


def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store with the search "s" on ./images; the working directory is another one by now."""
    (tmp_path / "work").mkdir()
    found = begun(tmp_path / "work", monkeypatch)
    elsewhere(tmp_path, monkeypatch)
    return found


def test_the_record_has_the_absolute_folder_beside_what_was_typed(
    root: Path, tmp_path: Path
) -> None:
    record = read_search(root, "s")
    assert record.space["dataset"] == "./images"
    assert record.dataset_path == str(tmp_path / "work" / "images")


def test_a_data_set_known_by_its_name_has_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert read_search(begun(tmp_path, monkeypatch, "digits"), "s").dataset_path == ""


def test_a_search_is_resumed_from_another_working_directory(root: Path) -> None:
    resumed = prepare_resumed(ResumeRequest(search="s", results=root))
    assert resumed.data.content_hash == read_search(root, "s").data_hash


def test_search_resume_finds_the_folder_too(root: Path) -> None:
    request = SearchRequest(**ASKED, dataset="./images", results=root, resume="s")
    with pytest.raises(InputError, match="neither a known name nor a folder"):
        prepare(request)  # who types a path means it
    file = root.parent / "space.yaml"
    file.write_text(
        "model: svm\ndataset: ./images\nparameters: {C: {log_uniform: [0.1, 10]}}\n"
        "search: {sampler: tpe, trials: 2}\n"
    )
    asked = SearchRequest(space="svm", space_file=file, cpus=1, results=root, resume="s")
    with pytest.raises(InputError) as refused:
        prepare(asked)
    assert "space, parameters" in str(refused.value)  # the data was found; the space is another
    assert "images" not in str(refused.value)


def test_where_the_folder_was_is_said_when_it_is_gone(root: Path, tmp_path: Path) -> None:
    (tmp_path / "work" / "images").rename(tmp_path / "moved")
    with pytest.raises(InputError) as refused:
        prepare_resumed(ResumeRequest(search="s", results=root))
    assert str(refused.value) == (
        f"`dataset`: {tmp_path}/work/images, which 's' ran on, is not there;"
        " say where it is now with `dataset`"
    )


def test_a_moved_folder_is_named_and_found_again_the_next_time(root: Path, tmp_path: Path) -> None:
    (tmp_path / "work" / "images").rename(tmp_path / "moved")
    resumed = prepare_resumed(ResumeRequest(search="s", results=root, dataset="../moved"))
    assert resumed.data.name == "images"  # one search, one name
    write_record(resumed, resume=True)
    record = read_search(root, "s")
    assert record.dataset_path == str(tmp_path / "moved")
    assert record.space["dataset"] == "./images"


def other_images(folder: Path) -> None:
    shutil.rmtree(folder / "cat")
    pictures = [Image.fromarray(np.full((6, 5), n, np.uint8)) for n in range(20)]
    write_classes(folder, {"cat": pictures})


def test_other_data_at_the_named_folder_is_refused_in_one_line(root: Path, tmp_path: Path) -> None:
    shutil.copytree(tmp_path / "work" / "images", tmp_path / "other")
    other_images(tmp_path / "other")
    request = ResumeRequest(search="s", results=root, dataset="../other")
    with pytest.raises(InputError) as refused:
        prepare_resumed(request)
    [line] = str(refused.value).splitlines()
    assert line.startswith("`dataset`: ../other is not the data that 's' ran on (its hash is ")
    allowed = prepare_resumed(request.model_copy(update={"allow_change": True}))
    assert any("images: was" in note for note in allowed.notes)


def test_a_confirmation_finds_the_folder_and_refuses_other_data(root: Path, tmp_path: Path) -> None:
    with Writer(root, "s", parameter_types(), resume=True) as writer:
        writer.append_trial(trial("00000", dataset="images"), [])
        writer.end_search("done")
    assert prepare_confirmation(ConfirmRequest(search="s", results=root)).data.name == "images"
    (tmp_path / "work" / "images").rename(tmp_path / "moved")
    moved = ConfirmRequest(search="s", results=root, dataset=str(tmp_path / "moved"))
    assert prepare_confirmation(moved).folder == str(tmp_path / "moved")
    other_images(tmp_path / "moved")
    with pytest.raises(InputError, match="is not the data that 's' ran on"):
        prepare_confirmation(moved)


def test_the_folder_of_data_sets_is_recorded_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sets").mkdir()
    monkeypatch.chdir(tmp_path)
    request = SearchRequest(**ASKED, dataset="digits", data_dir=Path("sets"), name="s")
    prepared = prepare(request)
    write_record(prepared)
    elsewhere(tmp_path, monkeypatch)
    record = read_search(Path(prepared.request.results), "s")
    assert recorded_options(record, None).data_dir == tmp_path / "sets"
    assert recorded_options(record, tmp_path).data_dir == tmp_path  # it may have moved
    (tmp_path / "sets").rmdir()
    assert recorded_options(record, None).data_dir is None
