"""CSV files of pixels, as Kaggle has them: the right pixels and labels, or the row and column."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.datasets.written import Array, cyclic_labels, small_images
from tune_mnist.datasets import LoadOptions, load_dataset
from tune_mnist.errors import InputError

TRAIN, TEST = small_images(60, 0, (5, 5)), small_images(20, 1, (5, 5))
PIXELS = [f"pixel{number}" for number in range(25)]


def write_table(
    file: Path, images: Any, labels: Sequence[Any] | None, head: Sequence[str] | None = PIXELS
) -> Path:
    """Write a table as Kaggle does: a label, if there is one, then the pixels."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", newline="") as stream:
        rows = csv.writer(stream)
        if head is not None:
            rows.writerow(head if labels is None else ["label", *head])
        for index, image in enumerate([image.ravel().tolist() for image in images]):
            rows.writerow(image if labels is None else [labels[index], *image])
    return file


def write_kaggle_digits(folder: Path) -> Path:
    write_table(folder / "train.csv", TRAIN, cyclic_labels(60).tolist())
    write_table(folder / "test.csv", TEST, None)
    (folder / "sample_submission.csv").write_text("ImageId,Label\n1,0\n")
    return folder


def test_kaggles_digits_are_read_and_its_test_table_without_labels_is_no_test_set(
    tmp_path: Path,
) -> None:
    data = load_dataset(str(write_kaggle_digits(tmp_path / "digit-recognizer")))
    assert (data.name, data.classes) == ("digit-recognizer", tuple("0123456789"))
    assert len(data.train) + len(data.val) + len(data.test) == 60
    assert "test.csv has no column of labels: not used" in data.notes
    assert "not used: sample_submission.csv" in data.notes


def test_the_file_of_training_images_stands_for_its_folder(tmp_path: Path) -> None:
    folder = write_kaggle_digits(tmp_path / "digits")
    data = load_dataset(str(folder / "train.csv"))
    assert (data.name, data.content_hash) == ("digits", load_dataset(str(folder)).content_hash)


def write_sign_mnist(folder: Path) -> Path:
    """Write Sign-MNIST's tables: 24 letters, no label 9 for J, which is a movement."""
    letters = [label for label in range(25) if label != 9]
    for part, images in (("train", np.repeat(TRAIN, 4, 0)), ("test", np.repeat(TEST, 4, 0))):
        labels = [letters[index % 24] for index in range(len(images))]
        write_table(folder / f"sign_mnist_{part}.csv", images, labels)
        nested = folder / f"sign_mnist_{part}" / f"sign_mnist_{part}.csv"
        write_table(nested, images, labels)
    return folder


@pytest.mark.parametrize("nested", [True, False])
def test_sign_mnists_labels_have_a_gap_which_is_noted(tmp_path: Path, nested: bool) -> None:
    folder = write_sign_mnist(tmp_path / "sign")
    if nested:
        for file in folder.glob("*.csv"):
            file.unlink()
    data = load_dataset(str(folder))
    assert data.classes == tuple(str(label) for label in range(25) if label != 9)
    assert data.test.labels[:12].tolist() == list(range(12))  # the ninth class is label 10
    np.testing.assert_array_equal(data.test.images, np.repeat(TEST, 4, 0))
    assert "labels 0 to 24 without 9: 24 classes" in data.notes
    file = folder / "sign_mnist_test" / "sign_mnist_test.csv"
    assert nested is (not any(note.startswith("not used") for note in data.notes))
    if nested:
        assert load_dataset(str(file)).name == "sign_mnist"


def test_a_table_without_a_header_has_its_label_first(tmp_path: Path) -> None:
    file = write_table(tmp_path / "emnist-mnist-train.csv", TRAIN, cyclic_labels(60).tolist(), None)
    write_table(tmp_path / "emnist-mnist-test.csv", TEST, cyclic_labels(20).tolist(), None)
    data = load_dataset(str(file), LoadOptions(transposed=True))
    assert data.name == "emnist-mnist"
    np.testing.assert_array_equal(data.test.images, TEST.swapaxes(1, 2))


def test_the_label_may_be_the_last_column_and_images_may_have_colour(tmp_path: Path) -> None:
    images = small_images(40, 0, (4, 4, 3))
    lines = [",".join([*(f"pixel{i:04d}" for i in range(48)), "label"])]
    lines += [",".join(map(str, [*image.ravel(), i % 2])) for i, image in enumerate(images)]
    (tmp_path / "hmnist_RGB.csv").write_text("\n".join(lines))
    data = load_dataset(str(tmp_path / "hmnist_RGB.csv"))
    assert data.train.images.shape[1:] == (4, 4, 3)
    everything = np.concatenate([data.train.images, data.val.images, data.test.images])
    assert {image.tobytes() for image in everything} == {image.tobytes() for image in images}


def test_labels_may_be_names_and_pixels_floats_from_0_to_1(tmp_path: Path) -> None:
    names = ["no", "yes"] * 30
    data = load_dataset(str(write_table(tmp_path / "own.csv", TRAIN / 255, names)))
    assert data.classes == ("no", "yes")
    everything = np.concatenate([data.train.images, data.val.images, data.test.images])
    assert {image.tobytes() for image in everything} == {image.tobytes() for image in TRAIN}


def test_windows_lines_and_a_byte_order_mark_change_nothing(tmp_path: Path) -> None:
    file = write_table(tmp_path / "a" / "own.csv", TRAIN, cyclic_labels(60).tolist())
    text = file.read_bytes().replace(b"\r\n", b"\n")
    file.write_bytes(text)
    other = tmp_path / "b" / "own.csv"
    other.parent.mkdir()
    other.write_bytes(b"\xef\xbb\xbf" + text.replace(b"\n", b"\r\n"))
    assert load_dataset(str(file)).content_hash == load_dataset(str(other)).content_hash


def edited(text: str, row: int, column: int, value: str | None) -> str:
    lines = text.splitlines()
    cells = lines[row - 1].split(",")
    cells[column : column + 1] = [] if value is None else [value]
    lines[row - 1] = ",".join(cells)
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("row", "column", "value", "said"),
    [
        (8, 3, "300", "'300' in row 8, column pixel2, is no pixel; pixels are whole numbers"),
        (8, 3, "x", "'x' in row 8, column pixel2, is no pixel"),
        (8, 3, "-1", "'-1' in row 8, column pixel2, is no pixel"),
        (8, 3, "0.5", "'0.5' in row 8, column pixel2, is no pixel"),
        (8, 3, "", "'' in row 8, column pixel2, is no pixel"),
        (8, 3, "nan", "'nan' in row 8, column pixel2, is no pixel"),
        (8, 3, None, "row 8 has 25 columns, not 26"),
        (8, 0, "", "image 6 has no label"),
        (1, 0, "digit", "has no column of labels; name the column of labels label"),
        (1, 3, "label", "two columns are called label"),
    ],
)
def test_a_fault_names_the_row_and_the_column(
    tmp_path: Path, row: int, column: int, value: str | None, said: str
) -> None:
    file = write_table(tmp_path / "train.csv", TRAIN, ["yes", "no"] * 30)
    file.write_text(edited(file.read_text(), row, column, value))
    with pytest.raises(InputError, match=f"{file}: {said}") as caught:
        load_dataset(str(file))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("images", "said"),
    [
        (small_images(20, 0, (4, 6)), "24 columns beside the labels are no square image"),
        (TRAIN[:0], "has no rows; add images"),
    ],
)
def test_a_table_that_holds_no_images_is_refused(tmp_path: Path, images: Array, said: str) -> None:
    names = [f"p{number}" for number in range(images[0].size if len(images) else 25)]
    file = write_table(tmp_path / "train.csv", images, cyclic_labels(20).tolist(), names)
    with pytest.raises(InputError, match=f"{file}: {said}"):
        load_dataset(str(file))


def test_a_table_of_few_columns_is_no_data_set(tmp_path: Path) -> None:
    (tmp_path / "iris.csv").write_text("sepal,petal,label\n1,2,3\n")
    for source in (tmp_path, tmp_path / "iris.csv"):
        with pytest.raises(InputError, match="has no column for each pixel; use one row an image"):
            load_dataset(str(source))


def test_a_test_table_alone_is_refused(tmp_path: Path) -> None:
    file = write_table(tmp_path / "test.csv", TEST, cyclic_labels(20).tolist())
    with pytest.raises(InputError, match=r"has no training images beside it; add train\.csv"):
        load_dataset(str(file))
