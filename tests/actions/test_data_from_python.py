"""A search on arrays from Python: stored under their name, resumed only on the same content."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.datasets.written import cyclic_labels, small_images
from tune_mnist import (
    ExportRequest,
    InputError,
    ResumeRequest,
    SearchRequest,
    export_model,
    load_results,
    search,
)
from tune_mnist.actions.preparing import prepare, prepare_resumed
from tune_mnist.store.plans import read_search

IMAGES, LABELS = small_images(60, size=(8, 8)), cyclic_labels(60, 3)
IMAGES[np.arange(60), LABELS] = 255  # a bright row tells the classes apart


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a search on these arrays and its confirmation."""
    root = tmp_path_factory.mktemp("store") / "results"
    request = SearchRequest(
        space="svm", dataset="rows", trials=2, name="py", results=root, confirm=1, seeds=2
    )
    found = search(request, data=(IMAGES, LABELS), progress=False)
    assert found.confirmed is not None
    return root


def test_the_store_knows_the_data_by_its_name_and_its_content(results: Path) -> None:
    record = read_search(results, "py")
    assert (record.dataset, record.space["dataset"]) == ("rows", "python:rows")
    trials = load_results(results).trials
    assert set(trials["dataset"]) == {"rows"}
    assert set(trials["data_hash"]) == {record.data_hash}


def test_a_search_is_resumed_on_the_same_arrays(results: Path) -> None:
    request = ResumeRequest(search="py", trials=3, results=results)
    prepared = prepare_resumed(request, data=(IMAGES.copy(), LABELS.tolist()))
    assert prepared.known.earlier is not None
    assert len(prepared.known.earlier.rows) == 2
    assert prepared.data.name == "rows"


def test_a_search_is_not_resumed_on_other_arrays(results: Path) -> None:
    request = ResumeRequest(search="py", results=results)
    changed = IMAGES.copy()
    changed[0, 0, 0] ^= 1
    with pytest.raises(InputError, match=r"py: images: was \w{64}, is \w{64}"):
        prepare_resumed(request, data=(changed, LABELS))


def test_a_search_is_not_resumed_without_the_arrays(results: Path) -> None:
    with pytest.raises(InputError, match=r"dataset rows: was given from Python, .* as `data`"):
        prepare_resumed(ResumeRequest(search="py", results=results))


def test_the_model_of_a_confirmed_winner_is_exported_with_the_same_arrays(
    results: Path, tmp_path: Path
) -> None:
    request = ExportRequest(search="py-confirm", out=tmp_path / "winner", results=results)
    with pytest.raises(InputError, match="was given from Python"):
        export_model(request)
    exported = export_model(request, data=(IMAGES, LABELS), progress=False)
    assert exported.check.images == exported.check.equal > 0
    assert "confirms the search | py" in (tmp_path / "winner" / "README.md").read_text("utf-8")


def test_data_without_a_name_is_called_data() -> None:
    prepared = prepare(SearchRequest(space="svm"), data=(IMAGES, LABELS))
    assert (prepared.data.name, prepared.plan.space.dataset) == ("data", "python:data")


def test_data_cannot_take_the_name_of_a_known_data_set() -> None:
    with pytest.raises(InputError, match="`dataset`: mnist is a data set that is known by its"):
        prepare(SearchRequest(space="svm", dataset="mnist"), data=(IMAGES, LABELS))


def test_a_search_of_transposed_files_is_resumed_on_transposed_images(tmp_path: Path) -> None:
    file = tmp_path / "own.npz"
    np.savez(file, x_train=IMAGES, y_train=LABELS)
    upright = SearchRequest(
        space="svm", dataset=str(file), trials=1, name="t", results=tmp_path / "r", transposed=True
    )
    search(upright, progress=False)
    resumed = prepare_resumed(ResumeRequest(search="t", trials=2, results=tmp_path / "r"))
    assert resumed.data.content_hash == prepare(upright).data.content_hash
