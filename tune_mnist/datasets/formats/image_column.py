"""Image files that lie in a table or in memory: decoded like those of a folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tune_mnist.datasets.pictures import Decoded, Progress, read_pictures
from tune_mnist.errors import Fault, first_faults

MOST_NAMED = 20


@dataclass(frozen=True)
class Decoding:
    """How image files are decoded.

    Args:
        side: as in `read_pictures`.
        skip_bad_images: whether to leave out those that cannot be decoded; a note names them.
        progress: as in `read_pictures`.
    """

    side: int = 64
    skip_bad_images: bool = False
    progress: Progress | None = None


@dataclass(frozen=True)
class Embedded:
    """An image file that is inside another file, or in memory.

    Args:
        where: for messages: "train.parquet: row 7".
        contents: its bytes.
    """

    where: str
    contents: bytes


def decode(images: Sequence[Embedded], how: Decoding) -> Decoded:
    """Return what the images hold.

    Raises: InputError: some cannot be decoded, or none can: the first 20 are named, the others
        counted.
    """
    decoded = read_pictures([image.contents for image in images], how.side, how.progress)
    if not decoded.bad:
        return decoded
    if how.skip_bad_images and len(decoded.good):
        first = ", ".join(images[at].where for at in list(decoded.bad)[:MOST_NAMED])
        note = f"images that cannot be decoded left out ({len(decoded.bad):,}): {first}"
        return replace(decoded, notes=(*decoded.notes, note))
    fix = "repair or remove it, or `skip_bad_images` trains without it"
    faults = [
        Fault(images[at].where, "", f"cannot be decoded ({reason})", fix)
        for at, reason in decoded.bad.items()
    ]
    last = faults[:MOST_NAMED][-1].where
    others = Fault(last, "", "images after it cannot be decoded either", "repair or remove them")
    raise first_faults(faults, MOST_NAMED, others)
