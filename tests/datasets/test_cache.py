"""Decoded folders are cached; whatever happens to the cache, the arrays are correct."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.datasets.written import small_images, write_classes
from tune_mnist.datasets.cache import clear
from tune_mnist.datasets.dataset import Unsplit
from tune_mnist.datasets.image_folder import read_image_folder


def read(folder: Path) -> tuple[Unsplit, bool]:
    """Read a folder; return the data and whether its files were decoded."""
    calls: list[int] = []
    data = read_image_folder(folder, progress=lambda done, total: calls.append(done))
    return data, bool(calls)


def entry() -> Path:
    (found,) = Path(os.environ["XDG_CACHE_HOME"], "tune_mnist", "decoded").iterdir()
    return found


def test_second_reading_decodes_nothing_and_is_equal(tmp_path: Path) -> None:
    for half in ("train", "test", "val"):
        write_classes(tmp_path / half)
    (first, decoded), (second, again) = read(tmp_path), read(tmp_path)
    assert (decoded, again) == (True, False)
    assert (second.classes, second.notes) == (first.classes, first.notes)
    assert first.test is not None
    assert second.test is not None
    assert first.val is not None
    assert second.val is not None
    assert second.files_hash == first.files_hash != ""
    parts = ((first.train, second.train), (first.val, second.val), (first.test, second.test))
    for a, b in parts:
        np.testing.assert_array_equal(a.images, b.images)
        np.testing.assert_array_equal(a.labels, b.labels)


def test_folder_without_test_images_is_cached_without_them(class_folder: Path) -> None:
    read(class_folder)
    assert read(class_folder)[0].test is None


def change_time(folder: Path) -> None:
    os.utime(folder / "cat" / "000.png", ns=(1, 1))


def of_one_size_and_time(folder: Path) -> tuple[Path, Path]:
    """Two images of the folder, which is in the cache with equal sizes and times of both."""
    cat, dog = folder / "cat" / "000.png", folder / "dog" / "000.png"
    for path in (cat, dog):
        path.write_bytes(path.read_bytes().ljust(200, b"\0"))  # Pillow reads to the end chunk
        os.utime(path, ns=(7, 7))
    read(folder)
    return cat, dog


def change_pixels_but_neither_size_nor_time(folder: Path) -> None:
    cat, dog = of_one_size_and_time(folder)
    cat.write_bytes(dog.read_bytes())
    os.utime(cat, ns=(7, 7))


def swap_two_classes_images(folder: Path) -> None:
    """As a person corrects labels: files change places and keep their size and time."""
    cat, dog = of_one_size_and_time(folder)
    cat.rename(folder / "aside")
    dog.rename(cat)
    (folder / "aside").rename(dog)


def add_image(folder: Path) -> None:
    Image.fromarray(small_images(1, size=(6, 5))[0]).save(folder / "cat" / "new.png")


def remove_image(folder: Path) -> None:
    (folder / "cat" / "000.png").unlink()


def rename_class(folder: Path) -> None:
    (folder / "cat").rename(folder / "fox")


def add_note(folder: Path) -> None:
    (folder / "cat" / "list.txt").write_text("")


@pytest.mark.parametrize(
    "change",
    [
        *(change_time, change_pixels_but_neither_size_nor_time, swap_two_classes_images),
        *(add_image, remove_image, rename_class, add_note),
    ],
)
def test_changed_folder_is_decoded_again(
    class_folder: Path, change: Callable[[Path], None]
) -> None:
    read(class_folder)
    change(class_folder)
    assert read(class_folder)[1]
    assert not read(class_folder)[1]
    entry()  # the old one is gone


def test_corrected_labels_are_another_data_set(class_folder: Path) -> None:
    """So a search of the old ones refuses to be resumed."""
    of_one_size_and_time(class_folder)
    before = read(class_folder)[0].files_hash
    swap_two_classes_images(class_folder)
    assert read(class_folder)[0].files_hash != before


def test_each_size_has_its_own_entry(class_folder: Path) -> None:
    read(class_folder)
    read_image_folder(class_folder, side=16)
    assert not read(class_folder)[1]


def test_clearing_removes_every_entry_and_counts_them(class_folder: Path) -> None:
    assert clear() == (0, 0)
    read(class_folder)
    size = entry().stat().st_size
    assert clear() == (1, size)
    assert read(class_folder)[1]


def test_entry_with_any_damage_is_rebuilt(class_folder: Path) -> None:
    expected = read(class_folder)[0].train.images
    whole = entry().read_bytes()
    for position in range(0, len(whole), 97):
        damaged = bytearray(whole)
        damaged[position] ^= 0xFF
        entry().write_bytes(damaged)
        np.testing.assert_array_equal(read(class_folder)[0].train.images, expected)


@pytest.mark.parametrize("kept", [0.0, 0.5, 0.99])
def test_truncated_entry_is_decoded_again_and_replaced(class_folder: Path, kept: float) -> None:
    read(class_folder)
    whole = entry().read_bytes()
    entry().write_bytes(whole[: int(len(whole) * kept)])
    assert read(class_folder)[1]
    assert not read(class_folder)[1]


def test_damaged_pixels_in_the_entry_are_never_used(class_folder: Path) -> None:
    expected = read(class_folder)[0].train.images
    whole = entry().read_bytes()
    at = whole.index(expected[3].tobytes())
    entry().write_bytes(whole[:at] + bytes(10) + whole[at + 10 :])
    data, decoded = read(class_folder)
    assert decoded
    np.testing.assert_array_equal(data.train.images, expected)


def test_entry_that_claims_fewer_images_is_never_used(tmp_path: Path) -> None:
    pictures = [Image.fromarray(array) for array in small_images(20, size=(60, 60))]
    write_classes(tmp_path, {"cat": pictures, "dog": pictures})
    read(tmp_path)
    whole = entry().read_bytes()
    assert b"(40, 60, 60)" in whole
    entry().write_bytes(whole.replace(b"(40, 60, 60)", b"(20, 60, 60)"))
    data, decoded = read(tmp_path)
    assert (decoded, len(data.train.images)) == (True, 40)


def test_cache_that_cannot_be_written_is_not_used(
    class_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert len(read(class_folder)[0].train) == 40
    assert read(class_folder)[1]


def test_full_disk_leaves_nothing_behind(
    class_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_room)
    assert len(read(class_folder)[0].train) == 40
    assert list(Path(os.environ["XDG_CACHE_HOME"], "tune_mnist", "decoded").iterdir()) == []


def sum_of_pixels(folder: Path) -> int:
    return int(read_image_folder(folder).train.images.sum())


def test_several_processes_at_once_agree(class_folder: Path) -> None:
    expected = int(small_images(40, size=(6, 5)).sum())
    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as processes:
        sums = list(processes.map(sum_of_pixels, [class_folder] * 12))
    assert sums == [expected] * 12
    assert entry().suffix == ".npz"
