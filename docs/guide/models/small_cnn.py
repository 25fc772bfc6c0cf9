"""A small convolutional network."""

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import nn

from tune_mnist import Range, Reporter, TrainingData


@dataclass(frozen=True)
class Config:
    learning_rate: Annotated[float, Range(1e-4, 1e-1, log=True), "step size of Adam"] = 0.003
    channels: Annotated[int, Range(4, 128, log=True), "of the first layer"] = 16
    dropout: Annotated[float, Range(0, 0.8), "share of features left out"] = 0.2
    epochs: Annotated[int, Range(1, 100), "passes over the training images"] = 8


class Pixels(nn.Module):
    """From (n, h, w) or (n, h, w, 3) bytes to (n, 1 or 3, h, w) numbers from 0 to 1."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        found = images / 255
        return found[:, None] if found.ndim == 3 else found.permute(0, 3, 1, 2)


def network(config: Config, planes: int, classes: int) -> nn.Module:
    wide = config.channels
    first = (Pixels(), nn.Conv2d(planes, wide, 3, padding=1), nn.BatchNorm2d(wide), nn.ReLU())
    second = (nn.Conv2d(wide, 2 * wide, 3, padding=1), nn.BatchNorm2d(2 * wide), nn.ReLU())
    head = (nn.Flatten(), nn.Dropout(config.dropout), nn.Linear(8 * wide, classes))
    return nn.Sequential(*first, nn.MaxPool2d(2), *second, nn.AdaptiveAvgPool2d(2), *head)


def train(config: Config, data: TrainingData, report: Reporter) -> None:
    images, labels = torch.tensor(data.train.images), torch.tensor(data.train.labels)
    net = network(config, 1 if images.ndim == 3 else 3, len(data.classes))
    optimizer = torch.optim.Adam(net.parameters(), config.learning_rate)
    for _ in range(config.epochs):
        net.train()
        for batch in torch.randperm(len(labels)).split(64):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(images[batch]), labels[batch]).backward()
            optimizer.step()
        report(net)  # measures it; a scheduler may end the trial here
