"""A confusion matrix as a picture."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from tune_mnist.wording import clean

_SIDE = 640  # pixels of the matrix, about
_MOST_NAMED = 30  # classes whose names and counts are written
_PAPER, _INK = (255, 255, 255), (20, 20, 40)
_RIGHT, _WRONG = (24, 92, 160), (190, 52, 32)
"""The colours of a row's share: on the diagonal, and beside it."""


def confusion_png(confusion: Sequence[int] | None, classes: Sequence[str]) -> bytes:
    """Return a PNG: one row per true class, one column per predicted class, darker for more images.

    Args:
        confusion: k * k counts of test images; None draws an empty matrix.
        classes: k names.
    """
    k = len(classes)
    counts = np.zeros((k, k), np.int64)
    if confusion is not None and len(confusion) == k * k:
        counts = np.reshape(np.asarray(confusion, np.int64), (k, k))
    side = max(1, _SIDE // k)
    edge = 120 if k <= _MOST_NAMED else 10
    picture = Image.new("RGB", (edge + side * k + 10, edge + side * k + 10), _PAPER)
    draw = ImageDraw.Draw(picture)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    for row in range(k):
        for column in range(k):
            corner = edge + column * side, edge + row * side
            colour = _mixed(shares[row, column], _RIGHT if row == column else _WRONG)
            box = [*corner, corner[0] + side - 1, corner[1] + side - 1]
            draw.rectangle(box, fill=colour, outline=(225, 225, 225) if side > 4 else None)
    if k <= _MOST_NAMED:
        _write_names(draw, classes, counts, (edge, side))
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def _mixed(share: float, colour: tuple[int, int, int]) -> tuple[int, int, int]:
    strength = float(share) ** 0.5  # so that few wrong images can be seen
    red, green, blue = (round(255 + (one - 255) * strength) for one in colour)
    return red, green, blue


def _write_names(
    draw: ImageDraw.ImageDraw, classes: Sequence[str], counts: np.ndarray, place: tuple[int, int]
) -> None:
    edge, side = place
    font = ImageFont.load_default(size=max(9, min(16, side // 3)))
    draw.text((10, edge - 30), "true", fill=_INK, font=font)
    draw.text((edge, 10), "predicted", fill=_INK, font=font)
    for number, name in enumerate(classes):
        middle = edge + number * side + side // 2
        short = clean(name)[:14]
        draw.text((edge - 8, middle), short, fill=_INK, font=font, anchor="rm")
        draw.text((middle, edge - 8), short[: max(1, side // 7)], fill=_INK, font=font, anchor="mb")
        for column, count in enumerate(counts[number]):
            if count:
                centre = edge + column * side + side // 2, middle
                dark = counts[number].sum() < 2 * count
                draw.text(centre, f"{count}", fill=_PAPER if dark else _INK, font=font, anchor="mm")
