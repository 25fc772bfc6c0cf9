"""Parquet files as Hugging Face's `datasets` writes them: images decoded, classes from metadata."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from tests.datasets.written import Array, cyclic_labels, pairs, small_images
from tune_mnist.datasets import LoadOptions, load_dataset
from tune_mnist.errors import InputError

NAMES = ("cat", "dog", "fox")
TRAIN, VAL, TEST = (small_images(n, seed) for n, seed in ((60, 0), (12, 1), (20, 2)))
SHARD = "train-00000-of-00001.parquet"


def png(array: Array) -> bytes:
    file = io.BytesIO()
    Image.fromarray(array).save(file, "PNG")
    return file.getvalue()


def rows(images: Sequence[Array] | Array, k: int = 3) -> dict[str, list[Any]]:
    pictures = [{"bytes": png(image), "path": f"{i}.png"} for i, image in enumerate(images)]
    return {"image": pictures, "label": cyclic_labels(len(images), k).tolist()}


def write_shard(
    file: Path, columns: Mapping[str, Sequence[Any]], names: Sequence[str] | None = NAMES
) -> Path:
    """Write one file with the schema and metadata that `datasets` writes."""
    kinds = {"image": pa.struct({"bytes": pa.binary(), "path": pa.string()})}
    arrays = {
        name: pa.array(values, kinds.get(name, pa.int64())) for name, values in columns.items()
    }
    features: dict[str, Any] = {
        "image": {"_type": "Image"},
        "label": {"names": list(names or ()), "_type": "ClassLabel"},
    }
    table = pa.table(arrays)
    if names is not None:
        info = {"info": {"features": features}}
        table = table.replace_schema_metadata({"huggingface": json.dumps(info)})
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, file)
    return file


def write_hugging_face(folder: Path) -> Path:
    write_shard(folder / "data" / "train-00000-of-00002.parquet", rows(TRAIN[:30]))
    write_shard(folder / "data" / "train-00001-of-00002.parquet", rows(TRAIN[30:]))
    write_shard(folder / "data" / "validation-00000-of-00001.parquet", rows(VAL))
    write_shard(folder / "data" / "test-00000-of-00001.parquet", rows(TEST))
    (folder / "README.md").write_text("---\ndataset_info: …\n")
    return folder


def test_hugging_faces_folder_is_read_with_its_classes_and_its_parts(tmp_path: Path) -> None:
    data = load_dataset(str(write_hugging_face(tmp_path / "pets")))
    assert (data.name, data.classes, data.notes) == ("pets", NAMES, ())
    for part, images in ((data.train, TRAIN), (data.val, VAL), (data.test, TEST)):
        labels = cyclic_labels(len(images), 3)
        assert pairs(part.images, part.labels) == pairs(images, labels)


def test_a_file_stands_for_all_shards_of_its_data_set(tmp_path: Path) -> None:
    folder = write_hugging_face(tmp_path / "pets")
    data = load_dataset(str(folder / "data" / "test-00000-of-00001.parquet"))
    assert (data.name, len(data.train)) == ("pets", 60)


def test_the_second_time_is_read_from_the_cache_and_a_changed_file_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = str(write_hugging_face(tmp_path / "pets"))
    seen: list[int] = []
    first = load_dataset(folder, progress=lambda done, total: seen.append(total))
    again = load_dataset(folder, progress=lambda done, total: seen.append(total))
    assert set(seen) == {92}
    assert len(seen) == 2  # chunks of 64, of the first reading
    assert again.content_hash == first.content_hash
    np.testing.assert_array_equal(again.val.images, VAL)
    write_shard(tmp_path / "pets/data/validation-00000-of-00001.parquet", rows(VAL[::-1]))
    np.testing.assert_array_equal(load_dataset(folder).val.images, VAL[::-1])


def test_files_without_metadata_are_read_with_their_labels_as_classes(tmp_path: Path) -> None:
    write_shard(tmp_path / "own" / "train.parquet", rows(TRAIN), None)
    data = load_dataset(str(tmp_path / "own"))
    assert data.classes == ("0", "1", "2")


def test_a_column_of_plain_bytes_and_one_of_texts_are_read(tmp_path: Path) -> None:
    table = pa.table(
        {"img": [png(image) for image in TRAIN], "label": [NAMES[i % 3] for i in range(60)]}
    )
    pq.write_table(table, tmp_path / "pets.parquet")
    data = load_dataset(str(tmp_path / "pets.parquet"))
    assert (data.name, data.classes) == ("pets", NAMES)


def test_a_test_part_without_labels_is_said_and_not_used(tmp_path: Path) -> None:
    write_shard(tmp_path / "own" / SHARD, rows(TRAIN))
    unknown = {**rows(TEST), "label": [-1] * len(TEST)}
    write_shard(tmp_path / "own" / "test-00000-of-00001.parquet", unknown)
    data = load_dataset(str(tmp_path / "own"))
    assert "test-00000-of-00001.parquet has no labels: not used" in data.notes
    assert len(data.train) + len(data.val) + len(data.test) == 60


def without_bytes(row: int) -> dict[str, list[Any]]:
    columns = rows(TRAIN)
    columns["image"][row] = {"bytes": None, "path": "far/away.png"}
    return columns


def with_label(row: int, label: int | None) -> dict[str, list[Any]]:
    columns = rows(TRAIN)
    columns["label"][row] = label
    return columns


def damaged_image(row: int) -> dict[str, list[Any]]:
    columns = rows(TRAIN)
    columns["image"][row]["bytes"] = columns["image"][row]["bytes"][:40]
    return columns


REFUSED: dict[str, tuple[dict[str, list[Any]], str]] = {
    "no bytes": (without_bytes(7), f"{SHARD}: row 7 holds only the path far/away.png; write"),
    "no label": (with_label(7, None), f"{SHARD}: row 7 has no label; add it"),
    "unknown label": (with_label(7, 9), "label 9 of image 7 .*; the training labels are 0, 1, 2"),
    "unlabelled": (with_label(7, -1), "label -1 of image 7"),
    "damaged image": (damaged_image(7), f"{SHARD}: row 7: cannot be decoded"),
    "no images": ({"label": [0, 1]}, f"{SHARD}: has the columns label; needs a column of images"),
    "no labels": ({"image": rows(TRAIN)["image"]}, f"{SHARD}: has no column of labels"),
    "no rows": ({"image": [], "label": []}, f"{SHARD}: has no rows"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_rows_that_make_no_data_set_are_refused_in_one_line(tmp_path: Path, name: str) -> None:
    columns, said = REFUSED[name]
    file = write_shard(tmp_path / "own" / SHARD, columns)
    with pytest.raises(InputError, match=said) as caught:
        load_dataset(str(file))
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_damaged_image_can_be_skipped_with_its_label(tmp_path: Path) -> None:
    file = write_shard(tmp_path / "own" / SHARD, damaged_image(7))
    data = load_dataset(str(file), LoadOptions(skip_bad_images=True))
    parts = (data.train, data.val, data.test)
    images = np.concatenate([part.images for part in parts])
    labels = np.concatenate([part.labels for part in parts])
    kept = [number for number in range(60) if number != 7]
    assert pairs(images, labels) == pairs(TRAIN[kept], cyclic_labels(60, 3)[kept])
    assert f"images that cannot be decoded left out (1): {file}: row 7" in data.notes


def test_the_content_hash_does_not_change_with_the_size_asked_for(tmp_path: Path) -> None:
    large = [np.kron(image, np.ones((20, 20), np.uint8)) for image in TRAIN]
    file = write_shard(tmp_path / "own" / SHARD, rows(large))
    small, tall = (load_dataset(str(file), LoadOptions(side=side)) for side in (16, 40))
    assert (small.train.images.shape[1:], tall.train.images.shape[1:]) == ((16, 16), (40, 40))
    assert small.content_hash == tall.content_hash


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    folder = write_hugging_face(tmp_path / "pets")
    (folder / "data" / "train-00000-of-00002.parquet").unlink()
    with pytest.raises(InputError, match=r"train-00000-of-00002.parquet is missing; download all"):
        load_dataset(str(folder))


def test_shards_with_other_classes_are_refused(tmp_path: Path) -> None:
    folder = write_hugging_face(tmp_path / "pets")
    write_shard(folder / "data" / "train-00001-of-00002.parquet", rows(TRAIN[30:]), NAMES[::-1])
    with pytest.raises(InputError, match=r"train-00001-of-00002\.parquet: its classes are not"):
        load_dataset(str(folder))


def test_several_columns_of_labels_are_named(tmp_path: Path) -> None:
    columns = {**rows(TRAIN), "labels": [0] * 60}
    file = write_shard(tmp_path / SHARD, columns, None)
    with pytest.raises(InputError, match="has several columns of labels: label, labels; keep one"):
        load_dataset(str(file))


@pytest.mark.parametrize("kept", [0, 4, 100, -20])
def test_a_cut_file_is_named(tmp_path: Path, kept: int) -> None:
    file = write_shard(tmp_path / SHARD, rows(TRAIN))
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(InputError, match=rf"{file}: cannot be read as Parquet \("):
        load_dataset(str(file))
