"""A ladder of rungs reports like one trial; with the real SVM."""

from __future__ import annotations

import pytest

from tune_mnist.datasets import Dataset
from tune_mnist.training.ladder import train_ladder
from tune_mnist.training.measurement import OF_TEST_IMAGES, Measurement, Report
from tune_mnist.training.options import TrainOptions
from tune_mnist.training.svm import train as svm

RUNGS = (1 / 9, 1 / 3, 1.0)


@pytest.fixture(scope="module")
def alone(digits: Dataset) -> list[Measurement]:
    """Each rung trained on its own."""
    found: list[Measurement] = []
    for fraction in RUNGS:
        config = svm.SvmConfig("rbf", 1.0, train_fraction=fraction)
        found.append(svm.train(config, digits, lambda *_: None, TrainOptions()))
    return found


@pytest.fixture(scope="module")
def reports(alone: list[Measurement]) -> list[Measurement]:
    def train(fraction: float, report: Report) -> Measurement:
        measurement = alone[RUNGS.index(fraction)]
        report(measurement, None)
        return measurement

    collected: list[Measurement] = []
    train_ladder(train, RUNGS, lambda m, _: collected.append(m))
    return collected


def test_each_rung_reports_one_measurement(
    alone: list[Measurement], reports: list[Measurement]
) -> None:
    assert [(r["step"], r["fidelity"]) for r in reports] == list(zip((1, 2, 3), RUNGS, strict=True))
    assert [r["val_accuracy"] for r in reports] == [r["val_accuracy"] for r in alone]


def test_only_the_last_rung_is_tested(alone: list[Measurement], reports: list[Measurement]) -> None:
    assert [set(OF_TEST_IMAGES) & r.keys() for r in reports[:2]] == [set(), set()]
    assert set(OF_TEST_IMAGES) <= reports[2].keys()
    assert reports[2]["confusion"] == alone[2]["confusion"]


@pytest.mark.parametrize("part", ["setup_s", "fit_s", "eval_s", "wall_time_s"])
def test_times_add_up_over_the_rungs(
    part: str, alone: list[Measurement], reports: list[Measurement]
) -> None:
    assert reports[2][part] == pytest.approx(sum(r[part] for r in alone))  # type: ignore[literal-required]
