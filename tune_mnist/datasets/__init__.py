"""Data sets: a name or a folder in, train, validation and test images as NumPy arrays out.

`load_dataset` is the one way in. Names: `mnist`, `fashion-mnist`, `digits`; anything else is a
folder of IDX files or of one folder a class. What cannot be believed is an `InputError`.
"""

from __future__ import annotations

from tune_mnist.datasets.dataset import Dataset, Images
from tune_mnist.datasets.fraction import first_of_each_class, first_rows, kept_of_each_class
from tune_mnist.datasets.load import DATASET_NAMES, load_dataset
from tune_mnist.datasets.pictures import Progress
from tune_mnist.datasets.split import TestSet

__all__ = [
    "DATASET_NAMES",
    "Dataset",
    "Images",
    "Progress",
    "TestSet",
    "first_of_each_class",
    "first_rows",
    "kept_of_each_class",
    "load_dataset",
]
