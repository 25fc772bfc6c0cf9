"""A data set that would take more than half of the memory is refused before it is decoded."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from tests.datasets.written import small_images, write_classes
from tune_mnist.datasets import memory
from tune_mnist.datasets.image_folder import read_image_folder
from tune_mnist.errors import InputError

GREY_BYTES = 40 * 6 * 5


@pytest.mark.parametrize("room", [2 * GREY_BYTES, 2 * GREY_BYTES - 2])
def test_half_of_the_memory_is_the_limit(
    class_folder: Path, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    monkeypatch.setattr(memory, "memory_bytes", lambda: room)
    calls: list[int] = []
    if room == 2 * GREY_BYTES:
        assert len(read_image_folder(class_folder).train) == 40
    else:
        with pytest.raises(InputError, match=r"40 images: would take .* more than half of the"):
            read_image_folder(class_folder, progress=lambda done, total: calls.append(done))
        assert calls == []


def test_the_size_that_images_are_stored_in_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = [Image.fromarray(array) for array in small_images(4, size=(90, 90, 3))]
    write_classes(tmp_path, {"a": pictures[:2], "b": pictures[2:]})
    monkeypatch.setattr(memory, "memory_bytes", lambda: 2 * 4 * 16 * 16 * 3)
    assert read_image_folder(tmp_path, side=16).train.images.shape[1:] == (16, 16, 3)
    with pytest.raises(InputError, match="use fewer or smaller images"):
        read_image_folder(tmp_path, side=17)


def test_a_containers_limit_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(memory, "LIMIT", limit)
    machine = memory.memory_bytes()
    limit.write_text("1000000\n")
    assert memory.memory_bytes() == 1_000_000
    limit.write_text("max\n")
    assert memory.memory_bytes() == machine
