"""Made-up runs of the technical report's grids, in worlds where the truth is known.

Noise is that of real runs. ResNets: 1 point between settings, 0.5 from seed to seed (the technical
report's own repeats: 0.05 to 0.5 for ResNet-18), of which validation and test accuracy share one
half; trainings of two and of three epochs share what a seed is worth. SVMs: the settings' errors on
10,000 test images, half of them on images that all get wrong. Times: 10 % between settings, 5 %
between runs. All are standard deviations.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from tests.reproduction.example_runs import whole_grid
from tune_mnist.reproduction.published import published

Floats = npt.NDArray[np.float64]
Rng = np.random.Generator
Draw = Callable[[Rng], pd.DataFrame]

_PREFIX = ["dataset", "kind", "batch_size", "optimizer", "learning_rate"]
_TESTED, _VALIDATED = 10_000, 6_000


@cache
def _grid(condition: str, seeds: int = 3) -> pd.DataFrame:
    runs: pd.DataFrame = whole_grid(lambda _: {}, seeds).query(condition)
    whole: pd.DataFrame = runs.reset_index(drop=True)
    return whole


def _with(runs: pd.DataFrame, **columns: Any) -> pd.DataFrame:
    changed: pd.DataFrame = runs.assign(**columns)
    return changed


def _together(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    whole: pd.DataFrame = pd.concat(parts, ignore_index=True)
    return whole


def _each(runs: pd.DataFrame, columns: Sequence[str], rng: Rng, sd: float) -> Floats:
    """Return one normal number for each combination of these columns, as (rows,)."""
    number = runs.groupby(list(columns), sort=False, dropna=False).ngroup().to_numpy()
    return np.asarray(rng.normal(0, sd, number.max() + 1)[number])


def _is(runs: pd.DataFrame, column: str, value: str | float) -> Floats:
    return runs[column].eq(value).to_numpy(float)


def _trained(
    runs: pd.DataFrame, truth: Floats, rng: Rng, other: Floats | None = None
) -> pd.DataFrame:
    """Give ResNets accuracies around a truth (rows,), on validation images around another."""
    luck = _each(runs, [*_PREFIX, "seed", "device"], rng, 0.0035)
    made: pd.DataFrame = runs.copy()
    for column, mean in (
        ("test_accuracy", truth),
        ("val_accuracy", truth if other is None else other),
    ):
        made[column] = mean + luck + rng.normal(0, 0.0035, len(runs))
    return made


def networks(ahead: float) -> Draw:
    """ResNet-18 is more accurate than ResNet-50 by this, on average over the settings."""

    def draw(rng: Rng) -> pd.DataFrame:
        runs = _grid("part == 'resnet'")
        truth = 0.9 + ahead * _is(runs, "kind", "resnet18")
        return _trained(runs, truth + _each(runs, [*_PREFIX, "epochs"], rng, 0.01), rng)

    return draw


def optimizers(dataset: str, claimed: str) -> Callable[[float], Draw]:
    """The best setting of one optimizer is ahead of the other's best by this."""

    def made(ahead: float) -> Draw:
        def draw(rng: Rng) -> pd.DataFrame:
            runs = _grid(f"part == 'resnet' and dataset == {dataset!r}")
            truth = 0.9 + _each(runs, [*_PREFIX, "epochs"], rng, 0.01)
            mine = runs["optimizer"].eq(claimed).to_numpy()
            truth[mine] += truth[~mine].max() - truth[mine].max() + ahead
            return _trained(runs, truth, rng)

        return draw

    return made


def harder(by: float) -> Draw:
    """FashionMNIST has an accuracy lower by this, on average over the settings."""

    def draw(rng: Rng) -> pd.DataFrame:
        runs = _grid("part == 'resnet'")
        truth = 0.97 - by * _is(runs, "dataset", "fashion-mnist")
        return _trained(runs, truth + _each(runs, [*_PREFIX, "epochs"], rng, 0.01), rng)

    return draw


def chosen(kind: str) -> Draw:
    """`equal`: all settings are; `honest`: one truth; `unrelated`: validation has its own."""

    def draw(rng: Rng) -> pd.DataFrame:
        runs = _grid("part == 'resnet'")
        setting = [*_PREFIX, "epochs"]
        truth = 0.9 + _each(runs, setting, rng, 0.0 if kind == "equal" else 0.01)
        other = 0.9 + _each(runs, setting, rng, 0.01) if kind == "unrelated" else truth
        return _trained(runs, truth, rng, other)

    return draw


def _timed(runs: pd.DataFrame, factor: Floats, rng: Rng, between: float = 0.1) -> pd.DataFrame:
    """Give runs times around 10 s times a factor (rows,)."""
    setting = _each(runs, ["dataset", "kind", "setting"], rng, between)
    return _with(runs, wall_time_s=10 * factor * np.exp(setting + rng.normal(0, 0.05, len(runs))))


def networks_timed(ratio: float) -> Draw:
    """ResNet-50 takes this many times as long as ResNet-18."""

    def draw(rng: Rng) -> pd.DataFrame:
        runs = _grid("part == 'resnet'")
        return _timed(runs, 1 + (ratio - 1) * _is(runs, "kind", "resnet50"), rng)

    return draw


def beside_others(ratio: float) -> Draw:
    """The same, but other trials on the host slow ResNet-50 down, by up to a factor of two."""

    def draw(rng: Rng) -> pd.DataFrame:
        runs = networks_timed(ratio)(rng)
        slower = 1 + _is(runs, "kind", "resnet50") * rng.uniform(0, 1, len(runs))
        return _with(runs, wall_time_s=runs["wall_time_s"] * slower, beside=True)

    return draw


def parameters(resnet18: float, resnet50: float) -> Draw:
    """The networks have these millions of parameters."""
    return _counted("parameters", resnet18, resnet50)


def multiply_adds(resnet18: float, resnet50: float) -> Draw:
    """The networks need these millions of multiply-adds for an image."""
    return _counted("multiply_adds", resnet18, resnet50)


def _counted(column: str, resnet18: float, resnet50: float) -> Draw:
    def draw(_: Rng) -> pd.DataFrame:
        runs = _grid("part == 'resnet'")
        large = _is(runs, "kind", "resnet50")
        return _with(runs, **{column: 1e6 * (resnet18 + (resnet50 - resnet18) * large)})

    return draw


def _tested(runs: pd.DataFrame, truth: Floats, rng: Rng) -> pd.DataFrame:
    """Give SVMs accuracies on images of which half of a setting's errors are everybody's."""
    made: pd.DataFrame = runs.copy()
    for column, images in (("test_accuracy", _TESTED), ("val_accuracy", _VALIDATED)):
        wrong = 1 - truth
        for dataset in set(runs["dataset"]):
            here = runs["dataset"].eq(dataset).to_numpy()
            hard = wrong[here].min() / 2
            count = rng.binomial(images, hard) + rng.binomial(images, wrong[here] - hard)
            made.loc[here, column] = 1 - count / images
    return made


def _svms() -> pd.DataFrame:
    return _grid("part == 'svm'", seeds=1)


def _other_than_the_best(runs: pd.DataFrame, rng: Rng) -> Floats:
    """Return how far each setting lies below the best one of its kernel and C, (rows,)."""
    below = np.abs(_each(runs, ["dataset", "kind", "setting"], rng, 0.01))
    least = pd.Series(below).groupby([runs[name] for name in ("dataset", "kind", "C")])
    return np.asarray(below - least.transform("min"))


def values_of_c(ahead: float) -> Draw:
    """The best setting at C=10 is ahead of the best at every other C by this."""

    def draw(rng: Rng) -> pd.DataFrame:
        runs = _svms()
        truth = 0.93 + ahead * _is(runs, "C", 10.0) - _other_than_the_best(runs, rng)
        return _tested(runs, truth, rng)

    return draw


def kernels(ahead: float) -> Draw:
    """The claimed kernel's best setting is ahead of the other's by this, on either data set."""

    def draw(rng: Rng) -> pd.DataFrame:
        runs = _svms()
        claimed = runs["dataset"].map({"mnist": "poly", "fashion-mnist": "rbf"}) == runs["kind"]
        truth = 0.93 + ahead * claimed.to_numpy(float) - _other_than_the_best(runs, rng)
        return _tested(runs, truth, rng)

    return draw


def degrees(underfit: float = 0.0) -> Callable[[float], Draw]:
    """Degree 3 is ahead of degree 2 by this on average, but for one setting that underfits."""

    def made(ahead: float) -> Draw:
        def draw(rng: Rng) -> pd.DataFrame:
            runs = _svms()
            cubic = _is(runs, "degree", 3.0)
            one = cubic * _is(runs, "C", 0.1) * _is(runs, "gamma", "scale")
            truth = 0.9 + ahead * cubic - (ahead + underfit) * one * (underfit > 0)
            return _tested(runs, truth + _each(runs, ["dataset", "setting"], rng, 0.005), rng)

        return draw

    return made


def _in_all(runs: pd.DataFrame, slow: str, ratio: float, rng: Rng) -> Floats:
    """Return factors (rows,) that differ by setting, in all by this ratio for a kind."""
    logs = _each(runs, ["dataset", "kind", "setting"], rng, 0.4)
    logs -= pd.Series(logs).groupby([runs["dataset"], runs["kind"]]).transform("mean").to_numpy()
    return np.asarray(np.exp(logs + np.log(ratio) * _is(runs, "kind", slow)))


def kernels_timed(ratio: float) -> Draw:
    """Poly takes this many times as long as rbf."""

    def draw(rng: Rng) -> pd.DataFrame:
        runs = _grid("part == 'svm'")
        return _timed(runs, _in_all(runs, "poly", ratio, rng), rng, between=0.0)

    return draw


def svm_timed(ratio: float) -> Draw:
    """An SVM with rbf takes this many times as long as a ResNet-18."""

    def draw(rng: Rng) -> pd.DataFrame:
        runs = _grid("part != 'devices' and (kind == 'rbf' or kind == 'resnet18')")
        return _timed(runs, _in_all(runs, "rbf", ratio, rng), rng, between=0.0)

    return draw


def overfit(settings: int, gap: float) -> Draw:
    """So many settings are right on all training images and wrong by this on others."""

    def draw(rng: Rng) -> pd.DataFrame:
        runs = _svms()
        tested = _tested(runs, np.full(len(runs), 1 - gap), rng)
        perfect = rng.permutation(len(runs)) < settings
        return _with(tested, train_accuracy=np.where(perfect, 1.0, 0.99))

    return draw


def printed(test_set: str) -> Draw:
    """The printed accuracies are those of this test set; the other has other images."""
    named = published("svm").dropna(subset=["test_accuracy"])
    accuracies = dict(zip(named["dataset"], named["test_accuracy"], strict=True))

    def draw(rng: Rng) -> pd.DataFrame:
        truth = _svms()["dataset"].map(accuracies).to_numpy(float)
        halves = []
        for name, images in (("standard", 10_000), ("holdout", 12_000)):
            lucky = rng.binomial(images, truth) / images
            mine = truth if name == test_set else lucky
            halves.append(_with(_svms(), test_set=name, test_accuracy=mine))
        return _together(halves)

    return draw


def _on_both() -> pd.DataFrame:
    runs = _grid("part == 'devices'")
    on = [_with(runs, device=name, where=name) for name in ("cpu", "gpu")]
    return _together(on)


def devices(apart: float) -> Draw:
    """A GPU is more accurate by this, on average over the trainings."""

    def draw(rng: Rng) -> pd.DataFrame:
        runs = _on_both()
        truth = 0.9 + apart * _is(runs, "device", "gpu") + _each(runs, ["setting"], rng, 0.01)
        return _trained(runs, truth, rng)

    return draw


def repeated(scatter: float) -> Draw:
    """Every training ran again, with this scatter, and once more with other code."""

    def draw(rng: Rng) -> pd.DataFrame:
        first = _trained(_on_both(), np.full(len(_on_both()), 0.9), rng)
        first = _with(first, code="one")
        off = rng.normal(0, scatter, len(first)) if scatter else 0.0
        again = _with(first, test_accuracy=(first["test_accuracy"] + off))
        moved = first["test_accuracy"] + rng.normal(0, 0.002, len(first))
        return _together([first, again, _with(first, test_accuracy=moved, code="two")])

    return draw


def gains(ratio: float) -> Draw:
    """A GPU is twice as fast on ResNet-18, and that times this on ResNet-50."""

    def draw(rng: Rng) -> pd.DataFrame:
        runs = _on_both()
        larger = 1 + (ratio - 1) * _is(runs, "kind", "resnet50")
        factor = np.where(runs["device"] == "gpu", 1 / (2 * larger), 1.0)
        return _timed(runs, factor, rng)

    return draw
