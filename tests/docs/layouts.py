"""The folders that docs/guide/data.md looks at: scikit-learn's digits, as people keep images.

python -m tests.docs.layouts FOLDER     # writes them there
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from tests.datasets.written import idx_bytes
from tune_mnist.datasets.idx import FILES

NAMES = {3: "three", 5: "five", 8: "eight"}


def written_digits() -> dict[str, list[np.ndarray]]:
    """Forty 8x8 images of each of three digits, four times as large."""
    digits = load_digits()
    scaled = np.kron(digits.images * 15, np.ones((4, 4))).astype(np.uint8)
    return {name: list(scaled[digits.target == digit][:40]) for digit, name in NAMES.items()}


def save(folder: Path, images: list[np.ndarray], first: int = 0) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"{number:03d}.png" for number in range(first, first + len(images))]
    for file, image in zip(files, images, strict=True):
        Image.fromarray(image).save(file)
    return files


def write_layouts(root: Path) -> None:
    """Write the six layouts below `root`."""
    for name, images in written_digits().items():
        save(root / "classes" / name, images)
        for split, part in (("train", images[:25]), ("val", images[25:30]), ("test", images[30:])):
            save(root / "splits" / split / name, part)
        save(root / "nested" / name / "old", images[:10])
        save(root / "nested" / name / "new", images[10:])
        save(root / "__MACOSX" / name, images[:1])
        for split, part in (("training_set", images[:30]), ("test_set", images[30:])):
            save(root / "archive" / "archive" / split / split / name, part)
    (root / "nested" / "five" / "readme.txt").write_text("from a scanner\n")
    (root / "__MACOSX").rename(root / "nested" / "__MACOSX")
    _write_table(root / "table")
    _write_idx(root / "idx")


def _write_table(folder: Path) -> None:
    """Transparent drawings in one folder, with a table of labels; two have no row."""
    rows = ["file_name,label"]
    for first, (name, images) in zip((0, 40, 80), written_digits().items(), strict=True):
        inked = [np.dstack([np.full((32, 32, 3), 255, np.uint8), image]) for image in images]
        files = save(folder, inked, first)
        rows += [f"{file.name},{name}" for file in files[: 40 if first else 38]]
    (folder / "metadata.csv").write_text("\n".join(rows) + "\n")


def _write_idx(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    by_class = written_digits().values()
    for part, start, end in (("train", 0, 30), ("t10k", 30, 40)):
        images = np.stack([image for images in by_class for image in images[start:end]])
        labels = np.repeat(np.arange(3, dtype=np.uint8), end - start)
        for name, array in zip(
            [f for f in FILES if f.startswith(part)], (images, labels), strict=True
        ):
            (folder / name).write_bytes(idx_bytes(array))


if __name__ == "__main__":
    write_layouts(Path(sys.argv[1]))
