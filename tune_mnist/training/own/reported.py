"""What a training function reports: a torch network, a scikit-learn estimator, or a function.

A network or an estimator can be saved, and it is measured as it is saved. A function that predicts
is measured too, but its model cannot be saved: only a pickle could hold it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from torch import nn
    from typing_extensions import TypeIs

Labels = npt.NDArray[np.int64]


class Predict(Protocol):
    """Returns the class of each image: (n,) whole numbers, as an array, a tensor or a list."""

    def __call__(self, images: npt.NDArray[np.uint8], /) -> Any:
        """Args: images: (n, h, w) grey or (n, h, w, 3) RGB, uint8, n <= 512; not to be changed."""


class Estimator(Protocol):
    """A fitted estimator of scikit-learn: its pipelines and classifiers."""

    def predict(self, X: npt.NDArray[np.float64], /) -> Any:
        """Return the class number of each row: X: (n, features) pixels 0..255, float64."""


@dataclass(frozen=True, eq=False)
class Reported:
    """What a training function has reported last; the `parts` of its `Fitted`.

    Args:
        given: a network, an estimator, or a function that predicts.
        config: the function's own hyperparameters.
    """

    given: Predict | Estimator
    config: Mapping[str, Any]


def is_network(given: object) -> TypeIs[nn.Module]:
    """Return whether this is a torch network: from uint8 images to (n, k) scores."""
    from torch import nn

    return isinstance(given, nn.Module)


def is_estimator(given: object) -> bool:
    """Return whether this is an estimator of scikit-learn."""
    return not callable(given) and hasattr(given, "predict") and hasattr(given, "get_params")


def predict_of(given: Predict | Estimator) -> Predict:
    """Return what predicts with what a function reports. Raises: ValueError: nothing can."""
    if is_network(given):
        return _of_network(given)
    if not callable(given) and is_estimator(given):
        return lambda images: given.predict(rows_of(images))
    if callable(given):
        return given
    problem = f"report received a {type(given).__name__}, which cannot predict"
    raise ValueError(f"{problem}; report a torch network, an estimator, or a function")


def rows_of(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Return what an estimator takes: (n, features) pixels of (n, h, w) or (n, h, w, 3) images."""
    return images.reshape(len(images), -1).astype(np.float64)


def _of_network(network: nn.Module) -> Predict:
    import torch

    def predict(images: npt.NDArray[np.uint8]) -> Any:
        weights = next(network.parameters(), None)
        device = torch.device("cpu") if weights is None else weights.device
        modes = [(one, one.training) for one in network.modules()]  # some may be frozen
        network.eval()
        try:
            with torch.no_grad():
                scores = network(torch.tensor(images).to(device))
        finally:
            for module, mode in modes:
                module.training = mode
        if getattr(scores, "ndim", 0) != 2 or len(scores) != len(images):
            shape = tuple(getattr(scores, "shape", ()))
            wanted = f"({len(images)}, k), a score for each class of each image"
            raise ValueError(f"the network returned the shape {shape}, not {wanted}")
        return scores.argmax(1)

    return predict


def classes_of(predicted: Any, images: int, classes: int) -> Labels:
    """Return what `predict` returned as class numbers. Raises: ValueError: it is something else.

    Args:
        predicted: (images,) whole numbers.
        images: their number.
        classes: the number of classes.
    """
    if hasattr(predicted, "detach"):
        predicted = predicted.detach().cpu()
    found = np.asarray(predicted)
    if found.shape != (images,):
        wanted = f"({images},), the class of each image"
        hint = ", for example scores.argmax(1)" if found.shape == (images, classes) else ""
        raise ValueError(f"predict returned the shape {found.shape}, not {wanted}{hint}")
    if not np.issubdtype(found.dtype, np.integer):
        raise ValueError(f"predict returned {found.dtype}, not class numbers")
    if images and not (found.min() >= 0 and found.max() < classes):
        problem = f"predict returned classes from {found.min()} to {found.max()}"
        raise ValueError(f"{problem}; there are {classes}, numbered from 0")
    return found.astype(np.int64)
