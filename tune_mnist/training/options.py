"""The options of a training: how it runs, whatever model it trains."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from tune_mnist.training.fitted import Fitted
    from tune_mnist.training.measurement import Measurement

TorchDevice = Literal["cpu", "cuda"]
"""A device as torch names it; the search spaces call the second one "gpu"."""


Keep: TypeAlias = "Callable[[Measurement, Fitted], None]"
"""Takes a finished measurement, before it is reported, and the model that it is of.

It may time the model, and write it and say in the measurement's `saved` where. It calls nothing of
the model later: the training may go on with it.
"""


@dataclass(frozen=True)
class TrainOptions:
    """What a training receives besides its configuration and its data.

    Args:
        device: where it computes; an SVM always uses the CPU.
        seed: >= 0; decides the initial weights and the order of the images.
        threads: CPU threads that the training may use, at least 1; None leaves the process's
            limits unchanged.
        lengths: numbers of epochs at which a longer training also reports a `prefix`: what a
            training of that length would have reported last. Measuring a prefix takes time, but
            the training's own times do not include it.
        restore: folder of a saved state to continue from. Learning rate, batch size and number of
            epochs may differ from the saved training's; the times continue from the saved ones.
        gram_dir: folder in which SVM trials share one matrix of inner products; None trains
            each SVM on its own.
        keep: receives each model that is fitted; None: nobody wants it.
    """

    device: TorchDevice = "cpu"
    seed: int = 0
    threads: int | None = None
    lengths: Collection[int] = ()
    restore: Path | None = None
    gram_dir: Path | None = None
    keep: Keep | None = None
