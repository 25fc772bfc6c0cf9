"""Claim: 20,000 small PNGs are loaded, verified and hashed no slower than torchvision only loads.

    python -m benchmarks.image_folder [--short] [--record] [--rounds 5]

Ours: `load_dataset` of a folder of ten classes with an empty cache. It lists the files, verifies
their checksums, decodes and hashes them, splits them, looks for what is odd and writes the cache.
The peer: torchvision's `ImageFolder` through a `DataLoader` with two workers and batches of 256,
as images in grey, to one tensor. The files (28x28, grey) are written by this script and lie in the
system's file cache for both. Imports are not in it. The pixels must be equal, or it fails.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder
from torchvision.transforms.functional import pil_to_tensor

from benchmarks.measure import Figure, compare, interleave, measured_by
from tune_mnist.datasets import Dataset, load_dataset

CLAIM = "20,000 small PNGs cold, verified, hashed: no slower than torchvision, which only loads"
IMAGES = 20_000


def write_images(root: Path, count: int) -> None:
    """Write digits of ten classes with a little noise, so that no two are equal."""
    digits, chance = load_digits(), np.random.default_rng(0)
    for number in range(count):
        of = number % len(digits.images)
        large = np.kron(digits.images[of] * 15, np.ones((4, 4)))[2:30, 2:30]
        noisy = (large + chance.integers(0, 15, (28, 28))).astype(np.uint8)
        folder = root / str(digits.target[of])
        folder.mkdir(exist_ok=True)
        Image.fromarray(noisy).save(folder / f"{number:05d}.png")


def ours(root: Path) -> Dataset:
    shutil.rmtree(Path(os.environ["XDG_CACHE_HOME"]), ignore_errors=True)
    return load_dataset(str(root))


def open_grey(path: str) -> Image.Image:
    with Image.open(path) as image:
        grey: Image.Image = image.convert("L")
        return grey


def peer(root: Path) -> torch.Tensor:
    images = ImageFolder(str(root), transform=pil_to_tensor, loader=open_grey)
    return torch.cat([batch for batch, _ in DataLoader(images, batch_size=256, num_workers=2)])


def measure(rounds: int) -> Figure:
    """Return the figure of both ways, run in alternation."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CACHE_HOME"] = str(Path(folder, "cache"))
        root = Path(folder, "images")
        root.mkdir()
        write_images(root, IMAGES)
        data, theirs = ours(root), peer(root)
        mine = np.concatenate([part.images for part in (data.train, data.val, data.test)])
        if sorted(map(bytes, mine)) != sorted(map(bytes, theirs.numpy())):
            raise SystemExit("the pixels differ")
        ours_s, peer_s = interleave(lambda: ours(root), lambda: peer(root), rounds)
    return compare(f"{IMAGES:,} PNGs of 28x28, vs torchvision with 2 workers", ours_s, peer_s)


if __name__ == "__main__":
    measured_by("image_folder", CLAIM, measure)
