"""A folder's images are stored as large as the largest size that the space asks for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tune_mnist.actions import reading_data
from tune_mnist.actions.preparing import prepare
from tune_mnist.actions.requests import SearchRequest
from tune_mnist.datasets import Dataset, LoadOptions, load_dataset


@pytest.mark.parametrize(("sizes", "side"), [("[16, 96]", 96), ("[16, 32]", 64)])
def test_a_search_reads_its_data_at_the_largest_size(
    sizes: str, side: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def load(name: str, options: LoadOptions, progress: object) -> Dataset:
        asked.append(options.side)
        return load_dataset(name, options)

    monkeypatch.setattr(reading_data, "load_dataset", load)
    file = tmp_path / "sizes.yaml"
    file.write_text(f"model: svm\ndataset: digits\nparameters: {{image_size: {{choice: {sizes}}}}}")
    prepare(SearchRequest(space="svm", space_file=file, results=tmp_path / "results", trials=2))
    assert asked == [side]
