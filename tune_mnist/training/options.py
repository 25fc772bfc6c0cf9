"""How a training runs, whatever it trains."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class TrainOptions:
    """What a training receives beside its configuration and its data.

    Args:
        device: "cpu" or "cuda".
        seed: >= 0; decides weights and the order of the images.
        threads: cores that the training may use, at least 1; None leaves them as they are.
        lengths: numbers of epochs, of which those before the end are reported with a `prefix`:
            what a training of that length would have reported last. Looking costs this training
            time, but none of the times it reports.
        restore: folder of a saved state to continue from. Learning rate and batch size may differ
            from then; its times are those before and after together.
        gram_dir: folder of the matrix of inner products that SVM trials share; None for each by
            itself.
    """

    device: str = "cpu"
    seed: int = 0
    threads: int | None = None
    lengths: Collection[int] = ()
    restore: Path | None = None
    gram_dir: Path | None = None
