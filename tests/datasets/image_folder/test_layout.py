"""Which folders are splits and which are classes, in every layout that people have."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.datasets.written import small_images, write_classes
from tune_mnist.datasets import load_dataset
from tune_mnist.datasets.dataset import Unsplit
from tune_mnist.datasets.image_folder import read_image_folder
from tune_mnist.datasets.image_folder.layout import part_of
from tune_mnist.errors import InputError


def write(root: Path, counts: dict[str, int]) -> Path:
    """Write so many images into each folder; no two images are equal."""
    images = iter(small_images(sum(counts.values()), size=(6, 5)))
    pictures = {
        name: [Image.fromarray(next(images)) for _ in range(n)] for name, n in counts.items()
    }
    return write_classes(root, pictures)


def sizes(data: Unsplit) -> tuple[int, int, int]:
    return (len(data.train), len(data.val or ()), len(data.test or ()))


@pytest.mark.parametrize(
    ("train", "val", "test"),
    [
        ("train", "val", "test"),
        ("Training", "Validation", "Testing"),
        ("training_set", "valid", "test_set"),
        ("TRAIN", "dev", "eval"),
        ("train-images", "val_set", "Test Set"),
        ("trainset", "valset", "testset"),
    ],
)
def test_splits_are_known_by_the_names_people_use(
    tmp_path: Path, train: str, val: str, test: str
) -> None:
    counts = {
        f"{split}/{name}": n for split, n in ((train, 4), (val, 3), (test, 2)) for name in "ab"
    }
    data = read_image_folder(write(tmp_path, counts))
    assert data.classes == ("a", "b")
    assert sizes(data) == (8, 6, 4)
    assert data.notes == ()


@pytest.mark.parametrize(
    "name", ["trains", "tested", "value", "device", "retest", "dataset", "set"]
)
def test_other_names_are_no_splits(name: str) -> None:
    assert part_of(name) is None


def test_your_own_validation_images_validate_and_nothing_is_held_out(tmp_path: Path) -> None:
    """Case f09: all 100 images are used."""
    counts = {"train/a": 20, "train/b": 20, "val/a": 20, "val/b": 20, "test/a": 10, "test/b": 10}
    write(tmp_path, counts)
    data = load_dataset(str(tmp_path))
    for part, folder in ((data.train, "train"), (data.val, "val"), (data.test, "test")):
        files = [np.asarray(Image.open(path)) for path in (tmp_path / folder).rglob("*.png")]
        assert sorted(map(bytes, part.images)) == sorted(map(bytes, files))
    assert data.split == "validation and test its own"


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        (
            {"cat": 2, "dog": 2, "test": 2},
            "test/ has the name of a split and stands beside cat/, dog/",
        ),
        ({"plane": 2, "train": 2}, "train/ has the name of a split and stands beside plane/"),
        ({"cat": 2, "dog": 2, "Validation": 2}, "Validation/ has the name of a split"),
        ({"cat": 2, "train/a": 2, "train/b": 2}, "train/ has the name of a split"),
        ({"test/a": 2, "test/b": 2}, "holds test/ but no training images"),
        ({"train": 4}, "train: holds 4 images and no class folders"),
        ({"train/a": 2, "train/b": 2, "test": 2}, "test: holds 2 images and no class folders"),
        (
            {"train/a": 2, "train/b": 2, "train/test": 2},
            "test: has the name of a split and stands in",
        ),
        (
            {"cat/train": 2, "cat/test": 2, "dog/train": 2},
            "test: has the name of a split and stands",
        ),
        ({"train/a": 2, "train/b": 2, "test/a": 1, "eval/a": 1}, "eval/ and test/ are both test"),
    ],
)
def test_the_name_of_a_split_is_never_a_class(
    tmp_path: Path, counts: dict[str, int], said: str
) -> None:
    with pytest.raises(InputError) as caught:
        read_image_folder(write(tmp_path, counts))
    assert said in str(caught.value)


def test_a_split_beside_classes_is_refused_with_the_two_ways_out(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_image_folder(write(tmp_path, {"cat": 2, "dog": 2, "test": 2}))
    assert str(caught.value).endswith(
        "put cat/, dog/ into train/ if test/ is a split, or rename test/ if it is a class"
    )


@pytest.mark.parametrize("wrapped", ["pets/", "pets/pets/", ""])
@pytest.mark.parametrize("halves", [True, False])
def test_a_folder_wrapped_once_more_is_unwrapped(
    tmp_path: Path, wrapped: str, halves: bool
) -> None:
    counts = {"train/a": 3, "train/b": 3, "test/a": 1, "test/b": 1} if halves else {"a": 3, "b": 3}
    write(tmp_path / "pets", {f"{wrapped}{name}": n for name, n in counts.items()})
    data = read_image_folder(tmp_path / "pets")
    assert data.classes == ("a", "b")
    assert sizes(data) == ((6, 0, 2) if halves else (6, 0, 0))
    assert data.notes == ((f"read from pets/{wrapped[:-1]}",) if wrapped else ())


def test_a_split_wrapped_in_a_folder_of_its_own_name_is_unwrapped(tmp_path: Path) -> None:
    write(tmp_path, {f"{s}_set/{s}_set/{c}": 2 for s in ("training", "test") for c in "ab"})
    assert sizes(read_image_folder(tmp_path)) == (4, 0, 4)


def test_a_class_folder_is_walked_to_its_leaves(tmp_path: Path) -> None:
    """Case f12: all 40 cats are cats."""
    write(tmp_path, {"cat": 10, "cat/siamese": 20, "cat/long/haired": 10, "dog": 10})
    data = read_image_folder(tmp_path)
    assert np.bincount(data.train.labels).tolist() == [40, 10]
    assert data.notes == ()


def test_folders_with_underscores_are_classes_unless_they_hold_no_images(tmp_path: Path) -> None:
    """Case f11."""
    write(tmp_path, {"__background__": 3, "cat": 2, "dog": 2})
    (tmp_path / "__pycache__").mkdir()
    assert read_image_folder(tmp_path).classes == ("__background__", "cat", "dog")


def test_what_no_one_means_is_ignored_and_its_images_are_counted(tmp_path: Path) -> None:
    junk = {"__MACOSX/cat": 3, "cat/@eaDir": 1, ".ipynb_checkpoints": 2, "cat/.thumbnails": 4}
    write(tmp_path, {"cat": 2, "dog": 2, **junk})
    (tmp_path / "cat" / "._000.png").write_bytes(b"?")
    (tmp_path / "cat" / ".DS_Store").write_bytes(b"?")
    (tmp_path / ".git").mkdir()
    data = read_image_folder(tmp_path)
    assert sizes(data) == (4, 0, 0)
    (note,) = data.notes
    assert note.startswith("11 images left out: ")
    assert "2 in .ipynb_checkpoints/, 3 in __MACOSX/" in note


def test_whatever_is_left_out_is_said_with_its_number(tmp_path: Path) -> None:
    write(tmp_path, {"train/a": 2, "train/b": 2, "test/a": 1, "extra/deep": 30, "train": 4, ".": 1})
    for name in ("a.txt", "b.heic", "c.txt", "d.txt"):
        (tmp_path / "train" / "a" / name).write_bytes(b"?")
    assert read_image_folder(tmp_path).notes == (
        "35 images left out: 30 in extra/, 4 in train/ beside the class folders,"
        " 1 in no class folder",
        "4 files not read as images: train/a/a.txt, train/a/b.heic, train/a/c.txt and 1 more",
    )


def test_images_without_a_suffix_or_with_an_unusual_one_are_read_by_content(tmp_path: Path) -> None:
    write(tmp_path, {"a": 4, "b": 4})
    for number, name in enumerate(("x", "x.jpg_large", "x.1234")):
        (tmp_path / "a" / f"00{number}.png").rename(tmp_path / "a" / name)
    (tmp_path / "a" / "readme").write_text("BMW and P5 are no images")
    data = read_image_folder(tmp_path)
    assert sizes(data) == (8, 0, 0)
    assert data.notes == ("1 file not read as images: a/readme",)


def test_the_same_name_in_two_forms_of_unicode_is_one_class(tmp_path: Path) -> None:
    """Case f16: NFC in train/, NFD in test/ and once more in train/."""
    nfc, nfd = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
    counts = {f"train/{nfc}": 3, f"train/{nfd}": 2, "train/tea": 3, f"test/{nfd}": 2, "test/tea": 1}
    data = read_image_folder(write(tmp_path, counts))
    assert data.classes == (nfc, "tea")
    assert sizes(data) == (8, 0, 3)


def test_a_name_that_is_not_utf_8_is_read_and_can_be_stored(tmp_path: Path) -> None:
    folder = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9")
    for name in (b"/th\xe9", b"/tea"):
        Path(os.fsdecode(os.fsencode(folder) + name)).mkdir(parents=True)
        for number, array in enumerate(small_images(5, seed=len(name))):
            Image.fromarray(array).save(
                os.fsdecode(os.fsencode(folder) + name + b"/%d.png" % number)
            )
    data = load_dataset(folder)
    assert (data.name, data.classes) == ("caf\\xe9", ("tea", "th\\xe9"))
    data.summary().encode()


def test_a_link_to_a_folder_above_is_followed_once(tmp_path: Path) -> None:
    write(tmp_path, {"a": 3, "b": 3})
    (tmp_path / "a" / "again").symlink_to(tmp_path / "a")
    assert sizes(read_image_folder(tmp_path)) == (6, 0, 0)


def test_a_linked_class_folder_is_a_class(tmp_path: Path) -> None:
    write(tmp_path / "elsewhere", {"b": 3})
    write(tmp_path / "own", {"a": 3})
    (tmp_path / "own" / "b").symlink_to(tmp_path / "elsewhere" / "b")
    assert read_image_folder(tmp_path / "own").classes == ("a", "b")


def test_a_pipe_is_never_opened(tmp_path: Path) -> None:
    write(tmp_path, {"a": 3, "b": 3})
    os.mkfifo(tmp_path / "a" / "pipe.png")
    assert read_image_folder(tmp_path).notes == ("1 file not read as images: a/pipe.png",)
