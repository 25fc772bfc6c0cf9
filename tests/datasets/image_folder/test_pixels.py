"""Pixels of any depth, transparency and format keep what a person sees in them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from tests.datasets.written import Array, small_images, write_classes
from tune_mnist.datasets.image_folder import read_image_folder
from tune_mnist.datasets.pictures import read_pictures

PILLOW = Path(__file__).with_name("pillow")
"""Four of Pillow's own test images (MIT-CMU licence), 12 and 16 bits deep."""


def write_pgm(path: Path, levels: np.ndarray) -> None:
    height, width = levels.shape
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"P5 %d %d 65535\n" % (width, height) + levels.astype(">u2").tobytes())


@pytest.mark.parametrize("name", sorted(path.name for path in PILLOW.iterdir()))
def test_pillows_deep_grey_keeps_its_levels(name: str) -> None:
    """Case f03: not black, not two levels, and in the same order as the file's."""
    with Image.open(PILLOW / name) as image:
        levels = np.asarray(image).astype(int)
    pixels = read_pictures([str(PILLOW / name)]).pixels[0]
    if levels.shape == pixels.shape:
        expected = (levels - levels.min()) * 255 / (levels.max() - levels.min())
        assert np.abs(pixels - expected).max() <= 0.5
    assert pixels.max() > 100
    assert len(np.unique(pixels)) > 10


@pytest.mark.parametrize("suffix", ["png", "tif", "pgm"])
def test_16_bit_grey_is_scaled_by_the_range_of_the_whole_data_set(
    tmp_path: Path, suffix: str
) -> None:
    """Case f04: one range for all images, so that a darker image stays darker."""
    dark, light = np.arange(100, 112).reshape(3, 4), np.arange(300, 312).reshape(3, 4)
    for name, levels in (("a", dark), ("b", light)):
        path = tmp_path / name / f"0.{suffix}"
        if suffix == "pgm":
            write_pgm(path, levels)
        else:
            write_classes(tmp_path, {name: [Image.fromarray(levels.astype(np.uint16))]}, suffix)
    data = read_image_folder(tmp_path)
    expected = np.rint((np.stack([dark, light]) - 100) * 255 / 211)
    np.testing.assert_array_equal(data.train.images, expected)
    assert data.notes == ("16-bit grey: levels 100 to 311 scaled to 0 to 255",)


def test_16_bit_grey_that_uses_all_levels_keeps_them(tmp_path: Path) -> None:
    values = np.array([[0, 255, 256], [32768, 65535, 4660]], dtype=np.uint16)
    write_classes(tmp_path, {"a": [Image.fromarray(values)], "b": [Image.fromarray(values)]})
    pixels = read_image_folder(tmp_path).train.images[0]
    assert pixels.tolist() == [[0, 1, 1], [128, 255, 18]]


def test_large_16_bit_images_are_resized_before_they_lose_levels(tmp_path: Path) -> None:
    ramp = np.tile(np.arange(1000, 1100, dtype=np.uint16), (80, 1))
    write_classes(tmp_path, {"a": [Image.fromarray(ramp)], "b": [Image.fromarray(ramp)]})
    pixels = read_image_folder(tmp_path, side=50).train.images[0]
    assert len(np.unique(pixels)) > 45


def shape_on_transparent(kind: str, ink: int) -> Image.Image:
    image = Image.new("RGBA", (28, 28), (0, 0, 0, 0))
    draw = getattr(ImageDraw.Draw(image), kind)
    draw((6, 6, 20, 20), fill=(ink, ink, ink, 255))
    return image


@pytest.mark.parametrize(
    ("inks", "ground"), [((255, 255), "black"), ((0, 0), "white"), ((255, 0), "grey")]
)
def test_white_and_black_on_transparent_ground_both_stay_visible(
    tmp_path: Path, inks: tuple[int, int], ground: str
) -> None:
    """Case f05: two shapes that differ, both visible."""
    shapes = [shape_on_transparent("ellipse", inks[0]), shape_on_transparent("rectangle", inks[1])]
    write_classes(tmp_path, {"a": shapes[:1], "b": shapes[1:]})
    data = read_image_folder(tmp_path)
    level = {"white": 255, "black": 0, "grey": 128}[ground]
    for image, shape, ink in zip(data.train.images, shapes, inks, strict=True):
        mask = np.asarray(shape)[..., 3] > 0
        np.testing.assert_array_equal(image, np.where(mask, ink, level))
    assert data.notes == (f"2 transparent images placed on {ground}, where all are visible",)


def test_half_transparent_colours_are_mixed_with_the_ground(tmp_path: Path) -> None:
    image = Image.new("RGBA", (2, 1), (200, 100, 0, 128))
    write_classes(tmp_path, {"a": [image], "b": [image]})
    data = read_image_folder(tmp_path)
    white = Image.alpha_composite(Image.new("RGBA", (2, 1), "white"), image).convert("RGB")
    assert np.abs(data.train.images[0].astype(int) - np.asarray(white).astype(int)).max() <= 1


def test_an_opaque_image_with_an_alpha_channel_is_unchanged(tmp_path: Path) -> None:
    array = small_images(1, size=(6, 5))[0]
    image = Image.fromarray(array).convert("RGBA")
    write_classes(tmp_path, {"a": [image], "b": [image]})
    data = read_image_folder(tmp_path)
    np.testing.assert_array_equal(data.train.images[0], array)
    assert data.notes == ()


@pytest.mark.parametrize("suffix", ["avif", "jp2", "jfif", "webp", "tiff", "dib"])
def test_every_format_that_is_read_is_read(tmp_path: Path, suffix: str) -> None:
    ramp = np.tile(np.arange(0, 240, 10, dtype=np.uint8), (24, 1))
    format = "JPEG" if suffix == "jfif" else None
    for name in "ab":
        (tmp_path / name).mkdir()
        Image.fromarray(ramp).save(tmp_path / name / f"0.{suffix}", format=format)
    pixels: Array = read_image_folder(tmp_path).train.images[0]
    grey = pixels if pixels.ndim == 2 else pixels.mean(axis=2)  # lossy WebP is colour
    assert np.abs(grey.astype(int) - ramp).max() <= 12


@pytest.mark.parametrize("suffix", ["gif", "tif", "png", "webp"])
def test_the_first_frame_is_used_and_that_is_said(tmp_path: Path, suffix: str) -> None:
    frames = [Image.fromarray(array) for array in small_images(3, size=(8, 8))]
    for name in "ab":
        (tmp_path / name).mkdir()
        file, rest = tmp_path / name / f"0.{suffix}", frames[1:]
        if suffix == "webp":
            frames[0].save(file, save_all=True, append_images=rest, lossless=True)
        else:
            frames[0].save(file, save_all=True, append_images=rest)
    data = read_image_folder(tmp_path)
    np.testing.assert_array_equal(data.train.images[0], np.asarray(frames[0]))
    assert data.notes == ("2 animated or multi-page files: only their first frame is used",)


def test_what_the_files_hold_identifies_the_data_not_the_size_it_is_stored_in(
    tmp_path: Path,
) -> None:
    pictures = [Image.fromarray(array) for array in small_images(4, size=(70, 70))]
    write_classes(tmp_path, {"a": pictures[:2], "b": pictures[2:]})
    small, large = read_image_folder(tmp_path, side=8), read_image_folder(tmp_path, side=32)
    assert small.train.images.shape[1:] == (8, 8)
    assert large.train.images.shape[1:] == (32, 32)
    assert small.files_hash == large.files_hash
