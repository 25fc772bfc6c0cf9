"""A forecast: own times where the store has them, an interval that holds, no guess without."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from tests.searching.conftest import RESNET, SVM, Searched, plan_text
from tune_mnist.datasets import Dataset
from tune_mnist.searching.history.memory import Memory
from tune_mnist.searching.history.past_times import plan_forecast
from tune_mnist.searching.planning.forecast import Timed, Workers, forecast
from tune_mnist.spaces import Config
from tune_mnist.store.plans import read_search


def resnet(epochs: int, batch_size: int) -> Config:
    return {"epochs": epochs, "batch_size": batch_size, "optimizer": "sgd"}


GRID = [resnet(epochs, 2**size) for epochs in range(1, 9) for size in range(3, 9)]


def seconds(config: Config) -> float:
    """As a training does: so much an epoch, more of it for small batches, a second to set up."""
    return 1.0 + float(config["epochs"]) * (2.0 + 100.0 / float(config["batch_size"]))


def timed(configs: list[Config], rng: np.random.Generator, search: str = "s") -> list[Timed]:
    busy = math.exp(rng.normal(0, 0.2))
    return [
        Timed(one, seconds(one) * busy * math.exp(rng.normal(0, 0.05)), search) for one in configs
    ]


def test_nothing_is_guessed_without_a_past() -> None:
    assert forecast([], GRID, workers=Workers(1)) is None
    three = [Timed(config, seconds(config), "s") for config in GRID[:3]]
    assert forecast(three, GRID, workers=Workers(1)) is None


def test_a_configuration_that_has_been_timed_takes_its_own_time() -> None:
    past = [Timed(resnet(1, 8), 100.0, "s"), Timed(resnet(1, 16), 1.0, "s")]
    told = forecast(past, [resnet(1, 8), resnet(1, 8)], workers=Workers(1), start_s=7.0)
    assert told is not None
    assert (told.timed, told.trials, told.past) == (2, 2, 2)
    assert told.seconds == pytest.approx(207.0, rel=0.05)
    assert told.low < told.seconds < told.high


def test_two_workers_take_half_as_long_and_a_budget_is_an_upper_bound() -> None:
    past = [Timed(resnet(1, 8), 10.0, "s")]
    planned = [resnet(1, 8)] * 10
    one, two = (forecast(past, planned, workers=Workers(n)) for n in (1, 2))
    short = forecast(past, planned, workers=Workers(1), budget_s=30.0)
    assert one is not None
    assert two is not None
    assert short is not None
    assert one.seconds / two.seconds == pytest.approx(2.0, rel=0.05)
    assert (short.seconds, short.high) == (30.0, 30.0)


def test_the_interval_holds_what_then_happens_in_eight_of_ten_searches() -> None:
    """40 searches of 12 configurations, most of them new, after three searches of 8."""
    rng = np.random.default_rng(0)
    held, widths = 0, []
    for _ in range(40):
        order = rng.permutation(len(GRID))
        chosen = [GRID[place] for place in order]
        past = [one for i in range(3) for one in timed(chosen[8 * i : 8 * i + 8], rng, f"s{i}")]
        planned = chosen[20:32]
        real = sum(one.seconds for one in timed(planned, rng))
        told = forecast(past, planned, workers=Workers(1))
        assert told is not None
        held += told.low <= real <= told.high
        widths.append(told.high / told.low)
    assert held >= 0.7 * 40
    assert np.median(widths) < 2.2  # an interval that always holds is no forecast


def test_the_store_tells_how_long_a_search_will_take(
    search: Callable[..., Searched], few_digits: Dataset, tmp_path: Path
) -> None:
    plan = plan_text(tmp_path, SVM)
    root = tmp_path / "results"
    assert plan_forecast(root, plan, few_digits, None) is None
    search(SVM, "past")
    record = read_search(root, "past")
    assert record.ended is not None
    started, ended = map(datetime.fromisoformat, (record.started, record.ended.at))
    took = (ended - started).total_seconds()
    told = plan_forecast(root, plan, few_digits, None)
    assert told is not None
    assert (told.timed, told.trials, told.past) == (6, 6, 6)
    assert 0.6 * took <= told.seconds <= 1.4 * took
    again = plan_forecast(root, plan, few_digits, Memory(root, plan, few_digits))
    assert again is not None
    assert (again.trials, again.high) == (0, 0.0)  # the store answers all of it


def test_trials_of_other_images_do_not_tell(
    search: Callable[..., Searched], few_digits: Dataset, tmp_path: Path
) -> None:
    search(SVM, "past")
    other = replace(few_digits, content_hash="other")
    assert plan_forecast(tmp_path / "results", plan_text(tmp_path, SVM), other, None) is None


def test_trials_that_share_a_training_are_counted_once(
    search: Callable[..., Searched], few_digits: Dataset, tmp_path: Path
) -> None:
    text = RESNET.replace("epochs: 2", "epochs: {choice: [1, 2]}").replace("trials: 2", "trials: 4")
    search(text, "past")
    told = plan_forecast(tmp_path / "results", plan_text(tmp_path, text), few_digits, None)
    assert told is not None
    assert (told.trials, told.timed, told.past) == (2, 2, 4)
