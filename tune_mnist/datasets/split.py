"""How a data set becomes training, validation and test images: seeded, the same everywhere.

MNIST, FashionMNIST and digits are split as in the technical report: 70/10/20 of the training pool,
drawn like torch's `random_split` with seed 42. It validated on the 10 %; its text says that it
tested on the 20 %, but its logs show the standard test images. Both are available, as `holdout` and
`standard`. Data of your own keeps its validation and test images; where it has none, the same share
of each class is held out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from tune_mnist.datasets.checks import warnings_of
from tune_mnist.datasets.dataset import Dataset, Images, Unsplit, content_hash
from tune_mnist.errors import Fault, InputError, input_error

SEED = 42
FEWEST_IMAGES = 10  # leaves at least one image in each part of the technical report's split
MOST_FAULTS = 5
VAL_SHARE, TEST_SHARE = 0.1, 0.2

TestSet = Literal["standard", "holdout"]
Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Parts:
    """The three parts of a data set.

    Args:
        train, val, test: contiguous and read-only.
        how: they were made.
        notes: what a person may want to know of it.
    """

    train: Images
    val: Images
    test: Images
    how: str
    notes: tuple[str, ...] = ()


def split(name: str, data: Unsplit, test_set: TestSet) -> Dataset:
    """Split a data set; the arrays are contiguous and read-only.

    Args:
        name: the name of the data set.
        data: its images; `data.split` says how.
        test_set: "standard" tests on the data set's own test images, or holds some out if it has
            none; "holdout" always holds some out.

    Raises: InputError: there are fewer than 2 classes, or too few images to hold one out. As in the
        technical report: there are fewer than 10 images, or a class has none for training.
    """
    if len(data.classes) < 2:
        problem = f"has only the class {data.classes[0]}"
        raise input_error(f"dataset {name}", problem, "use at least 2")
    own_test = data.test if test_set == "standard" else None
    parts = (_as_the_report if data.split == "report" else _stratified)(name, data, own_test)
    train, val, test = parts.train, parts.val, parts.test
    digest = content_hash((train, val, test), parts.how, data.files_hash)
    notes = (*data.notes, *parts.notes, *warnings_of(train, val, test, data.classes))
    return Dataset(name, train, val, test, data.classes, digest, parts.how, notes)


def _as_the_report(name: str, data: Unsplit, own_test: Images | None) -> Parts:
    """Return 70/10/20 of the training pool, drawn from all of it, whatever the classes."""
    n = len(data.train)
    if n < FEWEST_IMAGES:
        raise input_error(
            f"dataset {name}",
            f"{n} training images are too few to split 70/10/20",
            f"use at least {FEWEST_IMAGES}",
        )
    rows = np.split(_permutation(n), [n * 7 // 10, n * 7 // 10 + n // 10])
    train, val, holdout = (_take(data.train, where) for where in rows)
    _check_classes(name, train, data)
    test = holdout if own_test is None else _take(own_test, slice(None))
    of_test = "holdout" if own_test is None else "standard"
    notes = _without_test(data)
    return Parts(train, val, test, f"report-70/10/20 seed {SEED}, test {of_test}", notes)


def _without_test(data: Unsplit) -> tuple[str, ...]:
    if data.test is not None:
        return ()
    return ("no test images of its own: tested on the 20 % held out of the training pool",)


def _stratified(name: str, data: Unsplit, own_test: Images | None) -> Parts:
    """Hold out the parts that the data set lacks: 10 % of each class to validate, 20 % to test.

    Each class with enough images has at least one in each part. A class with 2 has none for the
    test, a class with 1 is for training only.
    """
    val_share = 0.0 if data.val is not None else VAL_SHARE
    test_share = 0.0 if own_test is not None else TEST_SHARE
    order = _permutation(len(data.train))
    part = _held_out(data.train.labels[order], val_share, test_share)
    train, val, test = (_take(data.train, order[part == number]) for number in range(3))
    if data.val is not None:
        val = _take(data.val, slice(None))
    if own_test is not None:
        test = _take(own_test, slice(None))
    for images, use in ((val, "validate"), (test, "test")):
        if not len(images):
            problem = f"no class has enough images to hold one out to {use}"
            raise input_error(f"dataset {name}", problem, "use at least 3 images of each class")
    notes = _without_test(data)
    if data.test is not None and own_test is None:
        notes = (f"its own {len(data.test):,} test images are not used (`test_set=holdout`)",)
    return Parts(train, val, test, _how(val_share, test_share), notes)


def _held_out(labels: Rows, val_share: float, test_share: float) -> Rows:
    """Return the part of each image: 0 training, 1 validation, 2 test.

    Args:
        labels: (n,) class numbers of images in random order; the first of a class are held out.
        val_share, test_share: of each class, rounded, but at least one image; 0 holds none out.
            At least one image stays for training, and the validation comes before the test.
    """
    part = np.zeros(len(labels), dtype=np.int64)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        val = min(_rounded(val_share, len(rows)), len(rows) - 1)
        test = min(_rounded(test_share, len(rows)), len(rows) - 1 - val)
        part[rows[:val]] = 1
        part[rows[val : val + test]] = 2
    return part


def _rounded(share: float, n: int) -> int:
    return max(1, math.floor(share * n + 0.5)) if share else 0


def _how(val_share: float, test_share: float) -> str:
    """Return how parts were made: "stratified 90/10 seed 42, test its own"."""
    if not val_share and not test_share:
        return "validation and test its own"
    held = [share for share in (val_share, test_share) if share]
    shares = "/".join(f"{100 * share:.0f}" for share in (1 - sum(held), *held))
    own = ", validation its own" if not val_share else ", test its own" if not test_share else ""
    return f"stratified {shares} seed {SEED}{own}"


def _permutation(n: int) -> Rows:
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


def _take(part: Images, where: Rows | slice) -> Images:
    images = np.ascontiguousarray(part.images[where])
    labels = np.ascontiguousarray(part.labels[where])
    images.flags.writeable = False
    labels.flags.writeable = False
    return Images(images, labels)


def _check_classes(name: str, train: Images, data: Unsplit) -> None:
    where = f"dataset {name}"
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
