"""A model of somebody's own, written into a folder: nearest class means, quick to train."""

from __future__ import annotations

from pathlib import Path

HEAD = """
from dataclasses import dataclass
from typing import Annotated, Literal
import numpy as np
from tune_mnist import Range, Reporter, TrainingData, trainer

@dataclass(frozen=True)
class Config:
    scale: Annotated[float, Range(0.1, 10.0, log=True), "of the pixels"] = 1.0
    epochs: Annotated[int, Range(1, 50)] = 3
"""

MEANS = (
    HEAD
    + """
def train(config: Config, data: TrainingData, report: Reporter) -> None:
    images, labels = data.train.images.astype(float) * config.scale, data.train.labels
    sums = np.zeros((len(data.classes), *images.shape[1:]))
    counts = np.full(len(data.classes), 1e-9)

    def predict(some):
        means = sums / counts.reshape(-1, *[1] * (sums.ndim - 1))
        far = ((some[:, None] * config.scale - means) ** 2).reshape(len(some), len(counts), -1)
        return far.sum(axis=2).argmin(axis=1)

    for _ in range(config.epochs):
        chosen = np.random.permutation(len(labels))[: len(labels) // 2 + 1]
        np.add.at(sums, labels[chosen], images[chosen])
        np.add.at(counts, labels[chosen], 1)
        report(predict)
"""
)

SPACE = "model: {}\ndataset: digits\nsearch: {{sampler: random, trials: 3}}\n"


def write_model(folder: Path, text: str = MEANS, name: str = "means") -> Path:
    """Write a module with a function `train`, and a space that searches it; return the space."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.py").write_text(text)
    space = folder / f"{name}.yaml"
    space.write_text(SPACE.format(f"{name}:train"))
    return space
