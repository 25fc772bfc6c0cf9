"""Images as a model sees them: `image_size` and `colour`, applied to the stored pixels.

Grey is ITU-R 601 luma in Pillow's fixed-point arithmetic: its numbers are Pillow's. Another size is
a bilinear resize with antialiasing, in torch's uint8 arithmetic: that is Pillow's algorithm, and
pixels are equal, or one grey level apart where the two round a tie differently. The aspect ratio is
not kept: models see squares. Colour is taken away first.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from tune_mnist.datasets import Dataset, Images

if TYPE_CHECKING:
    from torch import Tensor

Colour = Literal["keep", "grey"]
Pixels = npt.NDArray[np.uint8]

SMALLEST, LARGEST = 8, 224  # pixels per side that may be asked for
LARGEST_KEPT = 64  # pixels per side; what is larger is reduced to this unless a size is asked for
_CHUNK = 1024  # images changed at a time: bounds the memory needed besides the result


class View(NamedTuple):
    """How a model sees the images of a data set.

    Args:
        side: pixels per side; None: as stored, or 64 if they are larger.
        colour: "keep", or "grey" to take their colour away.
    """

    side: int | None = None
    colour: Colour = "keep"


AS_STORED = View()


def seen(data: Dataset, view: View) -> Dataset:
    """Return the data set with its images as the view has them; itself if that changes nothing."""
    parts = data.train, data.val, data.test
    train, val, test = (_seen(part, view) for part in parts)
    same = (train, val, test) == parts  # `Images` are equal only to themselves
    return data if same else replace(data, train=train, val=val, test=test)


def _seen(images: Images, view: View) -> Images:
    pixels = as_seen(images.images, view)
    return (
        images if pixels is images.images else Images(np.ascontiguousarray(pixels), images.labels)
    )


def as_seen(images: Pixels, view: View) -> Pixels:
    """Return images as the view has them; the array itself if that changes nothing.

    Args:
        images: (n, h, w) grey or (n, h, w, 3) RGB, uint8.
    """
    pixels = grey(images) if view.colour == "grey" else images
    height, width = pixels.shape[1:3]
    side = LARGEST_KEPT if view.side is None and max(height, width) > LARGEST_KEPT else view.side
    if side is None or (height, width) == (side, side):
        return pixels
    planes = resize(pixels, side).permute(0, 2, 3, 1).contiguous().numpy()
    return planes[..., 0] if pixels.ndim == 3 else planes


def grey(images: Pixels) -> Pixels:
    """Return images without colour, (n, h, w) uint8; grey ones as they are, not copied.

    Args:
        images: (n, h, w) grey or (n, h, w, 3) RGB, uint8.
    """
    if images.ndim == 3:
        return images
    luma = np.empty(images.shape[:3], np.uint8)
    for start in range(0, len(images), _CHUNK):
        red, green, blue = np.moveaxis(images[start : start + _CHUNK].astype(np.uint32), 3, 0)
        luma[start : start + _CHUNK] = (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16
    return luma


def resize(images: Pixels, side: int, width: int | None = None) -> Tensor:
    """Return a copy of all images at another size; the given array may be read-only.

    Args:
        images: (n, h, w) grey or (n, h, w, 3) RGB, uint8.
        side: pixels per side of the result, at least 1.
        width: of the result, if it is not square; `side` is its height then.

    Returns:
        (n, 1, side, width) or (n, 3, side, width), uint8, contiguous.
    """
    size = (side, side if width is None else width)
    import torch  # here, because an SVM search without a resize does not load it
    from torch.nn.functional import interpolate

    channels = 1 if images.ndim == 3 else images.shape[3]
    resized = torch.empty((len(images), channels, *size), dtype=torch.uint8)
    for start in range(0, len(images), _CHUNK):
        # The chunk is copied because torch cannot wrap a read-only array.
        chunk = torch.from_numpy(images[start : start + _CHUNK].copy())
        planes = chunk[:, None] if images.ndim == 3 else chunk.permute(0, 3, 1, 2)
        resized[start : start + _CHUNK] = interpolate(
            planes, size=size, mode="bilinear", antialias=True
        )
    return resized
