"""The technical report's split: 70/10/20 of the training pool, drawn like torch's, with seed 42.

The technical report validated on the 10 %. Its text says that it tested on the 20 %, but its logs
show the standard test images. Here both are available, as `holdout` and `standard`.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from tune_mnist.datasets.dataset import Dataset, Images, Unsplit, content_hash
from tune_mnist.errors import Fault, InputError, input_error

SEED = 42
FEWEST_IMAGES = 10  # leaves at least one image in each part
MOST_FAULTS = 5

TestSet = Literal["standard", "holdout"]


def split(name: str, data: Unsplit, test_set: TestSet) -> Dataset:
    """Split a data set as the technical report did; the arrays are contiguous and read-only.

    Args:
        name: the name of the data set.
        data: of 60,000 training images, 42,000 are for training, 6,000 for validation and 12,000
            for the hold-out.
        test_set: "standard" tests on the data set's own test images, or on the hold-out if it has
            none; "holdout" always tests on the hold-out.

    Raises: InputError: there are fewer than 2 classes or fewer than 10 images, or a class has no
        image among those for training.
    """
    train, val, holdout = (_take(data.train, where) for where in _indices(name, len(data.train)))
    _check_classes(name, train, data)
    standard = test_set == "standard" and data.test is not None
    test = _take(data.test, slice(None)) if standard and data.test is not None else holdout
    how = f"report-70/10/20 seed {SEED}, test {'standard' if standard else 'holdout'}"
    notes = data.notes
    if test_set == "standard" and not standard:
        notes += ("no test images of its own: tested on the 20 % held out of the training pool",)
    digest = content_hash((train, val, test), how)
    return Dataset(name, train, val, test, data.classes, digest, how, notes)


def _indices(name: str, n: int) -> list[npt.NDArray[np.int64]]:
    """Return the indices of the three parts, the same as torch's `random_split` draws."""
    if n < FEWEST_IMAGES:
        raise input_error(
            f"dataset {name}",
            f"{n} training images are too few to split 70/10/20",
            f"use at least {FEWEST_IMAGES}",
        )
    return np.split(_permutation(n), [n * 7 // 10, n * 7 // 10 + n // 10])


def _permutation(n: int) -> npt.NDArray[np.int64]:
    """Return `torch.randperm(n)` for seed 42, without the two seconds that importing torch takes.

    Both are Fisher and Yates's shuffle, with remainders of a Mersenne twister's 32-bit numbers.
    """
    twister = np.random.MT19937()
    twister._legacy_seeding(SEED)  # the twister's original seeding, which torch uses too
    order = list(range(n))
    for i, number in enumerate(twister.random_raw(n - 1).tolist()):
        j = i + number % (n - i)
        order[i], order[j] = order[j], order[i]
    return np.asarray(order, dtype=np.int64)


def _take(part: Images, where: npt.NDArray[np.int64] | slice) -> Images:
    images = np.ascontiguousarray(part.images[where])
    labels = np.ascontiguousarray(part.labels[where])
    images.flags.writeable = False
    labels.flags.writeable = False
    return Images(images, labels)


def _check_classes(name: str, train: Images, data: Unsplit) -> None:
    where = f"dataset {name}"
    if len(data.classes) < 2:
        raise input_error(where, f"has only the class {data.classes[0]}", "use at least 2")
    drawn = np.bincount(train.labels, minlength=len(data.classes))
    pool = np.bincount(data.train.labels, minlength=len(data.classes))
    missing = np.flatnonzero(drawn == 0)[:MOST_FAULTS]
    faults = [
        Fault(
            where,
            f"class {data.classes[label]}",
            f"none of its {pool[label]} images is among the {len(train):,} drawn for training",
            "add images of this class",
        )
        for label in missing
    ]
    if faults:
        raise InputError(faults)
