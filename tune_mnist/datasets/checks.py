"""What is odd about a data set that is ready for training, said before an hour is spent on it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tune_mnist.datasets.dataset import Images
from tune_mnist.wording import some

MOST_NAMED = 5


def warnings_of(
    train: Images, val: Images, test: Images, classes: Sequence[str]
) -> tuple[str, ...]:
    """Return a line for each thing that makes the accuracies mean less than they seem to.

    Those are classes without images for validation or test, images of one level only, and images
    that stand, byte for byte, in two parts.
    """
    parts = {"training": train, "validation": val, "test": test}
    lines = [_missing(name, parts[name], train, classes) for name in ("validation", "test")]
    return tuple(line for line in (*lines, _constant(parts), *_equal(parts)) if line)


def _missing(part: str, images: Images, train: Images, classes: Sequence[str]) -> str:
    counts, all_of = (np.bincount(one.labels, minlength=len(classes)) for one in (images, train))
    missing = [
        f"{classes[label]} ({all_of[label]:,} for training)"
        for label in np.flatnonzero(counts == 0).tolist()
    ]
    return f"classes without {part} images: {some(missing, MOST_NAMED)}" if missing else ""


def _constant(parts: dict[str, Images]) -> str:
    """Return a line that counts the images whose pixels are all the same."""
    counts = {}
    for name, part in parts.items():
        flat = part.images.reshape(len(part), -1)
        counts[name] = int((flat == flat[:, :1]).all(axis=1).sum())
    found = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
    return f"images of one level only, which show nothing: {found}" if found else ""


def _equal(parts: dict[str, Images]) -> list[str]:
    """Return a line for validation and one for test images that stand in an earlier part too."""
    lines, seen, before = [], set[int](), ""
    for name, part in parts.items():
        hashes = [hash(image.tobytes()) for image in part.images]
        count = sum(one in seen for one in hashes)
        if count:
            lines.append(f"{count:,} {name} images are byte for byte also {before} images")
        seen.update(hashes)
        before = f"{before} or {name}" if before else name
    return lines
