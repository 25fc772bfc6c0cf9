"""IDX files under all the names that people have them: dotted, Kaggle's, EMNIST's, QMNIST's."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.datasets.written import Array, cyclic_labels, idx_bytes, small_images, write_idx
from tune_mnist.datasets import LoadOptions, load_dataset
from tune_mnist.datasets.idx import FILES, read_idx_folder
from tune_mnist.datasets.lookup import find_named
from tune_mnist.errors import InputError

CASES = Path(__file__).parents[3].parent / "shared" / "cases" / "data"


def write_emnist(folder: Path, split: str, first: int = 0) -> Path:
    """Write one of EMNIST's splits under its real names; its images are transposed."""
    folder.mkdir(parents=True, exist_ok=True)
    for part, n, seed in (("train", 60, 0), ("test", 20, 1)):
        stem = f"emnist-{split}-{part}"
        images = small_images(n, seed).swapaxes(1, 2)
        labels = cyclic_labels(n, 3) + first
        for name, array in (("images-idx3", images), ("labels-idx1", labels)):
            content = gzip.compress(idx_bytes(np.ascontiguousarray(array)))
            (folder / f"{stem}-{name}-ubyte.gz").write_bytes(content)
    return folder


def write_qmnist(folder: Path, n: int = 40) -> Path:
    """Write QMNIST's files: labels are tables of int32, whose first column is the class."""
    folder.mkdir(parents=True)
    for part, seed in (("train", 0), ("test", 1)):
        table = np.zeros((n, 8), ">i4")
        table[:, 0] = cyclic_labels(n)
        table[:, 1:] = 70_000  # a writer, a number in NIST's own files …
        header = bytes([0, 0, 0x0C, 2]) + np.array(table.shape, ">u4").tobytes()
        labels = gzip.compress(header + table.tobytes())
        (folder / f"qmnist-{part}-labels-idx2-int.gz").write_bytes(labels)
        images = gzip.compress(idx_bytes(small_images(n, seed)))
        (folder / f"qmnist-{part}-images-idx3-ubyte.gz").write_bytes(images)
    return folder


def in_kaggles_layout(folder: Path, *, beside: bool) -> Path:
    """Put each file into a folder of its own name; also leave it beside the folder, or not."""
    for file in sorted(write_idx(folder, packed=False).iterdir()):
        content = file.read_bytes()
        file.unlink()
        file.mkdir()
        (file / file.name).write_bytes(content)
        if beside:
            (folder / file.name.replace("-idx", ".idx")).write_bytes(content)
    return folder


@pytest.mark.parametrize("packed", [True, False])
def test_dotted_names_are_read_as_the_four_files_they_are(tmp_path: Path, packed: bool) -> None:
    plain = read_idx_folder(write_idx(tmp_path / "plain", packed=packed))
    folder = write_idx(tmp_path / "dotted", packed=packed)
    for file in list(folder.iterdir()):
        file.rename(folder / file.name.replace("-idx", ".idx"))
    data = read_idx_folder(folder)
    assert data.test is not None
    assert plain.test is not None
    np.testing.assert_array_equal(data.train.images, plain.train.images)
    np.testing.assert_array_equal(data.test.labels, plain.test.labels)


@pytest.mark.parametrize("beside", [True, False])
def test_kaggles_layout_is_read_as_the_four_files_it_holds(tmp_path: Path, beside: bool) -> None:
    plain = load_dataset(str(write_idx(tmp_path / "plain")))
    data = load_dataset(str(in_kaggles_layout(tmp_path / "kaggle", beside=beside)))
    assert data.content_hash == plain.content_hash
    assert data.notes == ()


@pytest.mark.parametrize("case", ["f06_idx_dotted", "f06_idx_kaggle_hojjatk"])
def test_the_files_that_people_have_are_read(case: str) -> None:
    if not (CASES / case).is_dir():
        pytest.skip(f"{CASES / case} is not on this machine")
    data = load_dataset(str(CASES / case))
    assert (len(data.train) + len(data.val), len(data.test)) == (40, 20)
    assert data.train.images.shape[1:] == (4, 4)
    assert data.classes == tuple("0123456789")


def test_a_named_data_set_is_found_in_kaggles_layout(tmp_path: Path) -> None:
    folder = in_kaggles_layout(tmp_path / "mnist", beside=False)
    assert find_named("mnist", tmp_path, download=False) == (folder, ())


def test_validation_files_are_the_validation_images(tmp_path: Path) -> None:
    folder = write_idx(tmp_path / "own", packed=False)
    (folder / "val-images-idx3-ubyte").write_bytes(idx_bytes(small_images(30, 2)))
    (folder / "val-labels-idx1-ubyte").write_bytes(idx_bytes(cyclic_labels(30)))
    data = load_dataset(str(folder))
    assert (len(data.train), len(data.val), len(data.test)) == (200, 30, 50)
    np.testing.assert_array_equal(data.val.images, small_images(30, 2))


def test_emnists_splits_in_one_folder_are_named_with_a_way_to_choose(tmp_path: Path) -> None:
    for split in ("balanced", "letters"):
        write_emnist(tmp_path / "gzip", split)
    with pytest.raises(InputError) as caught:
        load_dataset(str(tmp_path / "gzip"))
    said = str(caught.value)
    assert "holds several data sets: emnist-balanced, emnist-letters" in said
    chosen = said.split("`dataset=")[1].rstrip("`")
    data = load_dataset(chosen)
    assert (data.name, len(data.test)) == ("emnist-balanced", 20)


def test_emnists_letters_begin_at_1_and_can_be_turned_upright(tmp_path: Path) -> None:
    folder = write_emnist(tmp_path / "letters", "letters", first=1)
    file = str(folder / "emnist-letters-test-images-idx3-ubyte.gz")
    data = load_dataset(file, LoadOptions(transposed=True))
    assert data.classes == ("1", "2", "3")
    np.testing.assert_array_equal(data.test.images, small_images(20, 1))
    assert np.unique(data.test.labels).tolist() == [0, 1, 2]
    as_stored = load_dataset(file)
    assert as_stored.test.images.shape == (20, 4, 5)
    assert as_stored.content_hash != data.content_hash


def test_emnists_images_that_lie_on_their_side_are_noted(tmp_path: Path) -> None:
    folder = str(write_emnist(tmp_path / "one", "digits"))
    (said,) = load_dataset(folder).notes
    assert "`transposed=true`" in said
    assert load_dataset(folder, LoadOptions(transposed=True)).notes == ()


def test_torchvisions_folder_of_emnist_is_read(tmp_path: Path) -> None:
    write_emnist(tmp_path / "EMNIST" / "raw", "mnist")
    assert len(load_dataset(str(tmp_path)).test) == 20


def test_qmnists_classes_are_the_first_column_of_its_tables(tmp_path: Path) -> None:
    data = load_dataset(str(write_qmnist(tmp_path / "QMNIST" / "raw").parents[1]))
    assert data.classes == tuple("0123456789")
    assert data.test.labels.tolist() == cyclic_labels(40).tolist()
    np.testing.assert_array_equal(data.test.images, small_images(40, 1))


def test_a_cut_table_of_labels_is_refused(tmp_path: Path) -> None:
    folder = write_qmnist(tmp_path / "q")
    file = folder / "qmnist-train-labels-idx2-int.gz"
    file.write_bytes(gzip.compress(gzip.decompress(file.read_bytes())[:-4]))
    with pytest.raises(InputError, match=r"labels-idx2-int.gz: 1,288 bytes, expected 1,292"):
        load_dataset(str(folder))


def test_a_missing_half_of_emnist_is_named_as_emnist_names_it(tmp_path: Path) -> None:
    folder = write_emnist(tmp_path / "e", "digits")
    (folder / "emnist-digits-test-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(InputError, match="has neither emnist-digits-test-labels-idx1-ubyte nor"):
        load_dataset(str(folder))


def test_what_lies_beside_the_files_is_noted(tmp_path: Path) -> None:
    folder = write_idx(tmp_path / "own")
    (folder / "readme.txt").write_text("about")
    for name in ("xnist-images-idx3-ubyte.xz", "more.tar"):
        (folder / name).write_bytes(b"?")
    assert load_dataset(str(folder)).notes == ("not used: more.tar, xnist-images-idx3-ubyte.xz",)


def test_a_gzip_that_promises_more_than_half_the_memory_is_not_unpacked(tmp_path: Path) -> None:
    folder = write_idx(tmp_path / "own")
    head = bytes([0, 0, 8, 3]) + np.array([2**31, 2**15, 2**15], ">u4").tobytes()
    packed = gzip.compress(head + bytes(2**20)) + gzip.compress(bytes(2**20)) * 100
    (folder / f"{FILES[0]}.gz").write_bytes(packed)
    with pytest.raises(InputError, match=r"ubyte.gz: would take 2.31e\+09 GB, more than half"):
        load_dataset(str(folder))


def test_a_name_in_capitals_is_the_same_name(tmp_path: Path) -> None:
    arrays: dict[str, Array] = dict.fromkeys(FILES[2:], small_images(1))
    folder = write_idx(tmp_path / "own")
    shutil.move(folder / f"{FILES[0]}.gz", folder / "Train-Images-idx3-ubyte.gz")
    for name in arrays:
        (folder / f"{name}.gz").unlink()
    assert len(load_dataset(str(folder)).train) == 140
