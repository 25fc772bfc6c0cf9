"""Every claim can come out each way: with runs where it holds, fails, or is not decidable."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

import pandas as pd
import pytest

from tests.reproduction.example_runs import whole_grid
from tune_mnist.reproduction.claims import CLAIMS, audit, judged
from tune_mnist.reproduction.evidence import Verdict, paired
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


def times(of: Callable[[Row], float], noise: float = 0.02, seeds: int = 1) -> Made:
    def columns(row: Row) -> Row:
        return {"wall_time_s": of(row) * (1 + noise * jitter(row))}

    return lambda: whole_grid(columns, seeds)


def sized(column: str, resnet18: float, resnet50: float) -> Made:
    both = {"resnet18": resnet18, "resnet50": resnet50}
    return lambda: whole_grid(lambda row: {column: both.get(row["kind"], 1.0)})


def on_both(columns: Callable[[Row], Row], seeds: int = 1) -> Made:
    """The grid on a CPU and on a GPU of one host."""

    def half(on: str) -> pd.DataFrame:
        def placed(row: Row) -> Row:
            return {"device": on, "where": on, **columns({**row, "on": on})}

        return whole_grid(placed, seeds)

    return lambda: pd.concat([half("cpu"), half("gpu")])


def without(make: Made, condition: str) -> Made:
    return lambda: make().query(f"not ({condition})")


def is_(name: str, value: object, yes: float, no: float) -> Callable[[Row], float]:
    return lambda row: yes if row[name] == value else no


def chosen(val: Callable[[float], float]) -> Made:
    """Validation accuracy as a function of the test accuracy, which differs by setting."""

    def columns(row: Row) -> Row:
        test = 0.9 + 0.01 * jitter({**row, "seed": 0}) + 0.0001 * jitter(row)
        return {"test_accuracy": test, "val_accuracy": val(test)}

    return lambda: whole_grid(columns, seeds=3)


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

    return on_both(columns, seeds=2)


def moved(points: Callable[[Row], float]) -> Made:
    def columns(row: Row) -> Row:
        return {"test_accuracy": 0.9 + (points(row) if row["on"] == "gpu" else 0) / 100}

    return on_both(columns)


def twice(off: float) -> Made:
    """Every training run twice with one seed in one place; the second accuracy is off by this."""
    first, again = (
        whole_grid(lambda row, by=by: {"test_accuracy": 0.9 + by})  # type: ignore[misc]
        for by in (0.0, off)
    )
    return lambda: pd.concat([first, again])


def one_cell_underfits(row: Row) -> float:
    """Degree 3 is better in all pairs but one, whose degree 3 is hardly better than chance."""
    underfit = row["C"] == 0.1 and row["gamma"] == "0.01"
    return 0.2 if row["degree"] == 3 and underfit else 0.9 + 0.01 * (row["degree"] == 3)


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
        exactly(one_cell_underfits),
    ),
    "RBF 9 % faster than poly": (
        times(is_("kind", "rbf", 145.6, 160), noise=0.02, seeds=2),
        times(is_("kind", "rbf", 80, 160), seeds=2),
        times(is_("kind", "rbf", 145.6, 160)),  # the noise of a run is unknown
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
        twice(0.0),
        twice(0.001),
        moved(lambda row: 3),  # a CPU and a GPU that differ refute nothing
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
        times(is_("kind", "rbf", 115, 10), seeds=2),
        times(is_("kind", "rbf", 10, 10), seeds=2),
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


@pytest.mark.parametrize("name", [one.name for one in CLAIMS if not one.every_test_set])
def test_runs_on_the_other_test_set_change_no_finding(name: str) -> None:
    holds, fails, _ = CASES[name]
    standard, others = holds(), fails().assign(test_set="holdout")
    both = pd.concat([others, standard], ignore_index=True)
    assert judged(KNOWN[name], both) == judged(KNOWN[name], standard)


def test_without_runs_no_claim_is_decidable() -> None:
    found = audit(published_runs(), published_runs()[:0])
    assert {one.ours.verdict for one in found} == {"not decidable"}
    assert all(one.ours.evidence for one in found)


def test_a_fraction_decides_nothing_at_full_size() -> None:
    part = accuracies(is_("kind", "resnet18", 0.95, 0.9))().assign(fraction=0.05)
    first = audit(published_runs(), part)[0]
    assert first.ours.verdict == "not decidable"
    assert [(of, finding.verdict) for of, finding in first.at_fraction] == [(0.05, "holds")]


def test_a_pair_has_equal_epochs() -> None:
    """ResNet-18 of 2 epochs beside ResNet-50 of 3 is no pair, and 5x is not 3.33x an epoch."""
    made = times(lambda row: row["epochs"] * (2.0 if row["kind"] == "resnet50" else 1.0), noise=0)
    runs = made()
    whole = judged(KNOWN["ResNet-18 trains 2.65× faster"], runs)
    assert whole.evidence.startswith("2.00× over 16 pairs")
    apart = runs[runs["epochs"] == runs["kind"].map({"resnet18": 2, "resnet50": 3})]
    assert judged(KNOWN["ResNet-18 trains 2.65× faster"], apart).verdict == "not decidable"
    mixed = pd.concat([apart, runs.query("kind == 'resnet18' and epochs == 3")])
    told = judged(KNOWN["ResNet-18 trains 2.65× faster"], mixed).evidence
    assert told.startswith("2.00× over 16 pairs")


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("seed", 1),
        ("where", "there"),
        ("host", "there"),
        ("fraction", 0.5),
        ("test_set", "holdout"),
    ],
)
def test_a_pair_agrees_in_everything_but_what_is_compared(column: str, value: object) -> None:
    runs = whole_grid(lambda row: {column: value} if row["kind"] == "resnet50" else {})
    assert not len(paired(runs, "kind", ("resnet18", "resnet50"))[0])


def test_a_speed_up_needs_one_host_and_an_accuracy_does_not() -> None:
    runs = fast_gpu(2, 4)().assign(host=lambda frame: frame["device"])
    assert judged(KNOWN["Larger models gain more from the GPU"], runs).verdict == "not decidable"
    moved_runs = moved(lambda row: 0.1 * jitter(row))().assign(host=lambda frame: frame["device"])
    assert judged(KNOWN["Accuracy equal on CPU and GPU"], moved_runs).verdict == "holds"


def test_one_seed_of_each_network_decides_no_speed_up() -> None:
    runs = fast_gpu(2, 4)().query("seed == 0")
    found = judged(KNOWN["Larger models gain more from the GPU"], runs)
    assert found.verdict == "not decidable"
    assert "over 2 pairs, no interval: fewer than 3" in found.evidence


def test_speed_ups_of_different_trainings_are_not_compared() -> None:
    """ResNet-18 ran with SGD and ResNet-50 with Adam: as many pairs, but no two alike."""
    runs = fast_gpu(2, 4)().query("(kind == 'resnet18') == (optimizer == 'sgd')")
    assert judged(KNOWN["Larger models gain more from the GPU"], runs).verdict == "not decidable"


def test_times_taken_beside_other_trials_decide_nothing() -> None:
    runs = times(slower(2.65, 2.65))().assign(beside=lambda frame: frame["kind"] == "resnet50")
    found = judged(KNOWN["ResNet-18 trains 2.65× faster"], runs)
    assert found.verdict == "not decidable"
    assert "32 of 64 runs timed beside other trials" in found.evidence


def test_the_other_test_set_decides_no_claim() -> None:
    standard = accuracies(is_("kind", "resnet18", 0.95, 0.9))()
    other = accuracies(is_("kind", "resnet18", 0.5, 0.99))().assign(test_set="holdout")
    both = pd.concat([standard, other])
    claim = KNOWN["ResNet-18 beats ResNet-50"]
    assert judged(claim, both) == judged(claim, standard)


def test_an_exact_tie_does_not_make_c_of_10_the_best() -> None:
    tied = exactly(lambda row: 0.97 if row["C"] in (1.0, 10.0) else 0.96)()
    assert judged(KNOWN["C = 10 best"], tied).verdict == "not decidable"


def test_the_setting_of_each_c_is_not_chosen_by_test_accuracy() -> None:
    """At C=10 some settings are lucky on the test images alone."""

    def lucky(row: Row) -> Row:
        best = {0.1: 0.94, 1.0: 0.95, 10.0: 0.93}.get(row["C"], 0.9)
        luck = row["C"] == 10.0 and row["gamma"] != "scale"
        scale = 0.01 * (row["gamma"] == "scale")
        return {"val_accuracy": best + scale, "test_accuracy": 0.99 if luck else best + scale}

    assert judged(KNOWN["C = 10 best"], whole_grid(lucky)).verdict == "does not hold"


def test_shared_epochs_count_as_one_pair() -> None:
    first = audit(published_runs(), accuracies(is_("kind", "resnet18", 0.95, 0.9))())[0]
    assert "8 of 8 pairs" in first.ours.evidence  # of 16 settings, two epochs each
