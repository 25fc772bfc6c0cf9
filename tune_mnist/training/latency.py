"""Inference latency: how long a fitted model takes to predict an image.

What is timed is the way from stored pixels to class numbers: the resize, the scaling and the model,
as it is exported, on the device and the threads of its trial. Calls are timed after one that warms
up, and their median counts. It is measured when a training has ended, so it is no part of the
training's own times.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from statistics import median

import numpy as np
import numpy.typing as npt

from tune_mnist.metrics import LATENCIES
from tune_mnist.training.fitted import Fitted, Predict, Predictor
from tune_mnist.training.measurement import Measurement
from tune_mnist.training.options import Keep
from tune_mnist.wording import error_text

LEAST_CALLS, MOST_CALLS = 3, 30
ENOUGH_S = 0.03  # of timed calls, for each number of images
MOST_S = 1.0  # of calls, before the last; warming up is a small part of one that takes this long

_KNOWN: dict[Hashable, dict[str, float]] = {}
"""Latencies of models that are all alike: a network of some size is measured once a process."""


def timing(predictor: Callable[[Fitted], Predictor], then: Keep | None) -> Keep:
    """Return what measures the latencies of each finished model, before `then` may keep it.

    A model that cannot be timed is a result all the same; its measurement says why.

    Args:
        predictor: of the model's family.
        then: receives the measurement and the model next; None: nobody does.
    """

    def keep(measurement: Measurement, fitted: Fitted) -> None:
        try:
            measurement.update(_latencies(predictor(fitted), fitted))  # type: ignore[typeddict-item]
        except Exception as error:  # of a model of your own, or a GPU that is full
            measurement["not_timed"] = error_text(error)
        if then is not None:
            then(measurement, fitted)

    return keep


def _latencies(found: Predictor, fitted: Fitted) -> dict[str, float]:
    if (known := _KNOWN.get(found.alike)) is not None:
        return known
    predict, images = found.build(), fitted.data.train.images
    measured = {name: latency_s(predict, images, batch) for name, batch in LATENCIES.items()}
    if found.alike is not None:
        _KNOWN[found.alike] = measured
    return measured


def latency_s(predict: Predict, images: npt.NDArray[np.uint8], batch: int) -> float:
    """Return the seconds that an image takes when so many are predicted at once.

    Args:
        predict: of a fitted model.
        images: at least one, as stored; fewer than `batch` are repeated.
        batch: images at once, >= 1.
    """
    times: list[float] = []
    while not _enough(times):
        times.append(_call_s(predict, images, batch, len(times)))
    _warm_up, *timed = times
    return median(timed or times) / batch


def _enough(times: list[float]) -> bool:
    """Return whether these calls suffice, of which the first one warms up."""
    timed = times[1:]
    enough = len(timed) >= LEAST_CALLS and (sum(timed) >= ENOUGH_S or len(timed) >= MOST_CALLS)
    return enough or sum(times) >= MOST_S


def _call_s(predict: Predict, images: npt.NDArray[np.uint8], batch: int, number: int) -> float:
    some = images[np.arange(number * batch, (number + 1) * batch) % len(images)]
    start = time.perf_counter()
    predict(some)
    return time.perf_counter() - start
