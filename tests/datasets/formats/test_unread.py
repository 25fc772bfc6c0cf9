"""What is not read is named together with what is; pickles are never opened."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path

import pytest

from tests.datasets.formats.test_pixel_table import write_table
from tests.datasets.written import small_images, write_classes
from tune_mnist.datasets import load_dataset
from tune_mnist.errors import InputError

READ = "what is read: a folder of images per class, IDX files, .npz, .csv of pixels, .parquet"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("train_32x32.mat", f"train_32x32.mat: is a .mat file; {READ}"),
        ("data.tfrecord", f"data.tfrecord: is TFRecord; {READ}"),
        ("data.h5", f"data.h5: is HDF5; {READ}"),
        ("data.npy", f"data.npy: is a .npy file; {READ}"),
        ("data.pkl", f"data.pkl: is a pickle, which can run code: it is never read; {READ}"),
        ("training.pt", "training.pt: is a pickle, which can run code"),
        ("images.zip", "images.zip: is an archive; unpack it, and name its folder"),
        ("train-images.gz", "train-images.gz: is an archive; unpack it"),
    ],
)
@pytest.mark.parametrize("alone", [True, False])
def test_a_file_that_is_not_read_is_named(
    tmp_path: Path, name: str, said: str, alone: bool
) -> None:
    (tmp_path / name).write_bytes(b"?")
    (tmp_path / "README.md").write_text("about")
    with pytest.raises(InputError) as caught:
        load_dataset(str(tmp_path / name if alone else tmp_path))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


class Evil:
    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (Path("unpickled"),)


def test_cifars_pickles_are_known_by_their_content_and_never_unpickled(tmp_path: Path) -> None:
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for name in (*(f"data_batch_{n}" for n in range(1, 6)), "test_batch", "batches.meta"):
        (folder / name).write_bytes(pickle.dumps(Evil(), protocol=2))
    (folder / "readme.html").write_text("about")
    with pytest.raises(InputError, match=f"that are not read: 7 pickle .a pickle can run.*{READ}"):
        load_dataset(str(folder))
    with pytest.raises(InputError, match="data_batch_1: is a pickle, which can run code"):
        load_dataset(str(folder / "data_batch_1"))
    assert not Path("unpickled").exists()


def test_several_kinds_are_counted(tmp_path: Path) -> None:
    for name in ("a.mat", "b.mat", "c.h5"):
        (tmp_path / name).write_bytes(b"?")
    with pytest.raises(InputError, match=r"holds files that are not read: 2 \.mat, 1 \.h5; what"):
        load_dataset(str(tmp_path))


def test_an_image_or_a_text_alone_is_refused(tmp_path: Path) -> None:
    folder = write_classes(tmp_path / "pets")
    with pytest.raises(InputError, match=f"000.png: is a file that is not read alone; {READ}"):
        load_dataset(str(folder / "cat" / "000.png"))


def test_class_folders_beside_an_archive_are_read(tmp_path: Path) -> None:
    folder = write_classes(tmp_path / "pets")
    with zipfile.ZipFile(folder / "pets.zip", "w"):
        pass
    assert load_dataset(str(folder)).classes == ("cat", "dog")


def test_a_table_of_pixels_beside_class_folders_is_refused(tmp_path: Path) -> None:
    folder = write_classes(tmp_path / "pets")
    file = write_table(folder / "features.csv", small_images(40, 0, (5, 5)), [0, 1] * 20)
    with pytest.raises(InputError, match=r"holds images in cat, and features.csv; use `dataset="):
        load_dataset(str(folder))
    assert load_dataset(str(file)).classes == ("0", "1")


def test_a_table_beside_class_folders_is_no_data_set(tmp_path: Path) -> None:
    folder = write_classes(tmp_path / "pets")
    (folder / "labels.csv").write_text("file_name,label\ncat/000.png,cat\n")
    assert load_dataset(str(folder)).classes == ("cat", "dog")
