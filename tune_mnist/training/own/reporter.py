"""What a training function receives: the images that it may see, and whom it reports to."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar, cast

import numpy as np

from tune_mnist.datasets import Dataset, Images
from tune_mnist.training.measurement import (
    Measurement,
    Part,
    Report,
    add_test_images,
    add_times,
    balanced_accuracy,
    confusion,
)
from tune_mnist.training.options import TrainOptions
from tune_mnist.training.own.reported import Estimator, Labels, Predict, classes_of, predict_of
from tune_mnist.training.own.states import Restored, save_state, set_draws

Function = TypeVar("Function", bound=Callable[..., Any])

Keep = Callable[[Measurement, "Predict | Estimator", Labels], None]
"""Takes a finished measurement, what it was measured with, and the validation images' classes."""

_AT_ONCE = 512  # images to predict at a time: bounds the memory


@dataclass(frozen=True)
class TrainingData:
    """The images that a training function may see; those of the test never are among them.

    Args:
        train: images to train on: `.images` (n, h, w) or (n, h, w, 3) uint8, `.labels` (n,) int64,
            both read-only.
        val: the images whose accuracy chooses the winner, for early stopping of your own.
        classes: k class names; labels are positions in it.
    """

    train: Images
    val: Images
    classes: tuple[str, ...]


@dataclass(frozen=True)
class Abilities:
    """What the signature of a training function does not tell.

    Args:
        on_gpu: it computes on `report.device`, which may be "cuda".
        resumable: it reports a `state` and continues from `report.state`.
        has_loss: it reports `train_loss` and `val_loss`.
    """

    on_gpu: bool = False
    resumable: bool = False
    has_loss: bool = False


def trainer(
    *, on_gpu: bool = False, resumable: bool = False, has_loss: bool = False
) -> Callable[[Function], Function]:
    """Say what a training function can do; it needs this only where one of them is true.

    Args:
        on_gpu: it computes on `report.device`, which may be "cuda".
        resumable: it passes `state` to `report`, continues from `report.state` if there is one,
            and loops over `report.epochs()`.
        has_loss: it passes `train_loss` and `val_loss` to `report`; they can be objectives.
    Returns: a decorator, which returns the function itself.
    """

    def mark(function: Function) -> Function:
        function.__tune_mnist__ = Abilities(  # type: ignore[attr-defined]
            on_gpu=on_gpu, resumable=resumable, has_loss=has_loss
        )
        return function

    return mark


@dataclass
class _Progress:
    """How far a training is.

    Args:
        step: reports so far.
        times: seconds so far, by part.
        since: when the function's own time began, on the performance counter.
        last: the last measurement.
        given: what it was measured with, as it was reported.
        of_val: the class that it predicted for each validation image.
    """

    step: int
    times: dict[Part, float]
    since: float = field(default_factory=time.perf_counter)
    last: Measurement | None = None
    given: Predict | Estimator | None = None
    of_val: Labels = field(default_factory=lambda: np.zeros(0, np.int64))


@dataclass(frozen=True)
class Task:
    """What is to be trained and measured, and how.

    Args:
        name: of the model.
        data: with the images as the function sees them.
        fidelity: of a training without epochs: the fraction of the images.
        epochs: how many reports a whole training makes; None: one, at its end.
        abilities: of the function.
        send: receives each measurement.
        keep: receives the last one before `send` does; None: nobody wants it.
    """

    name: str
    data: Dataset
    fidelity: float
    epochs: int | None
    abilities: Abilities
    send: Report
    keep: Keep | None = None


class Reporter:
    """Receives a training's progress: call it after each epoch, or once if there are no epochs.

    It measures the accuracy on the validation images, and at the end of the training, once, on the
    test images. A scheduler may end the trial here: then it raises an exception, which the function
    must let through.

    Attributes:
        device: "cpu", or "cuda" where the function is a `trainer(on_gpu=True)` and has a GPU.
        seed: of this training; `random`, NumPy and torch are seeded with it already.
        threads: CPU threads that it may use, None for no limit; torch and the BLAS know it already.
        state: the state to continue from, as it was reported; None for a new training.
        done: epochs that this state has done; 0 for a new training.
    """

    def __init__(
        self, task: Task, options: TrainOptions, restored: Restored, setup_s: float
    ) -> None:
        self.device = options.device if task.abilities.on_gpu else "cpu"
        self.seed = options.seed
        self.threads = options.threads
        self.state = restored.state
        self.done = restored.done
        self._task = task
        self._random = restored.random
        times = dict(restored.times)
        times["setup_s"] += setup_s
        self._progress = _Progress(self.done, times)

    def epochs(self) -> Iterator[int]:
        """Yield the number of each epoch that is left: 1, 2, ... for a new training.

        Before the first of a training that is continued, the random numbers continue too. So a
        training that was interrupted ends as one that was not.

        Raises: ValueError: the config has no `epochs`.
        """
        last = self._task.epochs
        if last is None:
            raise ValueError(f"the config of {self._task.name} has no `epochs`; add them")
        if self._random:
            set_draws(self._random)
        yield from range(self.done + 1, last + 1)

    def __call__(
        self,
        predict: Predict | Estimator,
        *,
        state: Any = None,
        train_loss: float | None = None,
        train_accuracy: float | None = None,
        val_loss: float | None = None,
        parameters: int | None = None,
    ) -> None:
        """Measure the model as it is now, and report it.

        Args:
            predict: the model: a torch network, which takes uint8 images and returns a score for
                each class, or a fitted estimator of scikit-learn, which takes their pixels as rows.
                These can be saved. Or a function that returns the class of each image.
            state: all that is needed to continue from here: tensors, numbers and texts, in dicts
                and lists. It is written only if it is due, before this call returns.
            train_loss, val_loss: means over the images, in nat.
            train_accuracy: a fraction.
            parameters: numbers in the model.

        Raises: ValueError: more reports than epochs, or something that cannot be what it is.
        """
        task, now = self._task, self._progress
        now.times["fit_s"] += time.perf_counter() - now.since
        began = time.perf_counter()
        now.step += 1
        losses = {"train_loss": train_loss, "val_loss": val_loss}
        others = {"train_accuracy": train_accuracy, "parameters": parameters}
        known = _known({**losses, **others}, now.step)
        self._check(state, known)
        now.given = predict
        measured: Measurement = {**self._measured(), **known}
        is_last = now.step == (task.epochs or 1)
        if is_last:
            self._test(measured)
        now.times["eval_s"] += time.perf_counter() - began
        add_times(measured, now.times)
        now.last = measured
        if is_last:
            self._keep(measured)
        saved = partial(save_state, state, now.step, dict(now.times), task.name)
        task.send(measured, None if state is None or is_last else saved)
        now.since = time.perf_counter()

    def finished(self) -> Measurement:
        """Return the last measurement of a function that has returned.

        One that has ended before its last epoch is measured on the test images now.

        Raises: ValueError: it has reported nothing.
        """
        now = self._progress
        if now.last is None:
            problem = f"{self._task.name} returned and reported nothing"
            raise ValueError(f"{problem}; call report(network) after each epoch")
        if "test_accuracy" not in now.last:
            began = time.perf_counter()
            whole = now.last.copy()
            self._test(whole)
            now.times["eval_s"] += time.perf_counter() - began
            add_times(whole, now.times)
            now.last = whole
            self._keep(whole)
            self._task.send(whole, None)
        return now.last

    def _check(self, state: Any, known: Measurement) -> None:
        task, step = self._task, self._progress.step
        if task.epochs is None and step > 1:
            problem = f"{task.name} reports twice, and its config has no `epochs`"
            raise ValueError(f"{problem}; report once, or add epochs")
        if task.epochs is not None and step > task.epochs:
            problem = f"{task.name} reports epoch {step} of {task.epochs}"
            raise ValueError(f"{problem}; loop over report.epochs()")
        if state is not None and not task.abilities.resumable:
            raise ValueError(f"{task.name} reports a state; mark it @trainer(resumable=True)")
        if task.abilities.has_loss and not {"train_loss", "val_loss"} <= known.keys():
            problem = f"{task.name} is marked has_loss=True, and reports no train_loss or val_loss"
            raise ValueError(f"{problem}; pass both to report")

    def _keep(self, measured: Measurement) -> None:
        now = self._progress
        if self._task.keep is not None and now.given is not None:
            self._task.keep(measured, now.given, now.of_val)

    def _measured(self) -> Measurement:
        task, now = self._task, self._progress
        val, classes = task.data.val, len(task.data.classes)
        now.of_val = self._predicted(val)
        counts = confusion(val.labels, now.of_val, classes)
        return Measurement(
            step=now.step,
            fidelity=task.fidelity if task.epochs is None else float(now.step),
            val_accuracy=sum(counts[:: classes + 1]) / len(val),
            val_balanced_accuracy=balanced_accuracy(counts),
            engine=task.name,
        )

    def _test(self, measured: Measurement) -> None:
        test = self._task.data.test
        predicted = self._predicted(test)
        add_test_images(measured, test.labels, predicted, len(self._task.data.classes))

    def _predicted(self, part: Images) -> Labels:
        assert self._progress.given is not None
        predict, classes = predict_of(self._progress.given), len(self._task.data.classes)
        found = [
            classes_of(predict(some), len(some), classes)
            for start in range(0, len(part), _AT_ONCE)
            for some in [part.images[start : start + _AT_ONCE]]
        ]
        return np.concatenate(found) if found else np.zeros(0, np.int64)


class FirstReport(Reporter):
    """Ends a training at its first report, which it does not measure.

    Attributes:
        given: the network, estimator or function that was reported; None before.
    """

    class Came(Exception):  # noqa: N818 - it is what was waited for, and no error
        """Ends the training."""

    given: Predict | Estimator | None = None

    def __call__(self, predict: Predict | Estimator, **_: Any) -> None:
        """Keep what is reported, and end the training."""
        self.given = predict
        raise self.Came


def _known(given: Mapping[str, Any], epoch: int) -> Measurement:
    """Return what a function measured itself, as Python's numbers.

    Raises: ValueError: it cannot be what it is. FloatingPointError: a loss is not finite.
    """
    known: dict[str, Any] = {}
    for name, value in given.items():
        if value is None:
            continue
        number = value.item() if hasattr(value, "item") else value
        if isinstance(number, bool) or not isinstance(number, (int, float)):
            raise ValueError(f"{name} is {number!r}, not a number")
        if name.endswith("_loss") and not math.isfinite(number):
            raise FloatingPointError(f"diverged: the {name} is {number} in epoch {epoch}")
        if name == "train_accuracy" and not 0 <= number <= 1:
            raise ValueError(f"train_accuracy is {number}, not a fraction from 0 to 1")
        if name == "parameters" and number != int(number):
            raise ValueError(f"parameters is {number}, not a whole number")
        known[name] = int(number) if name == "parameters" else float(number)
    return cast(Measurement, known)
