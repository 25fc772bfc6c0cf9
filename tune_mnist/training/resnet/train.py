"""Train a ResNet as the technical report did: a plain function of configuration and data.

torchvision's resnet18 or resnet50 starts from random weights and is trained with cross-entropy and
SGD or Adam, on input in three channels (image_input.py). precision.py chooses the number format of
its matrix products. config.py says what else can be chosen; whatever a configuration leaves out is
as in the technical report.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from time import perf_counter

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from tune_mnist.datasets import Dataset, Images, first_of_each_class
from tune_mnist.errors import input_error
from tune_mnist.training.class_weights import balanced_weights
from tune_mnist.training.fitted import Fitted
from tune_mnist.training.images import View, grey, resize
from tune_mnist.training.learning_rate import learning_rate
from tune_mnist.training.measurement import (
    PARTS,
    Int64,
    Measurement,
    Part,
    Report,
    add_test_images,
    add_times,
    balanced_accuracy,
    confusion,
)
from tune_mnist.training.options import TrainOptions
from tune_mnist.training.resnet.config import INPUT_SIZE, ResnetConfig, input_size
from tune_mnist.training.resnet.cuda_graph import graphed_step
from tune_mnist.training.resnet.flops import forward_cost
from tune_mnist.training.resnet.fused_update import fused_optimizer, set_learning_rate
from tune_mnist.training.resnet.image_input import (
    augmentation,
    augmented,
    batch_count,
    batches,
    shuffled,
)
from tune_mnist.training.resnet.kept_memory import kept_memory
from tune_mnist.training.resnet.live_taps import keep_live_taps
from tune_mnist.training.resnet.matrix_product import ONEDNN
from tune_mnist.training.resnet.precision import product_dtype
from tune_mnist.training.resnet.state import State, restore_state, save_state
from tune_mnist.training.resnet.step import (
    Loss,
    Step,
    draw_network,
    evaluate,
    loss_scaler,
    training_step,
)

__all__ = ["ResnetConfig", "train"]

_HOST = torch.device("cpu")


@kept_memory()
def train(
    config: ResnetConfig, data: Dataset, report: Report, options: TrainOptions
) -> Measurement:
    """Train for `config.epochs` epochs, report after each one, and return the last measurement.

    An epoch visits every training image of the fraction once, in a new order. Training loss and
    accuracy are means over the epoch, and each batch is measured before its update, as in the
    technical report. The training loss is the one that is minimised: on augmented images, with
    label smoothing and class weights. The validation loss is the plain cross-entropy, so it can be
    compared between all configurations. Initial weights, order and augmentation depend only on the
    seed, so on a CPU the same seed and number of threads give the same numbers again. torch's
    global generator is left as it was.

    A training contains a shorter one, as a `prefix`, only if its learning rate is constant: any
    other schedule depends on the number of epochs.

    Args:
        config: the hyperparameters.
        data: images of any size, grey or RGB; only read.
        report: called after each epoch; except after the last one, it also receives a function that
            saves the state. An exception that it raises ends the training.
        options: `device`, `seed`, `lengths`, `restore` and `keep` are used. `keep`
            receives the network, whose `state_dict` fits torchvision's, its name there, and the
            number format of its matrix products.

    Raises:
        InputError: there are fewer than two training images, the device lacks the precision, or
            this training cannot continue from the state in `restore`.
        FloatingPointError: a loss is not finite: the training diverged.
    """
    times = dict.fromkeys(PARTS, 0.0)
    ready = _set_up(config, data, options, times)
    lengths = options.lengths if config.schedule == "constant" else ()
    for epoch in range(ready.done + 1, config.epochs + 1):
        measurement, predicted = _epoch(epoch, config, data, ready, times)
        if epoch == config.epochs or epoch in lengths:
            finished = _finished(measurement, ready, data)
            if options.keep is not None:
                precision = str(ready.dtype).removeprefix("torch.")
                parts = ready.network, config.architecture, precision
                options.keep(finished, Fitted(parts, data, ready.view, predicted))
            if epoch == config.epochs:
                measurement = finished
            else:
                measurement["prefix"] = finished
        more = epoch < config.epochs
        report(measurement, partial(save_state, ready.state, epoch, dict(times)) if more else None)
    return measurement


@dataclass(frozen=True)
class _Ready:
    """A training that is ready for its next epoch.

    Args:
        network: the network, on the device.
        state: all that must be saved to resume this training.
        step: the optimisation step.
        train_set, val_set: images at the network's size, and their labels.
        view: how the network sees the images.
        device, dtype: where matrix products run, and in which number format.
        seed: decides how images are augmented in each epoch.
        done: number of epochs that the restored state had done; 0 without one.
        facts: what all measurements share: parameters, multiply_adds and engine.
    """

    network: nn.Module
    state: State
    step: Step
    train_set: tuple[Tensor, Tensor]
    val_set: tuple[Tensor, Tensor]
    view: View
    device: torch.device
    dtype: torch.dtype
    seed: int
    done: int
    facts: Measurement


def _set_up(
    config: ResnetConfig, data: Dataset, options: TrainOptions, times: dict[Part, float]
) -> _Ready:
    """Draw the network, restore a saved state, and put the images where the steps need them."""
    train_images = first_of_each_class(data.train, config.train_fraction)
    if len(train_images) < 2:
        raise input_error(data.name, "fewer than 2 training images", "BatchNorm needs at least 2")
    with _timed(times, "setup_s"):
        target = torch.device(options.device)
        dtype = product_dtype(config.precision, target)
        network = draw_network(config.architecture, len(data.classes), options.seed)
        parameters = sum(weights.numel() for weights in network.parameters())
        side = config.image_size or input_size(data.train.images)
        keep_live_taps(network, side, side)
        network.to(target)
        order = torch.Generator().manual_seed(options.seed)
        optimizer = fused_optimizer(network, config)
        scaler = loss_scaler(target, dtype)
        kind = f"{config.architecture}, {config.optimizer}, {len(data.classes)} classes"
        kind += "" if side == INPUT_SIZE else f", {side}x{side} pixels"
        state = State(kind, network, optimizer, order, scaler)
        restore = options.restore
        done = restore_state(state, restore, config.epochs, times) if restore else 0
        view = View(side, config.colour)
        kept = target if config.pin_memory is None else _HOST
        train_set = _tensors(train_images, view, kept)
        val_set = _tensors(data.val, view, target)
        loss = _loss(config, train_images, len(data.classes), target)
        step = training_step(network, optimizer, target, dtype, scaler, loss)
        step, engine = _fastest_step(step, state, _sizes(train_set, config), target, dtype)
    facts = Measurement(
        parameters=parameters,
        multiply_adds=forward_cost(config.architecture, len(data.classes), side).multiply_adds,
        engine=engine,
    )
    sets = (train_set, val_set)
    return _Ready(network, state, step, *sets, view, target, dtype, options.seed, done, facts)


def _loss(config: ResnetConfig, images: Images, classes: int, device: torch.device) -> Loss:
    """Return the loss that is minimised: torch's cross-entropy, smoothed and weighted as asked."""
    weight = None
    if config.class_weight == "balanced":
        counts = np.bincount(images.labels, minlength=classes)
        weight = torch.from_numpy(balanced_weights(counts)).to(device, torch.float32)
    return partial(cross_entropy, weight=weight, label_smoothing=config.label_smoothing)


def _epoch(
    epoch: int, config: ResnetConfig, data: Dataset, ready: _Ready, times: dict[Part, float]
) -> tuple[Measurement, Int64]:
    """Train for one epoch and measure it; raise FloatingPointError if a loss is not finite.

    Returns: the measurement, and the predicted class of each validation image.
    """
    with _timed(times, "fit_s"):
        train_loss, train_accuracy = _fit(epoch, config, ready)
    _check_finite("training", train_loss, epoch, config)
    with _timed(times, "eval_s"):
        val_loss, val_accuracy, predicted = evaluate(
            ready.network, *ready.val_set, ready.device, ready.dtype
        )
    _check_finite("validation", val_loss, epoch, config)
    classes: Int64 = predicted.numpy()
    counts = confusion(data.val.labels, classes, len(data.classes))
    measurement = Measurement(
        step=epoch,
        fidelity=float(epoch),
        train_loss=train_loss,
        train_accuracy=train_accuracy,
        val_loss=val_loss,
        val_accuracy=val_accuracy,
        val_balanced_accuracy=balanced_accuracy(counts),
    )
    measurement.update(ready.facts)
    add_times(measurement, times)
    return measurement, classes


def _finished(measurement: Measurement, ready: _Ready, data: Dataset) -> Measurement:
    """Return the measurement with the test images' part: what a training that ends here reports."""
    finished = measurement.copy()
    times = {part: measurement[part] for part in PARTS}
    with _timed(times, "eval_s"):
        test = _tensors(data.test, ready.view, ready.device)
        _, _, predicted = evaluate(ready.network, *test, ready.device, ready.dtype)
    add_test_images(finished, data.test.labels, predicted.numpy(), len(data.classes))
    add_times(finished, times)
    return finished


def _tensors(images: Images, view: View, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the images as the network sees them and a copy of their labels, on the device."""
    assert view.side is not None
    pixels = grey(images.images) if view.colour == "grey" else images.images
    labels = torch.from_numpy(images.labels.copy())
    return resize(pixels, view.side).to(device), labels.to(device)


def _sizes(train_set: tuple[Tensor, Tensor], config: ResnetConfig) -> list[tuple[Tensor, Tensor]]:
    """Return one batch of each size that an epoch has."""
    return list({len(some[1]): some for some in batches(*train_set, config.batch_size)}.values())


def _fastest_step(
    step: Step,
    state: State,
    one_of_each_size: list[tuple[Tensor, Tensor]],
    device: torch.device,
    dtype: torch.dtype,
) -> tuple[Step, str]:
    """Return the optimisation step, recorded if possible, and the name of its engine."""
    engine = f"live taps, {device.type} {dtype}".replace("torch.", "")
    if device.type == "cpu":
        return step, engine + (", oneDNN" if ONEDNN else ", BLAS")
    if dtype == torch.float16:  # its loss scaler skips some steps, which a recording cannot
        return step, engine + ", eager"
    try:
        recorded = graphed_step(step, state.network, state.optimizer, one_of_each_size)
    except RuntimeError as error:
        return step, f"{engine}, eager (no CUDA graph: {str(error).splitlines()[0]})"
    return recorded, engine + ", CUDA graph"


def _fit(epoch: int, config: ResnetConfig, ready: _Ready) -> tuple[float, float]:
    """Train for one epoch; return its mean loss and accuracy."""
    pinned = ready.device.type == "cuda" and config.pin_memory is True
    totals = torch.zeros(2, dtype=torch.float64, device=ready.device)
    in_order = shuffled(*ready.train_set, ready.state.order, pinned=pinned)
    draws = augmentation(ready.seed, epoch)
    per_epoch = batch_count(len(ready.train_set[1]), config.batch_size)
    before, steps = (epoch - 1) * per_epoch, config.epochs * per_epoch
    for number, (images, labels) in enumerate(batches(*in_order, config.batch_size), before):
        if config.schedule != "constant":
            rate = learning_rate(config.schedule, config.learning_rate, number, steps)
            set_learning_rate(ready.state.optimizer, rate)
        totals += ready.step(augmented(images, config.augment, draws), labels)
    mean_loss, accuracy = (totals / len(ready.train_set[1])).tolist()
    return mean_loss, accuracy


def _check_finite(name: str, loss: float, epoch: int, config: ResnetConfig) -> None:
    if not math.isfinite(loss):
        raise FloatingPointError(
            f"diverged: the {name} loss is {loss} in epoch {epoch} "
            f"({config.optimizer}, learning_rate {config.learning_rate})"
        )


@contextmanager
def _timed(times: dict[Part, float], part: Part) -> Iterator[None]:
    """Add the block's wall seconds to `times[part]`."""
    start = perf_counter()
    yield
    times[part] += perf_counter() - start
