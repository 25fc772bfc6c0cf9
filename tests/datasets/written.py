"""Small data sets that the tests write: real IDX and image files."""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from tune_mnist.datasets.idx import FILES

Array = npt.NDArray[np.uint8]


def pairs(images: Array, labels: Iterable[int]) -> list[tuple[bytes, int]]:
    """Return images with their labels, in an order of their own: the split shuffles them."""
    return sorted(
        (image.tobytes(), int(label)) for image, label in zip(images, labels, strict=True)
    )


def idx_bytes(array: Array) -> bytes:
    header = bytes([0, 0, 0x08, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    return header + array.tobytes()


def small_images(n: int, seed: int = 0, size: tuple[int, ...] = (5, 4)) -> Array:
    return np.random.default_rng(seed).integers(0, 256, (n, *size), dtype=np.uint8)


def cyclic_labels(n: int, k: int = 10) -> Array:
    return (np.arange(n) % k).astype(np.uint8)


def write_idx(
    folder: Path, arrays: dict[str, Array] | None = None, *, packed: bool = True, seed: int = 0
) -> Path:
    """Write 200 training and 50 test images of 10 classes; `arrays` replaces files by name."""
    defaults = (
        *(small_images(200, seed), cyclic_labels(200)),
        *(small_images(50, seed + 1), cyclic_labels(50)),
    )
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in (dict(zip(FILES, defaults, strict=True)) | (arrays or {})).items():
        contents = idx_bytes(array)
        if packed:
            (folder / f"{name}.gz").write_bytes(gzip.compress(contents, mtime=0))
        else:
            (folder / name).write_bytes(contents)
    return folder


def write_classes(
    folder: Path, images: dict[str, list[Image.Image]] | None = None, suffix: str = "png"
) -> Path:
    """Write one folder per class; by default 20 grey 6x5 images in each of "cat" and "dog"."""
    if images is None:
        arrays = small_images(40, size=(6, 5))
        pictures = [Image.fromarray(array) for array in arrays]
        images = {"cat": pictures[:20], "dog": pictures[20:]}
    for name, pictures in images.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for i, picture in enumerate(pictures):
            picture.save(folder / name / f"{i:03d}.{suffix}")
    return folder
