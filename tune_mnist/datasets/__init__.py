"""Data sets: from a name or a folder to training, validation and test images as NumPy arrays.

`load_dataset` knows the names `mnist`, `fashion-mnist` and `digits`; anything else is a folder or a
file: images in one folder per class, or one of the formats of `formats/`. `load_given` takes arrays
and torch data sets from Python. Data that is missing, damaged or inconsistent raises an
`InputError`.
"""

from __future__ import annotations

from tune_mnist.datasets.dataset import Dataset, Images
from tune_mnist.datasets.formats.python_data import PythonData
from tune_mnist.datasets.fraction import first_of_each_class, first_rows, kept_of_each_class
from tune_mnist.datasets.load import (
    DATASET_NAMES,
    FROM_PYTHON,
    LoadOptions,
    load_dataset,
    load_given,
    source_path,
)
from tune_mnist.datasets.pictures import Progress
from tune_mnist.datasets.split import TestSet

__all__ = [
    "DATASET_NAMES",
    "FROM_PYTHON",
    "Dataset",
    "Images",
    "LoadOptions",
    "Progress",
    "PythonData",
    "TestSet",
    "first_of_each_class",
    "first_rows",
    "kept_of_each_class",
    "load_dataset",
    "load_given",
    "source_path",
]
