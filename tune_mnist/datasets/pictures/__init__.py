"""From image files of any size and mode to one uint8 array: decoded, then made alike."""

from __future__ import annotations

from tune_mnist.datasets.pictures.decoding import Decoded, Progress, Source, read_pictures

__all__ = ["Decoded", "Progress", "Source", "read_pictures"]
