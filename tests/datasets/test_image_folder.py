"""Your own images: every file is decoded correctly, or named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.datasets.written import Array, small_images, write_classes
from tune_mnist.datasets.image_folder import read_image_folder
from tune_mnist.errors import InputError


def grey(n: int, size: tuple[int, int] = (6, 5), seed: int = 0) -> list[Image.Image]:
    return [Image.fromarray(array) for array in small_images(n, seed, size)]


def colour(n: int, size: tuple[int, int] = (6, 5)) -> list[Image.Image]:
    return [Image.fromarray(array) for array in small_images(n, 0, (*size, 3))]


def first_pixels(tmp_path: Path, image: Image.Image, suffix: str = "png") -> Array:
    """Read a folder of this image in each of two classes; return the pixels of the first."""
    write_classes(tmp_path / "one", {"a": [image], "b": [image]}, suffix)
    pixels: Array = read_image_folder(tmp_path / "one").train.images[0]
    return pixels


@pytest.mark.parametrize("suffix", ["png", "bmp", "gif", "tif", "pgm", "PNG"])
def test_grey_images_are_read_as_saved(tmp_path: Path, suffix: str) -> None:
    array = small_images(1, size=(8, 6))[0]
    pixels = first_pixels(tmp_path, Image.fromarray(array), suffix)
    np.testing.assert_array_equal(pixels, array)


def test_jpeg_is_read_nearly_as_saved(tmp_path: Path) -> None:
    ramp = np.tile(np.arange(0, 240, 10, dtype=np.uint8), (16, 1))
    pixels = first_pixels(tmp_path, Image.fromarray(ramp), "jpg")
    assert np.abs(pixels.astype(int) - ramp).max() <= 12


def test_classes_are_the_folders_sorted_and_labels_follow(tmp_path: Path) -> None:
    write_classes(tmp_path, {"b": grey(3), "a": grey(2), ".git": grey(1), "__MACOSX": grey(1)})
    data = read_image_folder(tmp_path)
    assert data.classes == ("a", "b")
    assert data.train.labels.tolist() == [0, 0, 1, 1, 1]


def test_train_and_test_folders_are_kept_apart(tmp_path: Path) -> None:
    write_classes(tmp_path / "train", {"a": grey(3), "b": grey(4)})
    write_classes(tmp_path / "test", {"a": grey(1), "b": grey(2)})
    data = read_image_folder(tmp_path)
    assert data.train.labels.tolist() == [0, 0, 0, 1, 1, 1, 1]
    assert data.test is not None
    assert data.test.labels.tolist() == [0, 1, 1]


@pytest.mark.parametrize(
    ("images", "shape"),
    [
        (grey(4), (4, 6, 5)),
        ([image.convert("RGB") for image in grey(4)], (4, 6, 5)),
        ([image.convert("P") for image in grey(4)], (4, 6, 5)),
        (colour(4), (4, 6, 5, 3)),
        ([*grey(3), *colour(1)], (4, 6, 5, 3)),
    ],
)
def test_one_colour_makes_all_colour(
    tmp_path: Path, images: list[Image.Image], shape: tuple[int, ...]
) -> None:
    write_classes(tmp_path, {"a": images[:2], "b": images[2:]})
    assert read_image_folder(tmp_path).train.images.shape == shape


def test_grey_among_colour_keeps_its_values(tmp_path: Path) -> None:
    write_classes(tmp_path, {"a": grey(1), "b": colour(1)})
    pixels = read_image_folder(tmp_path).train.images[0]
    np.testing.assert_array_equal(pixels, np.stack([small_images(1, size=(6, 5))[0]] * 3, axis=-1))


@pytest.mark.parametrize(("side", "kept"), [(64, True), (65, False)])
def test_one_size_up_to_64_pixels_is_kept(tmp_path: Path, side: int, kept: bool) -> None:
    write_classes(tmp_path, {"a": grey(1, (20, side)), "b": grey(1, (20, side))})
    data = read_image_folder(tmp_path)
    assert data.train.images.shape[1:] == ((20, side) if kept else (64, 64))
    assert data.notes == (() if kept else ("images resized to 64x64 pixels, bilinear",))


def test_mixed_sizes_are_resized_as_pillow_does_bilinearly(tmp_path: Path) -> None:
    images = [*grey(1, (20, 30)), *grey(1, (90, 70)), *grey(1, (32, 32))]
    write_classes(tmp_path, {"a": images[:1], "b": images[1:]})
    data = read_image_folder(tmp_path, side=32)
    expected = [np.asarray(i.resize((32, 32), Image.Resampling.BILINEAR)) for i in images]
    np.testing.assert_array_equal(data.train.images, expected)


def test_rotation_in_exif_is_applied(tmp_path: Path) -> None:
    array = small_images(1, size=(4, 6))[0]
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees, clockwise
    for name in "ab":
        (tmp_path / name).mkdir()
        Image.fromarray(array).save(tmp_path / name / "x.png", exif=exif)
    np.testing.assert_array_equal(read_image_folder(tmp_path).train.images[0], np.rot90(array, -1))


def test_progress_reaches_the_number_of_images(class_folder: Path) -> None:
    seen: list[tuple[int, int]] = []
    read_image_folder(class_folder, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (40, 40)


@pytest.mark.parametrize("kept_bytes", [0, 10, 45, 70])
def test_truncated_image_is_named(class_folder: Path, kept_bytes: int) -> None:
    path = class_folder / "dog" / "007.png"
    path.write_bytes(path.read_bytes()[:kept_bytes])
    with pytest.raises(InputError, match=r"dog/007.png: cannot be decoded \(.+\); repair or"):
        read_image_folder(class_folder)


def test_png_with_any_damaged_pixel_byte_is_named(class_folder: Path) -> None:
    path = class_folder / "dog" / "007.png"
    contents = path.read_bytes()
    start = contents.index(b"IDAT") + 4
    for position in range(start, contents.index(b"IEND") - 4):
        damaged = bytearray(contents)
        damaged[position] ^= 0x04
        path.write_bytes(damaged)
        with pytest.raises(InputError, match=r"dog/007\.png"):
            read_image_folder(class_folder)


def test_truncated_photo_is_named(tmp_path: Path) -> None:
    write_classes(tmp_path, {"a": colour(1, (300, 400)), "b": colour(1, (300, 400))}, "jpg")
    path = tmp_path / "a" / "000.jpg"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match=r"a/000.jpg: cannot be decoded \(image file is truncated"):
        read_image_folder(tmp_path)


def damage(folder: Path, files: int) -> None:
    for path in sorted(folder.rglob("*.png"))[:files]:
        path.write_bytes(b"no image")


def test_20_damaged_images_are_named_and_the_rest_counted(class_folder: Path) -> None:
    damage(class_folder, 23)
    with pytest.raises(InputError) as caught:
        read_image_folder(class_folder)
    lines = str(caught.value).splitlines()
    expected = [f"{i:03d}.png" for i in range(20)]
    assert [line.split(":")[0].rsplit("/", 1)[-1] for line in lines[:20]] == expected
    assert lines[20].startswith(f"{class_folder}: 3 more files cannot be decoded")
    assert len(lines) == 21
    assert "BytesIO" not in str(caught.value)


def test_damaged_images_can_be_left_out_and_are_named(class_folder: Path) -> None:
    whole = read_image_folder(class_folder)
    damage(class_folder, 3)
    data = read_image_folder(class_folder, skip_bad_images=True)
    np.testing.assert_array_equal(data.train.images, whole.train.images[3:])
    assert data.train.labels.tolist() == [0] * 17 + [1] * 20
    assert data.notes == (
        "3 files that cannot be decoded left out: cat/000.png, cat/001.png, cat/002.png",
    )
    assert data.files_hash != whole.files_hash
    with pytest.raises(InputError, match=r"cat/000\.png"):
        read_image_folder(class_folder)  # the cache holds what was asked for, not for the others


def test_a_class_whose_images_are_all_damaged_is_refused(class_folder: Path) -> None:
    damage(class_folder, 20)
    with pytest.raises(InputError, match="no training image of cat can be decoded"):
        read_image_folder(class_folder, skip_bad_images=True)


def test_an_empty_file_is_named_as_such(class_folder: Path) -> None:
    (class_folder / "cat" / "666.png").write_bytes(b"")
    with pytest.raises(InputError, match=r"cat/666\.png: cannot be decoded \(it is empty\)"):
        read_image_folder(class_folder)


def test_a_link_that_leads_nowhere_is_named(class_folder: Path) -> None:
    (class_folder / "cat" / "lost.png").symlink_to("/no/such/image.png")
    with pytest.raises(InputError, match=r"lost\.png: cannot be decoded \(No such file"):
        read_image_folder(class_folder)


def test_32_bit_image_is_refused(tmp_path: Path) -> None:
    images = [Image.fromarray(np.full((4, 4), 0.5, np.float32))]
    write_classes(tmp_path, {"a": images, "b": images}, "tif")
    with pytest.raises(InputError, match="its pixels have 32 bits, mode F"):
        read_image_folder(tmp_path)


def test_file_that_is_no_image_whatever_its_name_is_refused(class_folder: Path) -> None:
    (class_folder / "cat" / "000.png").write_text(
        "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"
    )
    with pytest.raises(InputError, match=r"cat/000\.png: cannot be decoded"):
        read_image_folder(class_folder)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ({}, "holds 0 class folders and no IDX files"),
        ({"a": grey(3)}, "holds 1 class folders"),
        ({"a": grey(3), "b": []}, "/b: holds no images; add images, or remove it"),
        ({"train/a": grey(1), "train/b": grey(1), "test/c": grey(1)}, "/c: c is not a training"),
        (
            {"train/a": grey(1), "train/b": grey(1), "test": grey(1)},
            "test: holds 1 images and no class",
        ),
        ({"training/a": grey(1), "testing/a": grey(1)}, "holds 1 class folders"),
    ],
)
def test_folder_that_cannot_be_a_data_set_is_refused(
    tmp_path: Path, images: dict[str, list[Image.Image]], message: str
) -> None:
    (tmp_path / "own").mkdir()
    write_classes(tmp_path / "own", images)
    with pytest.raises(InputError, match=message):
        read_image_folder(tmp_path / "own")
