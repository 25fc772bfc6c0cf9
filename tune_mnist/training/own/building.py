"""Build the network of a training function again, to put saved tensors into it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from tune_mnist.datasets import Dataset, Images
from tune_mnist.errors import input_error
from tune_mnist.models.own import place_in_own_code
from tune_mnist.training.measurement import Measurement, Save
from tune_mnist.training.options import TrainOptions
from tune_mnist.training.own.function import Function, limited, visible
from tune_mnist.training.own.reporter import FirstReport, Task
from tune_mnist.training.own.states import Restored, drawing
from tune_mnist.training.saved.files import Facts
from tune_mnist.wording import error_text

_MADE = 64  # images, as `spaces check` trains on
_MOST_BYTES = 2**30


def first_reported(function: Function, config: Mapping[str, Any], facts: Facts) -> Any:
    """Return what the function reports first, trained on made images on one thread.

    Args:
        function: as a trainer.
        config: its own hyperparameters.
        facts: of the images: their size, and the classes.

    Raises: InputError: it fails, or reports nothing; or the images would fill the memory.
    """
    images, options = _made(facts), TrainOptions(threads=1)
    task = Task(function.name, images, 1.0, config.get("epochs"), function.abilities, _nobody)
    reporter = FirstReport(task, options, Restored(), 0.0)
    try:
        with limited(options), drawing(options.seed):
            function.train(function.config(**config), visible(images), reporter)
    except reporter.Came:
        return reporter.given
    except Exception as error:  # whatever a stranger's code raises
        problem = f"its network cannot be built again: it fails on {len(images.train)} images"
        problem += f" of noise: {error_text(error)[:400]}{place_in_own_code(error)}"
        raise input_error(function.name, problem, "correct it; few images must do") from error
    fix = "call report(network) after each epoch"
    raise input_error(function.name, "it returned and reported nothing", fix)


def _nobody(_measurement: Measurement, _save: Save | None) -> None:
    """Receive a measurement that nobody asked for."""


def _made(facts: Facts) -> Dataset:
    """Return images of noise, of the size and the classes that a saved model knows."""
    classes = len(facts.classes)
    count = max(_MADE, 2 * classes)
    colour = () if facts.channels == 1 else (3,)
    shape = (count, facts.height, facts.width, *colour)
    if math.prod(shape) > _MOST_BYTES:
        problem = f"was saved for {classes:,} classes of {facts.width}x{facts.height} pixels"
        raise input_error(facts.model[:100], problem, "models of ours are smaller; do not trust it")
    noise = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    part = Images(noise, np.arange(count) % classes)
    return Dataset("noise", part, part, part, facts.classes, "", "")
