"""How long a fitted model takes to predict an image, on a clock of the test's own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from tests.training.saved.fitted_models import CONFIGS, first_images, trained
from tune_mnist.datasets import Dataset
from tune_mnist.metrics import LATENCIES
from tune_mnist.training import latency
from tune_mnist.training.fitted import Fitted, Predictor
from tune_mnist.training.latency import latency_s, timing
from tune_mnist.training.measurement import Measurement
from tune_mnist.training.model import find_model

IMAGES = np.zeros((5, 4, 4), np.uint8)


@dataclass
class Clock:
    """Passes only while a model predicts.

    Args:
        seconds: that each call takes, the last one again and again.
        calls: how many images each call was for.
    """

    seconds: list[float]
    now: float = 0.0
    calls: list[int] = field(default_factory=list)

    def predict(self, images: Any) -> Any:
        self.now += self.seconds[min(len(self.calls), len(self.seconds) - 1)]
        self.calls.append(len(images))
        return np.zeros(len(images), np.int64)

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Clock:
    made = Clock(list(request.param))
    monkeypatch.setattr(latency, "time", made)
    return made


@pytest.mark.parametrize(
    ("clock", "seconds", "calls"),
    [
        ((0.0001,), 0.0001, 31),  # quick: many calls, and one that warms up
        ((0.9, 0.02), 0.02, 4),  # a cold start does not count
        ((0.3, 0.1, 0.5, 0.2), 0.2, 4),  # the median of three
        ((4.0,), 4.0, 1),  # a slow one is called once
        ((0.8, 0.6), 0.6, 2),
    ],
    indirect=["clock"],
)
def test_it_is_the_median_after_a_warm_up_in_bounded_time(
    clock: Clock, seconds: float, calls: int
) -> None:
    assert latency_s(clock.predict, IMAGES, 1) == pytest.approx(seconds)
    assert clock.calls == [1] * calls


@pytest.mark.parametrize("clock", [(0.256,)], indirect=True)
def test_a_batch_counts_by_the_image_and_repeats_few_images(clock: Clock) -> None:
    assert latency_s(clock.predict, IMAGES, 256) == pytest.approx(0.001)
    assert set(clock.calls) == {256}


def never(_fitted: Fitted) -> Predictor:
    raise MemoryError("the GPU is full")


def test_a_model_that_cannot_be_timed_is_a_result_all_the_same() -> None:
    measured, kept = Measurement(val_accuracy=0.9), list[Any]()
    timing(never, lambda *both: kept.append(both))(measured, None)  # type: ignore[arg-type]
    assert measured["not_timed"] == "MemoryError: the GPU is full"
    assert "latency_batch_1_s" not in measured
    assert len(kept) == 1


@pytest.mark.parametrize("model", CONFIGS)
def test_every_model_is_timed_with_what_predicts_as_its_training_did(
    model: str, digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before it may be saved, so that a latency can decide which models are."""
    [(measured, fitted)] = trained(model, CONFIGS[model], first_images(digits, 64))
    predictor = find_model(model).predictor
    assert predictor is not None
    assert (predictor(fitted).build()(digits.val.images) == fitted.predicted).all()
    took, seen = measured["wall_time_s"], []
    keep = timing(predictor, lambda measurement, _: seen.append(measurement.copy()))
    keep(measured, fitted)
    assert all(0 < seen[0][name] < 60 for name in LATENCIES)  # type: ignore[literal-required]
    assert measured["wall_time_s"] == took

    def latency_again(*_: Any) -> float:
        return 99.0

    monkeypatch.setattr(latency, "latency_s", latency_again)
    keep(measured, fitted)
    again = measured["latency_batch_1_s"] == 99.0
    assert again == (model != "resnet"), "networks of one size take the same time"
