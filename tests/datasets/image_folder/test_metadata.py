"""Hugging Face's tables of labels, metadata.csv and metadata.jsonl."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from tests.datasets.written import small_images
from tune_mnist.datasets.image_folder import read_image_folder
from tune_mnist.errors import InputError


def write_images(folder: Path, names: list[str]) -> None:
    for name, array in zip(names, small_images(len(names)), strict=True):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(array).save(folder / name)


def write_table(folder: Path, labels: dict[str, str | int], kind: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if kind == "csv":
        rows = [f"{name},nothing,{label}" for name, label in labels.items()]
        (folder / "metadata.csv").write_text("\n".join(["file_name,text,label", *rows]) + "\n")
    else:
        lines = [json.dumps({"file_name": name, "label": one}) for name, one in labels.items()]
        (folder / "metadata.jsonl").write_text("\n".join(lines))


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
@pytest.mark.parametrize("labels", [("cat", "dog"), (0, 1)])
def test_a_flat_split_is_labelled_by_its_table(
    tmp_path: Path, kind: str, labels: tuple[str | int, str | int]
) -> None:
    for split, n in (("train", 6), ("validation", 2), ("test", 4)):
        names = [f"{i}.png" for i in range(n)]
        write_images(tmp_path / split, names)
        write_table(tmp_path / split, {name: labels[i % 2] for i, name in enumerate(names)}, kind)
    data = read_image_folder(tmp_path)
    assert data.classes == tuple(map(str, labels))
    assert data.train.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert data.val is not None
    assert data.test is not None
    assert (len(data.val), len(data.test), data.notes) == (2, 4, ())


def test_a_table_in_the_root_may_name_the_splits(tmp_path: Path) -> None:
    names = [f"{split}/{i}.png" for split in ("train", "test") for i in range(4)]
    write_images(tmp_path, names)
    write_table(tmp_path, {name: "ab"[i % 2] for i, name in enumerate(names)}, "csv")
    data = read_image_folder(tmp_path)
    assert (len(data.train), len(data.test or ())) == (4, 4)


def test_a_flat_folder_with_a_table_is_a_data_set(tmp_path: Path) -> None:
    write_images(tmp_path, [f"{i}.png" for i in range(7)])
    write_table(tmp_path, {f"{i}.png": "ab"[i % 2] for i in range(6)}, "jsonl")
    data = read_image_folder(tmp_path)
    assert data.train.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert data.notes == ("1 image left out: 1 in no row of metadata.jsonl",)


def test_corrected_labels_are_another_data_set_whatever_the_cache_holds(tmp_path: Path) -> None:
    write_images(tmp_path, [f"{i}.png" for i in range(6)])
    write_table(tmp_path, {f"{i}.png": "ab"[i % 2] for i in range(6)}, "csv")
    before = read_image_folder(tmp_path)
    write_table(tmp_path, {f"{i}.png": "ba"[i % 2] for i in range(6)}, "csv")
    assert read_image_folder(tmp_path).files_hash != before.files_hash


def test_every_row_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    write_images(tmp_path, ["0.png", "1.png"])
    (tmp_path / "metadata.csv").write_text(
        "file_name,label\n0.png,a\n0.png,b\n../secret.png,a\nlost.png,a\n1.png,\n"
    )
    with pytest.raises(InputError) as caught:
        read_image_folder(tmp_path)
    lines = str(caught.value).splitlines()
    assert [line.split("; ")[0].removeprefix(f"{tmp_path}/metadata.csv: ") for line in lines] == [
        "line 3: file_name '0.png' stands in another row too",
        "line 4: file_name '../secret.png' is no image of this folder",
        "line 5: file_name 'lost.png' is no image of this folder",
        "line 6: label '' is neither text nor a whole number",
    ]


@pytest.mark.parametrize("contents", [b'{"file_name": 3', b"[1, 2]", b"\xff\xfe", b"[" * 100_000])
def test_a_table_that_is_none_is_refused_in_one_line(tmp_path: Path, contents: bytes) -> None:
    write_images(tmp_path, ["0.png"])
    (tmp_path / "metadata.jsonl").write_bytes(contents)
    with pytest.raises(InputError, match=r"metadata\.jsonl: cannot be read as a table"):
        read_image_folder(tmp_path)


def test_a_table_without_labels_labels_nothing(tmp_path: Path) -> None:
    write_images(tmp_path, ["a/0.png", "b/0.png"])
    (tmp_path / "metadata.csv").write_text("file_name,caption\na/0.png,a cat\n")
    data = read_image_folder(tmp_path)
    assert data.classes == ("a", "b")
    assert data.notes == ("1 file not read as images: metadata.csv",)
