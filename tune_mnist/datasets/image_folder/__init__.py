"""Your own images in folders, in the layouts that people have them in.

`layout.py` says which folders are splits and which are classes, `metadata.py` reads Hugging Face's
tables of labels, `scan.py` lists files; `reading.py` decodes them or takes them from the cache.
"""

from __future__ import annotations

from tune_mnist.datasets.image_folder.reading import read_image_folder

__all__ = ["read_image_folder"]
