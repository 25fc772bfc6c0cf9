"""Decoded images of different sizes, depths and transparency, made into one uint8 array."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
Array = npt.NDArray[Any]

GROUNDS = {"white": 255, "black": 0, "grey": 128}
LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601, as Pillow's own grey


@dataclass(frozen=True)
class Picture:
    """One decoded image.

    Args:
        pixels: (h, w) uint8, or uint16 with 16-bit levels; or uint8 (h, w, c): 2 channels are grey
            and its opacity, 3 colour, 4 colour and its opacity.
        shrunk: whether it was larger than images that are kept, and has been resized already.
        several: whether the file has more frames or pages.
        levels: the lowest and highest of 16-bit grey; None for 8 bits.
    """

    pixels: Array
    shrunk: bool = False
    several: bool = False
    levels: tuple[int, int] | None = None

    @property
    def opacity(self) -> Array | None:
        """(h, w) uint8, 0 where the image is fully transparent; None if it is opaque."""
        layered = self.pixels.ndim == 3 and self.pixels.shape[2] in (2, 4)
        return self.pixels[..., -1] if layered else None


def composed(pictures: Sequence[Picture], side: int) -> tuple[Pixels, tuple[str, ...]]:
    """Make one array of the pictures, as `read_pictures` says.

    Args:
        pictures: n >= 1.
        side: pixels per side, if they differ in size or any was shrunk.

    Returns: (n, h, w) uint8 if all are grey, otherwise (n, h, w, 3), and the notes.
    """
    shape, notes = _shape(pictures, side)
    ranges = [picture.levels for picture in pictures if picture.levels is not None]
    low, high = min((r[0] for r in ranges), default=0), max((r[1] for r in ranges), default=0)
    if ranges:
        beside = "; images of 8 bits keep their levels" if len(ranges) < len(pictures) else ""
        notes.append(f"16-bit grey: levels {low:,} to {high:,} scaled to 0 to 255{beside}")
    layered = [picture for picture in pictures if picture.opacity is not None]
    ground = _ground(layered) if layered else None
    if ground is not None:
        count = len(layered)
        notes.append(f"{count:,} transparent images placed on {ground}, where all are visible")
    several = sum(picture.several for picture in pictures)
    if several:
        notes.append(f"{several:,} animated or multi-page files: only their first frame is used")
    colour = any(picture.pixels.ndim == 3 and picture.pixels.shape[2] > 2 for picture in pictures)
    pixels = np.empty((len(pictures), *shape, *((3,) if colour else ())), dtype=np.uint8)
    for number, picture in enumerate(pictures):
        array = picture.pixels
        if array.shape == pixels.shape[1:] and array.dtype == np.uint8:  # the usual ones, as is
            pixels[number] = array
            continue
        array = _resized(array, shape)
        if picture.levels is not None:
            array = _scaled(array, low, high)
        elif picture.opacity is not None and ground is not None:
            array = _on(array, GROUNDS[ground])
        pixels[number] = array[..., np.newaxis] if colour and array.ndim == 2 else array
    return pixels, tuple(notes)


def _shape(pictures: Sequence[Picture], side: int) -> tuple[tuple[int, int], list[str]]:
    """Return height and width of all images, and a note if some are resized."""
    shapes = {(picture.pixels.shape[0], picture.pixels.shape[1]) for picture in pictures}
    if len(shapes) == 1 and not any(picture.shrunk for picture in pictures):
        return min(shapes), []
    return (side, side), [f"images resized to {side}x{side} pixels, bilinear"]


def _ground(pictures: Sequence[Picture]) -> str:
    """Return the ground from which the least visible of the transparent pictures differs most.

    White drawings are seen on black, black ones on white, and both on grey. One ground serves the
    whole data set: the ground must not tell the classes apart.
    """
    visible = [contrast for picture in pictures if (contrast := _contrast(picture)) is not None]
    least = np.min(visible, axis=0) if visible else np.zeros(len(GROUNDS))
    return list(GROUNDS)[int(np.argmax(least))]


def _contrast(picture: Picture) -> Array | None:
    """Return how far a picture's opaque part is from each ground, in levels; None without one."""
    if (opacity := picture.opacity) is None or not opacity.any():
        return None
    colour = picture.pixels[..., :-1].astype(float)
    grey = colour[..., 0] if colour.shape[-1] == 1 else colour @ LUMA
    far = [np.abs(grey - level) for level in GROUNDS.values()]
    return np.array([np.average(one, weights=opacity) for one in far])


def _resized(pixels: Array, shape: tuple[int, int]) -> Array:
    """Return the pixels resized; 16-bit levels stay as exact as float32."""
    if pixels.shape[:2] == shape:
        return pixels
    from PIL import Image

    size = (shape[1], shape[0])
    deep = pixels.dtype == np.uint16
    image = Image.fromarray(pixels.astype(np.float32) if deep else np.ascontiguousarray(pixels))
    return np.asarray(image.resize(size, Image.Resampling.BILINEAR))


def _scaled(levels: Array, low: int, high: int) -> Pixels:
    scaled: Pixels = np.rint((levels - float(low)) * (255 / max(high - low, 1))).astype(np.uint8)
    return scaled


def _on(layer: Array, ground: int) -> Pixels:
    """Return a layer with its opacity placed on a ground, rounded: (h, w) or (h, w, 3)."""
    opacity = layer[..., -1:].astype(np.uint16)
    mixed = (layer[..., :-1] * opacity + ground * (255 - opacity) + 127) // 255
    placed: Pixels = mixed.astype(np.uint8)
    return placed[..., 0] if placed.shape[-1] == 1 else placed
