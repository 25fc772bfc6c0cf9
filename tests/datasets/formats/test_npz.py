"""`.npz` files as Keras, MedMNIST and Kuzushiji write them; nothing is unpickled or too large."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from tests.datasets.written import cyclic_labels, pairs, small_images
from tune_mnist.datasets import LoadOptions, load_dataset, load_given
from tune_mnist.datasets.idx import read_idx_folder
from tune_mnist.errors import InputError

TRAIN, TEST = small_images(60, 0), small_images(20, 1)


def keras(**changed: Any) -> dict[str, Any]:
    usual = {
        "x_train": TRAIN,
        "y_train": cyclic_labels(60, 3),
        "x_test": TEST,
        "y_test": cyclic_labels(20, 3),
    }
    return {name: array for name, array in {**usual, **changed}.items() if array is not None}


def write_keras(file: Path, **changed: Any) -> Path:
    np.savez(file, **keras(**changed))
    return file


def write_kuzushiji(folder: Path, name: str = "k49") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for part, images, labels in (
        ("train", small_images(490), cyclic_labels(490, 49)),
        ("test", TEST, cyclic_labels(20, 49)),
    ):
        np.savez_compressed(folder / f"{name}-{part}-imgs.npz", images)
        np.savez_compressed(folder / f"{name}-{part}-labels.npz", labels)
    return folder


def test_keras_four_arrays_are_read(tmp_path: Path) -> None:
    data = load_dataset(str(write_keras(tmp_path / "mnist.npz")))
    assert (data.name, len(data.train) + len(data.val)) == ("mnist", 60)
    np.testing.assert_array_equal(data.test.images, TEST)
    assert data.test.labels.tolist() == cyclic_labels(20, 3).tolist()


def test_a_folder_with_the_file_is_the_same_data(tmp_path: Path) -> None:
    file = write_keras(tmp_path / "mnist.npz")
    assert load_dataset(str(tmp_path)).content_hash == load_dataset(str(file)).content_hash


def test_medmnists_six_arrays_are_read_and_its_validation_images_validate(tmp_path: Path) -> None:
    parts = {"train": (60, 0), "val": (15, 1), "test": (20, 2)}
    images: dict[str, Any] = {
        f"{p}_images": small_images(n, seed, (28, 28, 3)) for p, (n, seed) in parts.items()
    }
    labels: dict[str, Any] = {
        f"{p}_labels": cyclic_labels(n, 3)[:, None] for p, (n, _) in parts.items()
    }
    np.savez_compressed(tmp_path / "bloodmnist.npz", **images, **labels)
    data = load_dataset(str(tmp_path / "bloodmnist.npz"))
    train = pairs(images["train_images"], cyclic_labels(60, 3))
    assert pairs(data.train.images, data.train.labels) == train
    np.testing.assert_array_equal(data.val.images, images["val_images"])
    assert data.val.labels.tolist() == cyclic_labels(15, 3).tolist()
    assert len(data.test) == 20


def test_mnist_keeps_its_content_hash_in_any_format(tmp_path: Path, real_data: Path) -> None:
    mnist = read_idx_folder(real_data / "mnist")
    assert mnist.test is not None
    pools = {"train": mnist.train, "test": mnist.test}
    arrays: dict[str, Any] = {f"x_{part}": pool.images for part, pool in pools.items()}
    arrays |= {f"y_{part}": pool.labels.astype(np.uint8) for part, pool in pools.items()}
    np.savez(tmp_path / "mnist.npz", **arrays)
    known = load_dataset("mnist", LoadOptions(real_data, download=False))
    assert load_dataset(str(tmp_path / "mnist.npz")).content_hash == known.content_hash
    given: Any = {part: (pool.images, pool.labels) for part, pool in pools.items()}
    assert load_given(given, "mine").content_hash == known.content_hash


def test_kuzushijis_four_files_are_one_data_set(tmp_path: Path) -> None:
    folder = write_kuzushiji(tmp_path / "k")
    data = load_dataset(str(folder / "k49-train-imgs.npz"))
    assert (data.name, len(data.classes)) == ("k49", 49)
    np.testing.assert_array_equal(data.test.images, TEST)


def test_two_of_kuzushijis_data_sets_in_a_folder_can_be_chosen(tmp_path: Path) -> None:
    write_kuzushiji(write_kuzushiji(tmp_path / "k"), "kmnist")
    with pytest.raises(InputError, match="several data sets: k49, kmnist; name a file of the one"):
        load_dataset(str(tmp_path / "k"))
    assert load_dataset(str(tmp_path / "k" / "kmnist-test-labels.npz")).name == "kmnist"


def test_floats_from_0_to_1_become_grey_levels_with_a_note(tmp_path: Path) -> None:
    for type_ in (np.float32, np.float64):
        changed = {"x_train": TRAIN.astype(type_) / 255, "x_test": TEST.astype(type_) / 255}
        data = load_dataset(str(write_keras(tmp_path / "f.npz", **changed)))
        np.testing.assert_array_equal(data.test.images, TEST)
        assert f"pixels from 0 to 1 ({np.dtype(type_)}) scaled to 0 to 255" in data.notes


def test_sixteen_bits_keep_their_levels_with_a_note(tmp_path: Path) -> None:
    levels = np.tile(np.arange(0, 4096, 273, dtype=np.uint16), (20, 1)).reshape(20, 4, 4)
    file = write_keras(tmp_path / "d.npz", x_train=np.repeat(levels, 3, 0), x_test=levels)
    data = load_dataset(str(file))
    assert data.test.images[0].ravel().tolist() == list(range(0, 256, 17))
    assert "pixels from 0 to 4095 (uint16) scaled to 0 to 255" in data.notes


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no labels": ({"y_train": None}, "there are no train labels"),
    "half a test set": ({"y_test": None}, "there are no test labels"),
    "another number": ({"y_train": cyclic_labels(59)}, "59 labels for the 60 images of .*x_train"),
    "another size": ({"x_test": small_images(20, 1, (6, 6))}, "images are 6 by 6, .* are 5 by 4"),
    "standardised": ({"x_train": TRAIN / 100.0 - 1, "x_test": TEST / 100.0 - 1}, "reach from -1"),
    "NaN": ({"x_train": np.full((60, 5, 4), np.nan), "x_test": TEST / 255}, "image 0 holds NaN"),
    "two types": ({"x_test": TEST / 255}, "types differ: .*x_train is uint8, .*x_test is float64"),
    "complex": ({"x_train": TRAIN * 1j, "x_test": TEST * 1j}, "holds complex128; use uint8"),
    "volumes": ({"x_train": small_images(60, 0, (4, 4, 4))}, r"shape \(60, 4, 4, 4\), which is"),
    "many labels": ({"y_train": np.eye(3)[cyclic_labels(60, 3)]}, "several labels an image"),
    "fractions": ({"y_train": np.linspace(0, 2, 60)}, "label 0.0338983 of image 1 is not a whole"),
    "unknown class": (
        {"y_test": cyclic_labels(20, 4)},
        r"label 3 of image 3 \(5 such\); the train",
    ),
    "empty": ({"x_test": TEST[:0], "y_test": TEST[:0, 0, 0]}, "is empty, its shape is"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_arrays_that_make_no_data_set_are_refused_in_one_line(tmp_path: Path, name: str) -> None:
    changed, said = REFUSED[name]
    file = write_keras(tmp_path / "own.npz", **changed)
    with pytest.raises(InputError, match=f"{file}.*{said}") as caught:
        load_dataset(str(file))
    assert "\n" not in str(caught.value)


def test_arrays_of_other_names_are_named_with_those_that_are_read(tmp_path: Path) -> None:
    np.savez(tmp_path / "own.npz", features=TRAIN, target=cyclic_labels(60))
    for source in (tmp_path, tmp_path / "own.npz"):
        with pytest.raises(InputError, match="holds the arrays features, target; use x_train, y_"):
            load_dataset(str(source))


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("unpickled"),)


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    file = write_keras(tmp_path / "own.npz", y_train=np.array([Evil()] * 60, dtype=object))
    with pytest.raises(InputError, match="array y_train holds Python objects, which are never"):
        load_dataset(str(file))
    (tmp_path / "raw.npz").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(InputError, match=r"cannot be read as \.npz"):
        load_dataset(str(tmp_path / "raw.npz"))
    assert not Path("unpickled").exists()


def test_a_small_file_that_unpacks_to_more_than_half_the_memory_is_not_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = np.zeros((60, 400, 400), np.uint8)
    np.savez_compressed(tmp_path / "own.npz", **keras(x_train=images, x_test=images[:20]))
    assert (tmp_path / "own.npz").stat().st_size < 20_000

    class Small:
        total = 2**24

    monkeypatch.setattr(psutil, "virtual_memory", Small)
    with pytest.raises(
        InputError, match=r"x_train: would take 0.0096 GB, more than half of the memory"
    ):
        load_dataset(str(tmp_path / "own.npz"))


def test_a_header_that_promises_more_than_is_there_is_refused_before_memory_is_taken(
    tmp_path: Path,
) -> None:
    file = tmp_path / "own.npz"
    with zipfile.ZipFile(file, "w") as archive:
        for name, array in keras().items():
            held = io.BytesIO()
            np.save(held, array)
            content = held.getvalue()
            if name == "x_train":
                content = content.replace(b"(60, 5, 4), ", b"(10**9,5,4),", 1).replace(
                    b"10**9", b"99999", 1
                )
            archive.writestr(f"{name}.npy", content)
    with pytest.raises(InputError, match=r"x_train of shape \(99999, 5, 4\) is not the 1,328 byt"):
        load_dataset(str(file))


def test_a_file_cut_anywhere_or_with_a_damaged_byte_is_refused(tmp_path: Path) -> None:
    content = write_keras(tmp_path / "whole.npz").read_bytes()
    file = tmp_path / "cut" / "own.npz"
    file.parent.mkdir()
    for length in range(0, len(content), 97):
        file.write_bytes(content[:length])
        with pytest.raises(InputError, match=r"own\.npz"):
            load_dataset(str(file))
    at = content.index(TRAIN.tobytes()) + 100
    file.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
    with pytest.raises(InputError, match=r"cannot be read as .npz \(Bad CRC-32"):
        load_dataset(str(file))
