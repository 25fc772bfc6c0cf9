"""Every claim can come out each way: with runs where it holds, fails, or is not decidable."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest

from tests.reproduction.example_runs import whole_grid
from tune_mnist.reproduction.claims import CLAIMS, audit, judged
from tune_mnist.reproduction.evidence import Verdict
from tune_mnist.reproduction.runs import published_runs

Row = dict[str, Any]
Made = Callable[[], pd.DataFrame]

pytestmark = pytest.mark.filterwarnings("ignore:Precision loss occurred")  # equal on purpose

KNOWN = {claim.name: claim for claim in CLAIMS}


def jitter(row: Row) -> float:
    """A difference between -1 and 1 that depends only on the setting and the seed."""
    return (sum(map(ord, f"{row['setting']}{row['kind']}{row.get('seed', 0)}")) % 21 - 10) / 10


def accuracies(of: Callable[[Row], float], seeds: int = 1, noise: float = 0.001) -> Made:
    """The grid with these test and validation accuracies, and a little noise."""

    def columns(row: Row) -> Row:
        value = of(row) + noise * jitter(row)
        return {"test_accuracy": value, "val_accuracy": value}

    return lambda: whole_grid(columns, seeds)


def exactly(of: Callable[[Row], float]) -> Made:
    return accuracies(of, noise=0)


def times(of: Callable[[Row], float], noise: float = 0.02) -> Made:
    return lambda: whole_grid(lambda row: {"wall_time_s": of(row) * (1 + noise * jitter(row))})


def sized(column: str, resnet18: float, resnet50: float) -> Made:
    both = {"resnet18": resnet18, "resnet50": resnet50}
    return lambda: whole_grid(lambda row: {column: both.get(row["kind"], 1.0)})


def on_both(columns: Callable[[Row], Row]) -> Made:
    """The grid on a CPU and on a GPU."""

    def half(on: str) -> pd.DataFrame:
        return whole_grid(lambda row: {"device": on, "where": on, **columns({**row, "on": on})})

    return lambda: pd.concat([half("cpu"), half("gpu")])


def without(make: Made, condition: str) -> Made:
    return lambda: make().query(f"not ({condition})")


def is_(name: str, value: object, yes: float, no: float) -> Callable[[Row], float]:
    return lambda row: yes if row[name] == value else no


def chosen(val: Callable[[float], float]) -> Made:
    """Validation accuracy as a function of the test accuracy, which differs by setting."""

    def columns(row: Row) -> Row:
        test = 0.9 + 0.01 * jitter(row)
        return {"test_accuracy": test, "val_accuracy": val(test)}

    return lambda: whole_grid(columns)


def on_test_sets(standard: float, holdout: float) -> Made:
    """The printed accuracies plus these, on the standard and on the held-out test images."""
    printed = {"mnist": 0.9739, "fashion-mnist": 0.8927}

    def half(name: str, off: float) -> pd.DataFrame:
        return whole_grid(
            lambda row: {"test_set": name, "test_accuracy": printed[row["dataset"]] + off}
        )

    return lambda: pd.concat([half("standard", standard), half("holdout", holdout)])


def kernels(poly: float, rbf: float) -> Callable[[Row], float]:
    mnist = {"poly": poly, "rbf": rbf}
    fashion = {"poly": rbf, "rbf": poly}
    return lambda row: (mnist if row["dataset"] == "mnist" else fashion).get(row["kind"], 0.9)


def trained(train: float) -> Made:
    return lambda: whole_grid(lambda row: {"train_accuracy": train})


def fast_gpu(resnet18: float, resnet50: float) -> Made:
    gain = {"resnet18": resnet18, "resnet50": resnet50}

    def columns(row: Row) -> Row:
        return {"wall_time_s": 100 / (gain.get(row["kind"], 1) if row["on"] == "gpu" else 1)}

    return on_both(columns)


def moved(points: Callable[[Row], float]) -> Made:
    def columns(row: Row) -> Row:
        return {"test_accuracy": 0.9 + (points(row) if row["on"] == "gpu" else 0) / 100}

    return on_both(columns)


def apart(small_rate: float, large_rate: float) -> Callable[[Row], float]:
    """The distance between MNIST and FashionMNIST, one for each learning rate."""

    def accuracy(row: Row) -> float:
        off = small_rate if row["learning_rate"] == 1e-4 else large_rate
        return 0.97 - (off if row["dataset"] == "fashion-mnist" else 0)

    return accuracy


def slower(low: float, high: float) -> Callable[[Row], float]:
    """The ratio of ResNet-50's time to ResNet-18's, one for each learning rate."""

    def seconds(row: Row) -> float:
        ratio = low if row["learning_rate"] == 1e-4 else high
        return 10 * (ratio if row["kind"] == "resnet50" else 1)

    return seconds


def mixed(row: Row) -> float:
    return 0.9 + (0.02 if (row["kind"] == "resnet18") == (row["learning_rate"] == 1e-4) else 0)


def alone(kind: str, where: str) -> pd.DataFrame:
    runs = whole_grid(lambda row: {"where": where})
    of_kind: pd.DataFrame = runs[runs["kind"] == kind]
    return of_kind


FIRST_HALF = "kind == 'resnet18' and learning_rate == 0.001"
NO_POLY = "kind == 'poly' and C == 10"
NO_NUMBER = float("nan")

# For each claim: runs where it holds, where it does not, and where it is not decidable.
CASES: dict[str, tuple[Made, Made, Made]] = {
    "ResNet-18 beats ResNet-50": (
        accuracies(is_("kind", "resnet18", 0.95, 0.9)),
        accuracies(is_("kind", "resnet18", 0.9, 0.95)),
        accuracies(mixed),
    ),
    "SGD best on MNIST": (
        accuracies(is_("optimizer", "sgd", 0.95, 0.9), seeds=2),
        accuracies(is_("optimizer", "sgd", 0.9, 0.95), seeds=2),
        accuracies(is_("optimizer", "sgd", 0.95, 0.9), seeds=1),
    ),
    "Adam best on FashionMNIST": (
        accuracies(is_("optimizer", "adam", 0.95, 0.9), seeds=2),
        accuracies(is_("optimizer", "adam", 0.9, 0.95), seeds=2),
        accuracies(is_("optimizer", "adam", 0.9, 0.9), seeds=2, noise=0.02),
    ),
    "FashionMNIST 10 points harder": (
        accuracies(apart(0.1, 0.1)),
        accuracies(apart(0.2, 0.2)),
        accuracies(apart(0.02, 0.18)),
    ),
    "ResNet-18 trains 2.65× faster": (
        times(slower(2.65, 2.65)),
        times(slower(1.8, 1.8)),
        times(slower(1.5, 4.5)),
    ),
    "Winners do not depend on choosing by test accuracy": (
        chosen(lambda test: test),
        chosen(lambda test: 1.8 - test),
        without(chosen(lambda test: test), FIRST_HALF),
    ),
    "11.7 M and 25.6 M parameters": (
        sized("parameters", 11.69e6, 25.56e6),
        sized("parameters", 11.18e6, 23.53e6),
        sized("parameters", NO_NUMBER, NO_NUMBER),
    ),
    "37.2 M and 84.3 M FLOPs": (
        sized("multiply_adds", 37.02e6, 83.43e6),
        sized("multiply_adds", 74.4e6, 168.6e6),
        sized("multiply_adds", NO_NUMBER, NO_NUMBER),
    ),
    "C = 10 best": (
        exactly(is_("C", 10.0, 0.97, 0.96)),
        exactly(is_("C", 1.0, 0.97, 0.96)),
        without(exactly(is_("C", 10.0, 0.97, 0.96)), NO_POLY),
    ),
    "Poly best on MNIST, rbf on FashionMNIST": (
        exactly(kernels(0.97, 0.96)),
        exactly(kernels(0.96, 0.97)),
        without(exactly(kernels(0.97, 0.96)), NO_POLY),
    ),
    "Degree 3 beats degree 2": (
        exactly(is_("degree", 3.0, 0.97, 0.96)),
        exactly(is_("degree", 2.0, 0.97, 0.96)),
        without(exactly(is_("degree", 3.0, 0.97, 0.96)), NO_POLY),
    ),
    "RBF 9 % faster than poly": (
        times(is_("kind", "rbf", 145.6, 160), noise=0.005),
        times(is_("kind", "rbf", 80, 160)),
        times(is_("kind", "rbf", 145.6, 160), noise=0.5),
    ),
    "Many SVMs overfit": (trained(1.0), trained(0.95), without(trained(1.0), NO_POLY)),
    "Tested on 12,000 images": (
        on_test_sets(0.002, 0.0),
        on_test_sets(0.0, 0.002),
        on_test_sets(0.001, 0.002),
    ),
    "Accuracy equal on CPU and GPU": (
        moved(lambda row: 0.1 * jitter(row)),
        moved(lambda row: 3 + 0.1 * jitter(row)),
        moved(lambda row: 3 if row["optimizer"] == "adam" else -3),
    ),
    "Deterministic training": (
        moved(lambda row: 0),
        moved(lambda row: 0.01),
        lambda: whole_grid(lambda row: {}),
    ),
    "Larger models gain more from the GPU": (
        fast_gpu(2, 4),
        fast_gpu(4, 2),
        lambda: whole_grid(lambda row: {}),
    ),
    "2.25× time for 2.27× FLOPs": (
        times(slower(2.25, 2.25)),
        times(slower(3.2, 3.2)),
        times(slower(1.2, 4)),
    ),
    "ResNet-18 trains 11.5× faster than SVM": (
        times(is_("kind", "rbf", 115, 10)),
        times(is_("kind", "rbf", 10, 10)),
        lambda: pd.concat([alone("rbf", "there"), alone("resnet18", "here")]),
    ),
}


def test_every_claim_is_tried_each_way() -> None:
    assert list(CASES) == list(KNOWN)


@pytest.mark.parametrize("name", CASES)
def test_a_claim_can_come_out_each_way(name: str) -> None:
    wanted = list(get_args(Verdict))
    found = [judged(KNOWN[name], make()).verdict for make in CASES[name]]
    assert found == wanted


def test_without_runs_no_claim_is_decidable() -> None:
    found = audit(published_runs(), published_runs()[:0])
    assert {one.ours.verdict for one in found} == {"not decidable"}
    assert all(one.ours.evidence for one in found)


def test_a_fraction_decides_nothing_at_full_size() -> None:
    part = accuracies(is_("kind", "resnet18", 0.95, 0.9))().assign(fraction=0.05)
    first = audit(published_runs(), part)[0]
    assert first.ours.verdict == "not decidable"
    assert [(of, finding.verdict) for of, finding in first.at_fraction] == [(0.05, "holds")]


def test_shared_epochs_count_as_one_pair() -> None:
    first = audit(published_runs(), accuracies(is_("kind", "resnet18", 0.95, 0.9))())[0]
    assert "8 of 8 pairs" in first.ours.evidence  # of 16 settings, two epochs each


def test_the_technical_reports_own_figures_are_judged_by_the_same_checks() -> None:
    found = {
        one.claim.name: one.published.verdict
        for one in audit(published_runs(), published_runs()[:0])
    }
    assert found["ResNet-18 beats ResNet-50"] == "holds"
    assert found["Deterministic training"] == "does not hold"
    assert found["ResNet-18 trains 2.65× faster"] == "does not hold"
    assert found["ResNet-18 trains 11.5× faster than SVM"] == "not decidable"  # GPU against CPU


def test_choosing_by_test_accuracy_is_compared_with_the_repeats() -> None:
    found = {one.claim.name: one.published for one in audit(published_runs(), published_runs()[:0])}
    told = found["Winners do not depend on choosing by test accuracy"].evidence
    grid = published_runs().query("dataset == 'mnist' and kind == 'resnet18' and val_accuracy > 0")
    by_validation = grid.sort_values("val_accuracy", kind="stable", ascending=False)[
        "test_accuracy"
    ]
    optimism = 100 * (grid["test_accuracy"].max() - by_validation.iloc[0])
    assert f"ResNet-18 on MNIST: {optimism:+.2f} points" in told
    assert np.isclose(optimism, 0.36)
