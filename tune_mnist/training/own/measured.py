"""What a measurement must be, whoever measured it."""

from __future__ import annotations

import math
from typing import Any

from tune_mnist.datasets import Dataset
from tune_mnist.training.measurement import OF_TEST_IMAGES, PARTS, Measurement

_NEEDED = ("step", "fidelity", "val_accuracy", "val_balanced_accuracy", *PARTS, "wall_time_s")
_FRACTIONS = (
    *("train_accuracy", "val_accuracy", "val_balanced_accuracy"),
    *("test_accuracy", "test_balanced_accuracy"),
)
_TIMES = (*PARTS, "wall_time_s")


def wrong(measurement: Measurement, before: Measurement | None, data: Dataset) -> list[str]:
    """Return what is wrong with a measurement, a line each.

    Args:
        measurement: the newest of a training.
        before: the one before it; None if it is the first of this process.
        data: that was trained on.
    """
    given: dict[str, Any] = dict(measurement)
    if missing := [name for name in _NEEDED if given.get(name) is None]:
        return [f"it has no {', '.join(missing)}"]
    unknown = sorted(given.keys() - Measurement.__annotations__.keys())
    found = [f"{name} is not a part of a Measurement" for name in unknown]
    numbers = [name for name in (*_NEEDED, *_FRACTIONS, "train_loss", "val_loss") if name in given]
    found += [
        f"{name} is {given[name]!r}, not a finite number"
        for name in numbers
        if not _ok(given[name])
    ]
    if found:
        return found
    found += [
        f"{name} is {given[name]}, not a fraction from 0 to 1"
        for name in _FRACTIONS
        if name in given and not 0 <= given[name] <= 1
    ]
    return [*found, *_order(given, before), *_times(given, before), *_of_test(given, data)]


def _ok(value: Any) -> bool:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and math.isfinite(value)


def _order(given: dict[str, Any], before: Measurement | None) -> list[str]:
    """Return what is wrong with the step; the last one may be reported again, with the test."""
    step = given["step"]
    if before is None:
        return [] if isinstance(step, int) and step >= 1 else [f"the first step is {step}, not 1"]
    if "test_accuracy" in before:
        return ["it comes after one with a test_accuracy, which is the last"]
    again = step == before["step"] and "test_accuracy" in given
    if not again and step != before["step"] + 1:
        return [f"step {step} comes after step {before['step']}"]
    if given["fidelity"] < before["fidelity"]:
        return [f"the fidelity falls from {before['fidelity']} to {given['fidelity']}"]
    return []


def _times(given: dict[str, Any], before: Measurement | None) -> list[str]:
    found = [f"{name} is {given[name]}, less than 0" for name in _TIMES if given[name] < 0]
    if before is not None:
        less = [name for name in _TIMES if given[name] < before[name]]  # type: ignore[literal-required]
        found += [f"{name} falls; times are those of the whole training so far" for name in less]
    total = sum(given[part] for part in PARTS)
    if not math.isclose(total, given["wall_time_s"], rel_tol=1e-6, abs_tol=1e-6):
        found.append(f"wall_time_s is {given['wall_time_s']}, and its parts add up to {total}")
    return found


def _of_test(given: dict[str, Any], data: Dataset) -> list[str]:
    there = [name for name in OF_TEST_IMAGES if name in given]
    if not there:
        return []
    if missing := [name for name in OF_TEST_IMAGES if name not in given]:
        return [f"it has {there[0]}, and no {', '.join(missing)}"]
    k, counts = len(data.classes), given["confusion"]
    if len(counts) != k * k or sum(counts) != len(data.test):
        problem = f"confusion has {len(counts)} counts of {sum(counts)} images"
        return [f"{problem}; there are {k} classes and {len(data.test)} test images"]
    right = sum(counts[:: k + 1]) / max(1, len(data.test))
    if not math.isclose(right, given["test_accuracy"], abs_tol=1e-9):
        return [f"test_accuracy is {given['test_accuracy']}, and confusion says {right}"]
    return []
