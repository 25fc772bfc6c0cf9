"""Data sets: from a name or a folder to training, validation and test images as NumPy arrays.

`load_dataset` is the one entry point. It knows the names `mnist`, `fashion-mnist` and `digits`;
anything else is a folder, of IDX files or of one folder of images per class. Data that is missing,
damaged or inconsistent raises an `InputError`.
"""

from __future__ import annotations

from tune_mnist.datasets.dataset import Dataset, Images
from tune_mnist.datasets.fraction import first_of_each_class, first_rows, kept_of_each_class
from tune_mnist.datasets.load import DATASET_NAMES, LoadOptions, load_dataset
from tune_mnist.datasets.pictures import Progress
from tune_mnist.datasets.split import TestSet

__all__ = [
    "DATASET_NAMES",
    "Dataset",
    "Images",
    "LoadOptions",
    "Progress",
    "TestSet",
    "first_of_each_class",
    "first_rows",
    "kept_of_each_class",
    "load_dataset",
]
