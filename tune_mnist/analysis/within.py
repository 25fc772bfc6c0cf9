"""The cheapest configuration that is almost as good as the best: what `within` asks for.

Accuracy first, then time: of the configurations whose validation accuracy is at most the
tolerance below the best, the one of least wall time, on each device by itself.

Noise. A configuration run with several seeds stands with its mean accuracy and median wall time.
The best of many noisy means is best partly by luck, so a shortfall may exceed the tolerance by
one standard error of the difference (the one-standard-error rule of Breiman et al., CART, 1984).
That assumes that a model's configurations scatter alike from seed to seed, and wants some of them
run with several seeds (`confirm`). Where none is, the accuracies are taken as they stand, which
is right for an SVM, and told to the reader for a ResNet.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from tune_mnist.analysis.configurations import by_configuration
from tune_mnist.errors import input_error
from tune_mnist.wording import config_text, duration, percent


@dataclass(frozen=True)
class Cheapest:
    """The answer for one device and data set.

    Args:
        dataset, device: where.
        tolerance: how far below the best a validation accuracy may be, a fraction.
        best_config, best_accuracy: the best on the data set, on any device: JSON, and the mean
            over its seeds.
        tied: how many configurations on this device are as good; 0: the rest is None.
        model, config: the cheapest of them; JSON.
        val_accuracy, test_accuracy: means over its seeds; test may be None.
        wall_time_s: median over its runs.
        seeds: how many seeds it was run with.
        seed_sd: standard deviation of its model's validation accuracy from seed to seed; None
            where no configuration of the model has been run with two.
    """

    dataset: str
    device: str
    tolerance: float
    best_config: str
    best_accuracy: float
    tied: int
    model: str | None = None
    config: str | None = None
    val_accuracy: float | None = None
    test_accuracy: float | None = None
    wall_time_s: float | None = None
    seeds: int | None = None
    seed_sd: float | None = None


def check_tolerance(tolerance: float) -> None:
    """Raise InputError unless the tolerance is a fraction from 0 to below 1."""
    if not 0 <= tolerance < 1:
        fix = "give a fraction: 0.002 is 0.2 points"
        raise input_error("`within`", f"{tolerance:g} is no tolerance", fix)


def cheapest_within(trials: pa.Table, tolerance: float) -> list[Cheapest]:
    """Return the cheapest as good as best configuration on each device of each data set.

    Args:
        trials: rows of the store (`store.reader.read_trials`); completed ones count.
        tolerance: in [0, 1), a fraction of the images.
    """
    check_tolerance(tolerance)
    return [
        _cheapest(rows.reset_index(drop=True), device, tolerance)
        for _, rows in by_configuration(trials).groupby("dataset")
        for device in sorted(rows["device"].dropna().unique())
    ]


def seed_sd(configurations: pd.DataFrame) -> float | None:
    """Return how far one model's validation accuracies scatter from seed to seed.

    The median over the configurations, because hopeless ones scatter more; each variance is
    first divided by its own median under normal noise, chi-square's by Wilson and Hilferty.

    Args:
        configurations: rows of `by_configuration`.
    Returns: a fraction; None where no configuration has two seeds.
    """
    repeated = configurations[configurations["seeds"] > 1]
    if repeated.empty:
        return None
    freedom = repeated["seeds"] - 1
    variance = repeated["val_sd"] ** 2 / (1 - 2 / (9 * freedom)) ** 3
    return math.sqrt(variance.median())


def _cheapest(rows: pd.DataFrame, device: str, tolerance: float) -> Cheapest:
    """Return the answer for a device.

    Args:
        rows: all configurations on one data set (`by_configuration`), on any device.
    """
    noise = {str(model): seed_sd(of_model) for model, of_model in rows.groupby("model")}
    variance = rows["model"].map(lambda model: (noise[model] or 0.0) ** 2) / rows["seeds"]
    best = int(rows["val_accuracy"].argmax())
    top = rows.iloc[best]
    standard_error = np.sqrt(variance + variance.iloc[best])
    shortfall = top["val_accuracy"] - rows["val_accuracy"]
    good = shortfall <= tolerance + standard_error + 1e-12  # 0.97 - 0.968 > 0.002 in floats
    tied = rows[good & (rows["device"] == device)]
    answer = (top["dataset"], device, tolerance, top["config"], float(top["val_accuracy"]))
    if tied.empty:
        return Cheapest(*answer, tied=0)
    # Equal times go to the more accurate, then to the same one every time.
    order = ["wall_time_s", "val_accuracy", "config"]
    row = tied.sort_values(order, ascending=[True, False, True]).iloc[0]
    test = float(row["test_accuracy"])
    return Cheapest(
        *answer,
        tied=len(tied),
        model=row["model"],
        config=row["config"],
        val_accuracy=float(row["val_accuracy"]),
        test_accuracy=None if math.isnan(test) else test,
        wall_time_s=float(row["wall_time_s"]),
        seeds=int(row["seeds"]),
        seed_sd=noise[row["model"]],
    )


def sentence(answer: Cheapest) -> str:
    """Return the answer for people, in one line."""
    where = f"{answer.dataset} on {answer.device}"
    if answer.config is None or answer.val_accuracy is None or answer.wall_time_s is None:
        return f"{where}: {among(answer)}"
    cost = f"{percent(answer.val_accuracy)}, {duration(answer.wall_time_s)}"
    return f"{where}: {config_text(answer.config)} ({cost}) is {among(answer)}"


def among(answer: Cheapest) -> str:
    """Return of how many it is the cheapest, what the best is, and what is known of noise."""
    best = f"{percent(answer.best_accuracy)}, {config_text(answer.best_config)}"
    points = f"within {100 * answer.tolerance:g} points of the best ({best})"
    if not answer.tied:
        return f"none is {points}"
    return f"the cheapest of {answer.tied:,} {points}{_noise(answer)}"


def as_json(answer: Cheapest) -> dict[str, Any]:
    """Return the answer as JSON has it: configurations as objects, accuracies as fractions."""
    configs = {
        name: None if text is None else json.loads(text)
        for name, text in (("best_config", answer.best_config), ("config", answer.config))
    }
    return asdict(answer) | configs


def _noise(answer: Cheapest) -> str:
    """Return what is known about noise, for a model whose result depends on the seed."""
    if answer.seed_sd is None:
        return "" if answer.model == "svm" else "; one seed each, so noise is unknown: see confirm"
    if answer.seed_sd == 0:
        return "; no noise between seeds"
    return f"; seed noise {100 * answer.seed_sd:.2g} points"
