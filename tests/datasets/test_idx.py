"""IDX files are read exactly, or refused with the reason."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from tests.datasets.written import Array, cyclic_labels, idx_bytes, small_images, write_idx
from tune_mnist.datasets.idx import FILES, read_idx, read_idx_folder
from tune_mnist.errors import InputError

DIGITS = tuple("0123456789")
TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS = FILES


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("size", [(5, 4), (5, 4, 3)])
def test_images_are_read_as_written(tmp_path: Path, packed: bool, size: tuple[int, ...]) -> None:
    images = small_images(7, size=size)
    path = tmp_path / "images"
    path.write_bytes(gzip.compress(idx_bytes(images)) if packed else idx_bytes(images))
    np.testing.assert_array_equal(read_idx(path), images)


def test_raw_file_with_a_gz_name_is_read(tmp_path: Path) -> None:
    path = tmp_path / "images.gz"
    path.write_bytes(idx_bytes(small_images(7)))
    assert read_idx(path).shape == (7, 5, 4)


def test_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    contents = idx_bytes(small_images(2))
    path = tmp_path / "images"
    for length in range(len(contents)):
        path.write_bytes(contents[:length])
        with pytest.raises(InputError, match=str(path)):
            read_idx(path)


def test_gzip_cut_anywhere_is_refused(tmp_path: Path) -> None:
    contents = gzip.compress(idx_bytes(small_images(2)))
    path = tmp_path / "images.gz"
    for length in range(len(contents)):
        path.write_bytes(contents[:length])
        with pytest.raises(InputError, match=str(path)):
            read_idx(path)


def test_gzip_with_any_damaged_byte_is_refused_or_read_correctly(tmp_path: Path) -> None:
    images = small_images(2)
    contents = gzip.compress(idx_bytes(images), mtime=0)
    path = tmp_path / "images.gz"
    refused = 0
    for position in range(len(contents)):
        damaged = bytearray(contents)
        damaged[position] ^= 0x10
        path.write_bytes(damaged)
        try:
            np.testing.assert_array_equal(read_idx(path), images)
        except InputError:
            refused += 1
    assert refused > len(contents) - 10  # the header's time, system and level do not matter


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda b: b[:-3], "53 bytes, expected 56"),
        (lambda b: b + b"xx", "58 bytes, expected 56"),
        (lambda b: gzip.compress(b)[:-12], r"bytes unpacked, expected 56 \(Compressed file ended"),
        (lambda b: gzip.compress(b)[:-8] + bytes(8), r"expected 56 \(CRC check failed"),
        (lambda b: b"<htm" + b[4:], "is not IDX: starts with 0x3c68746d"),
        (lambda b: b"\x01" + b[1:], "is not IDX: starts with 0x01000803"),
        (lambda b: b[:2] + b"\x0d" + b[3:], "its type is 0x0d; use unsigned bytes, 0x08"),
        (lambda b: b[:3] + b"\x02" + b[4:], "has 2 dimensions; it must have 3 or 4"),
        (lambda b: b[:4] + bytes(4) + b[8:16], r"is empty, its dimensions are \(0, 5, 4\)"),
        (lambda b: b[:4] + b"\xff" * 12 + b[16:], "56 bytes, expected 79,228,162,458,924,105"),
        (lambda b: b"", "ends inside its header: 0 bytes"),
    ],
)
def test_damage_is_named(tmp_path: Path, change: object, message: str) -> None:
    assert callable(change)
    path = tmp_path / "images"
    path.write_bytes(change(idx_bytes(small_images(2))))
    with pytest.raises(InputError, match=f"{path}: .*({message})"):
        read_idx(path)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({TRAIN_LABELS: cyclic_labels(199)}, "199 labels for the 200 images of train-images"),
        ({TEST_LABELS: cyclic_labels(51)}, "51 labels for the 50 images of t10k-images"),
        ({TRAIN_LABELS: cyclic_labels(200, k=12)}, "label 10 of image 10 .*must be 0 to 9"),
        ({TEST_LABELS: cyclic_labels(50, k=11)}, r"label 10 of image 10 \(4 such\); labels must"),
        ({TEST_IMAGES: small_images(50, size=(6, 6))}, "its images are 6 by 6, those of .* 5 by 4"),
    ],
)
def test_files_that_contradict_each_other_are_refused(
    tmp_path: Path, arrays: dict[str, Array], message: str
) -> None:
    folder = write_idx(tmp_path / "idx", arrays)
    with pytest.raises(InputError, match=message):
        read_idx_folder(folder, DIGITS)


def test_every_damaged_file_is_named_at_once(idx_folder: Path) -> None:
    for name in (TRAIN_LABELS, TEST_LABELS):
        (idx_folder / f"{name}.gz").write_bytes(b"not at all")
    with pytest.raises(InputError) as caught:
        read_idx_folder(idx_folder, DIGITS)
    assert [Path(fault.where).name for fault in caught.value.faults] == [
        f"{TRAIN_LABELS}.gz",
        f"{TEST_LABELS}.gz",
    ]


def test_every_missing_file_of_a_named_data_set_is_named(idx_folder: Path) -> None:
    for name in (TEST_IMAGES, TEST_LABELS):
        (idx_folder / f"{name}.gz").unlink()
    with pytest.raises(InputError) as caught:
        read_idx_folder(idx_folder, DIGITS)
    assert [fault.problem.split()[2] for fault in caught.value.faults] == [TEST_IMAGES, TEST_LABELS]


def test_your_own_files_may_have_no_test_images(idx_folder: Path) -> None:
    for name in (TEST_IMAGES, TEST_LABELS):
        (idx_folder / f"{name}.gz").unlink()
    assert read_idx_folder(idx_folder).test is None


def test_half_a_test_set_is_refused(idx_folder: Path) -> None:
    (idx_folder / f"{TEST_LABELS}.gz").unlink()
    with pytest.raises(InputError, match=f"has neither {TEST_LABELS} nor"):
        read_idx_folder(idx_folder)


def test_your_own_labels_may_start_at_any_number(tmp_path: Path) -> None:
    arrays = {TRAIN_LABELS: cyclic_labels(200, 3) + 1, TEST_LABELS: cyclic_labels(50, 3) + 1}
    data = read_idx_folder(write_idx(tmp_path / "letters", arrays))
    assert data.classes == ("1", "2", "3")
    assert np.unique(data.train.labels).tolist() == [0, 1, 2]


def test_your_own_labels_with_a_gap_are_refused(tmp_path: Path) -> None:
    labels = cyclic_labels(200, 3)
    labels[17] = 200
    folder = write_idx(tmp_path / "stray", {TRAIN_LABELS: labels})
    with pytest.raises(InputError, match="no label between 2 and 200"):
        read_idx_folder(folder)


def test_a_test_label_of_your_own_that_training_lacks_is_refused(tmp_path: Path) -> None:
    arrays = {TRAIN_LABELS: cyclic_labels(200, 3), TEST_LABELS: cyclic_labels(50, 4)}
    folder = write_idx(tmp_path / "idx", arrays)
    with pytest.raises(InputError, match=r"t10k-labels.*label 3 of image 3 .*must be 0 to 2"):
        read_idx_folder(folder)
