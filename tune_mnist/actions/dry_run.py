"""A tiny training of a model of your own, so that a mistake shows before a search begins."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from tune_mnist.datasets import Dataset, Images, load_dataset
from tune_mnist.errors import input_error
from tune_mnist.models.own import place_in_own_code
from tune_mnist.searching.proposing.proposals import Proposals
from tune_mnist.spaces import Config, Space, config_key
from tune_mnist.training.measurement import Measurement
from tune_mnist.training.model import find_model
from tune_mnist.training.options import TrainOptions
from tune_mnist.wording import config_text, error_text

IMAGES = 64
"""Digits to train on, and half as many to evaluate."""

_MOST_EPOCHS = 2


@dataclass(frozen=True)
class DryRun:
    """A configuration that has been trained.

    Args:
        config: of the space, with at most two epochs.
        measurement: its last one.
        seconds: that it took.
    """

    config: Config
    measurement: Measurement
    seconds: float


def dry_run(space: Space) -> DryRun:
    """Train one random configuration of the space on 64 digits, on the CPU, for two epochs at most.

    The space is of one model.

    Raises: InputError: it fails, or does not measure what the space's goal needs.
    """
    model, config = find_model(space.model), _some_config(space)
    began = time.perf_counter()
    try:
        options = TrainOptions(seed=space.search.seed, threads=1)
        measured = model.train(config, _few_digits(), lambda *_: None, options)
    except Exception as error:  # whatever a stranger's code raises
        what = f"{space.model} fails on {IMAGES} digits with {config_text(config_key(config))}"
        problem = f"{what}: {error_text(error)[:500]}{place_in_own_code(error)}"
        fix = "correct it; check_model of tune_mnist.testing shows the whole traceback"
        raise input_error("", problem, fix, "model") from error
    if missing := [name for name in space.metrics if name not in measured]:
        problem = f"{space.model} measures no {', '.join(missing)}, which the space needs"
        raise input_error("", problem, "report it, or choose another objective", "model")
    return DryRun(config, measured, time.perf_counter() - began)


def _some_config(space: Space) -> Config:
    at_random = space.search.model_copy(update={"sampler": "random", "scheduler": "none"})
    proposal = Proposals(space.model_copy(update={"search": at_random}), "cpu").next()
    assert proposal is not None  # a space has a configuration
    config = {name: value for name, value in proposal.config.items() if name != "device"}
    if "epochs" in config:
        least = find_model(space.model).hyperparameters["epochs"].low
        config["epochs"] = int(max(least, min(_MOST_EPOCHS, int(config["epochs"]))))
    return config


def _few_digits() -> Dataset:
    digits = load_dataset("digits")

    def first(part: Images, size: int) -> Images:
        return Images(part.images[:size], part.labels[:size])

    return replace(
        digits,
        train=first(digits.train, IMAGES),
        val=first(digits.val, IMAGES // 2),
        test=first(digits.test, IMAGES // 2),
    )
