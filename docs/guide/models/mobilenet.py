"""torchvision's MobileNetV3 (small), from random weights, on a CPU or a GPU; it can be resumed."""

from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from torch import nn
from torchvision.models import mobilenet_v3_small

from tune_mnist import Range, Reporter, TrainingData, trainer


@dataclass(frozen=True)
class Config:
    learning_rate: Annotated[float, Range(1e-5, 1e-1, log=True), "step size"] = 0.001
    weight_decay: Annotated[float, Range(0, 0.1), "pulls all weights towards 0"] = 0.01
    optimizer: Literal["adamw", "sgd"] = "adamw"
    batch_size: Annotated[int, Range(8, 512, log=True), "images per step"] = 64
    epochs: Annotated[int, Range(1, 300), "passes over the training images"] = 5


class Pixels(nn.Module):
    """From (n, h, w) or (n, h, w, 3) bytes to (n, 3, h, w) numbers from -1 to 1."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        found = images / 127.5 - 1
        grey = found.ndim == 3
        return found[:, None].expand(-1, 3, -1, -1) if grey else found.permute(0, 3, 1, 2)


@trainer(on_gpu=True, resumable=True, has_loss=True)
def train(config: Config, data: TrainingData, report: Reporter) -> None:
    images, labels = torch.tensor(data.train.images), torch.tensor(data.train.labels)
    val_images, val_labels = torch.tensor(data.val.images), torch.tensor(data.val.labels)
    mobilenet = mobilenet_v3_small(weights=None, num_classes=len(data.classes))
    net = nn.Sequential(Pixels(), mobilenet).to(report.device)
    kind = {"adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}[config.optimizer]
    optimizer = kind(net.parameters(), config.learning_rate, weight_decay=config.weight_decay)
    if report.state:  # the trial was interrupted after `report.done` epochs
        net.load_state_dict(report.state["net"])
        optimizer.load_state_dict(report.state["optimizer"])

    def loss(images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        scores = net(images.to(report.device))
        return nn.functional.cross_entropy(scores, labels.to(report.device))

    for _ in report.epochs():
        net.train()
        total = 0.0
        for batch in torch.randperm(len(labels)).split(config.batch_size):
            if len(batch) == 1:  # BatchNorm has no variance over one image
                continue
            optimizer.zero_grad()
            step = loss(images[batch], labels[batch])
            step.backward()
            optimizer.step()
            total += step.item() * len(batch)
        with torch.no_grad():
            net.eval()
            parts = zip(val_images.split(512), val_labels.split(512), strict=True)
            val_loss = sum(float(loss(x, y)) * len(y) for x, y in parts) / len(val_labels)
        report(
            net,
            train_loss=total / len(labels),
            val_loss=val_loss,
            parameters=sum(weights.numel() for weights in net.parameters()),
            state={"net": net.state_dict(), "optimizer": optimizer.state_dict()},
        )
