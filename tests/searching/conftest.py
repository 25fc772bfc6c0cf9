"""A real Ray for the search tests, started once: two CPUs, no GPU."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tune_mnist.actions.preparing import prepare_plan
from tune_mnist.actions.requests import SearchRequest
from tune_mnist.actions.search import run as run_prepared
from tune_mnist.datasets import Dataset, Images, load_dataset
from tune_mnist.searching.history.warm_start import WarmStart
from tune_mnist.searching.observer import Observer
from tune_mnist.searching.on_ray.session.ray_session import ray_session
from tune_mnist.searching.planning.machine import Machine
from tune_mnist.searching.planning.plan import Plan, plan_search
from tune_mnist.searching.stopping.ending import Outcome
from tune_mnist.spaces import Overrides, override, read_space
from tune_mnist.store.reader import read_trials
from tune_mnist.training.svm.config import Engine

TWO_CPUS = Machine(cpus=2, gpus=0, memory_bytes=8 * 2**30)

SVM = """
model: svm
dataset: digits
parameters:
  kernel: {choice: [linear, rbf]}
  C: {choice: [0.1, 1.0, 10.0]}
search: {sampler: grid}
"""
RESNET = """
model: resnet
dataset: digits
parameters:
  batch_size: 64
  learning_rate: {choice: [0.01, 0.001]}
  epochs: 2
search: {sampler: grid, trials: 2}
"""


@pytest.fixture(scope="session")
def few_digits() -> Dataset:
    """The digits with few images in each part, so that an SVM takes a moment."""
    return digits_of(train=256, others=64)


@pytest.fixture(scope="session")
def fewer_digits() -> Dataset:
    """The digits with so few images that a ResNet's epoch takes a moment."""
    return digits_of(train=64, others=32)


def digits_of(train: int, others: int) -> Dataset:
    """Return the digits with the first images of each part."""
    digits = load_dataset("digits")

    def first(part: Images, size: int) -> Images:
        return Images(part.images[:size], part.labels[:size])

    return replace(
        digits,
        train=first(digits.train, train),
        val=first(digits.val, others),
        test=first(digits.test, others),
    )


def plan_text(folder: Path, text: str, **search: object) -> Plan:
    """Plan a space given as YAML text, with settings of its search overridden."""
    file = folder / "space.yaml"
    file.write_text(text)
    space = override(read_space(file), Overrides(search=search))
    return plan_search(space, cpus=2, gpus=0, machine=TWO_CPUS)


@pytest.fixture(scope="package")  # other packages start their own
def running_ray(few_digits: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    plan = plan_text(tmp_path_factory.mktemp("ray"), SVM)
    with ray_session(plan, few_digits):
        yield


Searched = tuple[Outcome, list[dict[str, Any]]]


@pytest.fixture
def search(
    running_ray: None, few_digits: Dataset, fewer_digits: Dataset, tmp_path: Path
) -> Callable[..., Searched]:
    """A function that runs a space to its end: its outcome, and its rows in the store.

    One trial at a time unless a test asks for more: each process that trains costs seconds to
    start.
    """

    def run(
        text: str,
        name: str = "s",
        observer: Observer | None = None,
        remember: bool = False,
        engine: Engine | None = None,
        warm: WarmStart | None = None,
        resume: bool = False,
        keep_models: int = 1,
        **settings: object,
    ) -> Searched:
        plan = plan_text(tmp_path, text, **{"max_concurrent": 1, **settings})
        plan = replace(plan, engine=(engine, "so says the test") if engine else None)
        request = SearchRequest(
            space=plan.space.models[0],
            name=name,
            results=tmp_path / "results",
            rerun=not remember,
            resume=name if resume else None,
            allow_change=True,
            keep_models=keep_models,
        )
        data = fewer_digits if "resnet" in plan.space.models else few_digits
        prepared = prepare_plan(plan, data, request)
        prepared = replace(prepared, known=replace(prepared.known, warm=warm))
        outcome = run_prepared(prepared, observer).outcome
        if not outcome.counts:
            return outcome, []
        return outcome, read_trials(tmp_path / "results", search=name).to_pylist()

    return run
