"""From image files of any size and mode to one uint8 array.

Files that cannot be decoded are named. Checksums are verified first, where the format has them: PNG
does, JPEG does not.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tune_mnist.errors import Fault, InputError

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")  # EPS and others run programs
LARGEST_KEPT = 64  # pixels per side; if all images have one size, up to this one, they keep it
SIDE = 32  # pixels per side otherwise: the ResNets' input
CHUNK_FILES = 64
THREADS_PAY_BYTES = 10_000  # smaller files spend their time under the interpreter's lock
MOST_NAMED = 5

Pixels = npt.NDArray[np.uint8]
Progress = Callable[[int, int], None]  # images decoded so far, images in all


@dataclass(frozen=True)
class Picture:
    """One decoded file."""

    pixels: Pixels  # (h, w), or (h, w, 3) if any pixel has a colour
    shrunk: bool  # whether it was larger than LARGEST_KEPT; it is SIDE by SIDE now
    transparent: bool  # whether any pixel was transparent


def read_pictures(
    paths: Sequence[Path], progress: Progress | None = None
) -> tuple[Pixels, tuple[str, ...]]:
    """Decode image files.

    If all images have the same size, up to 64x64 pixels, they keep it. Otherwise all are resized to
    32x32, bilinearly and without keeping the aspect ratio, and a note says so. 16-bit grey keeps
    its upper byte. Transparent images are placed on white, and a note says so. EXIF rotation is
    applied.

    Args:
        paths: n >= 1 files.
        progress: called in this thread after every few files.

    Returns: (n, h, w) uint8 if all are grey, otherwise (n, h, w, 3), and the notes.
    Raises: InputError: some files cannot be decoded; it names 5 of them and counts the others.
    """
    pictures = _decode_all(paths, progress)
    sizes = {picture.pixels.shape[:2] for picture in pictures}
    notes = []
    if len(sizes) > 1 or any(picture.shrunk for picture in pictures):
        pixels = [_resized(picture.pixels) for picture in pictures]
        notes.append(f"images resized to {SIDE}x{SIDE} pixels, bilinear")
    else:
        pixels = [picture.pixels for picture in pictures]
    if any(picture.transparent for picture in pictures):
        notes.append("transparent images placed on white")
    if any(array.ndim == 3 for array in pixels):
        pixels = [array if array.ndim == 3 else _colour(array) for array in pixels]
    return np.stack(pixels), tuple(notes)


def _decode_all(paths: Sequence[Path], progress: Progress | None) -> list[Picture]:
    chunks = [paths[i : i + CHUNK_FILES] for i in range(0, len(paths), CHUNK_FILES)]
    pictures: list[Picture] = []
    faults: list[Fault] = []
    typical = sum(path.stat().st_size for path in chunks[0]) / len(chunks[0])
    with ThreadPoolExecutor(os.cpu_count() if typical >= THREADS_PAY_BYTES else 1) as threads:
        for results in threads.map(lambda chunk: [_picture_or_fault(p) for p in chunk], chunks):
            pictures += [result for result in results if isinstance(result, Picture)]
            faults += [result for result in results if isinstance(result, Fault)]
            if progress:
                progress(len(pictures) + len(faults), len(paths))
    if len(faults) > MOST_NAMED:
        problem = f"{len(faults) - MOST_NAMED:,} more files cannot be decoded"
        faults[MOST_NAMED:] = [Fault("images", "", problem, "repair or remove them")]
    if faults:
        raise InputError(faults)
    return pictures


def _picture_or_fault(path: Path) -> Picture | Fault:
    try:
        return _picture(path)
    except Exception as error:  # a decoder may raise anything on a damaged file
        reason = str(error).replace(f"'{path}'", "the file") or type(error).__name__
        return Fault(str(path), "", f"cannot be decoded ({reason})", "repair or remove it")


def _picture(path: Path) -> Picture:
    from PIL import Image, ImageOps

    contents = io.BytesIO(path.read_bytes())
    with Image.open(contents, formats=FORMATS) as image:
        image.verify()  # checksums; the image is unusable afterwards, so it is opened again
    with Image.open(contents, formats=FORMATS) as opened:
        shrunk = max(opened.size) > LARGEST_KEPT
        if shrunk:
            opened.draft(None, (4 * SIDE, 4 * SIDE))  # decodes a JPEG no larger than needed
        upright = ImageOps.exif_transpose(opened)
        plain, transparent = _plain(upright)
        pixels = np.asarray(
            plain.resize((SIDE, SIDE), Image.Resampling.BILINEAR) if shrunk else plain
        )
    if pixels.ndim == 3 and (pixels == pixels[..., :1]).all():
        pixels = pixels[..., 0]  # grey, stored as colour
    return Picture(pixels, shrunk, transparent)


def _plain(image: Image) -> tuple[Image, bool]:
    """Return the image as 8-bit grey or RGB, and whether any pixel was transparent."""
    from PIL import Image

    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)), False
    if image.mode in ("I", "F"):
        raise ValueError(f"its pixels have 32 bits, mode {image.mode}; only 8 and 16 are supported")
    if not image.has_transparency_data:
        return image.convert("L" if image.mode in ("1", "L") else "RGB"), False
    layer = image.convert("RGBA")
    white = Image.new("RGBA", layer.size, "white")
    transparent = bool((np.asarray(layer)[..., 3] < 255).any())
    return Image.alpha_composite(white, layer).convert("RGB"), transparent


def _resized(pixels: Pixels) -> Pixels:
    from PIL import Image

    image = Image.fromarray(pixels)
    return np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BILINEAR))


def _colour(grey: Pixels) -> Pixels:
    return np.repeat(grey[..., np.newaxis], 3, axis=2)
