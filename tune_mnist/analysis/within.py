"""The cheapest configuration that is almost as good as the best: what `within` asks for.

Accuracy comes first, then time. Among the configurations whose validation accuracy is at most the
tolerance below the best, the one with the shortest wall time is the answer, for each place that
trials ran in: a device, its host and the number of cores.

Noise. A configuration that ran with several seeds counts with its mean accuracy and its median wall
time. The best of many noisy means is best partly by luck, so a configuration may fall short by one
standard error of the difference more than the tolerance (the one-standard-error rule of Breiman et
al., CART, 1984). This assumes that all configurations of a model vary equally from seed to seed,
and needs some that ran with several seeds (`confirm` runs them). Without any, the noise is taken as
zero. That is right for an SVM; for a ResNet the answer says that the noise is unknown.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from tune_mnist.analysis.configurations import by_configuration, place_names
from tune_mnist.errors import input_error
from tune_mnist.models.registry import find_model, model_names
from tune_mnist.wording import duration, milliseconds, model_text, percent

_DATA = ["dataset", "data_hash", "split"]


@dataclass(frozen=True)
class Cheapest:
    """The answer for one data set and place.

    Args:
        dataset, data_hash: the data set, as `named_by_content` writes it, and its hash.
        device, cpus, host: the place; host and cpus are None in old rows.
        place: the place for people: the device, and what tells it apart from others.
        tolerance: how far below the best a validation accuracy may be, a fraction.
        best_model, best_config: the best configuration on the data set, in any place; as JSON.
        best_accuracy: its validation accuracy, the mean over its seeds.
        tied: how many configurations in this place are within the tolerance. If 0, all that
            follows is None.
        model, config: the cheapest of them; config is JSON.
        val_accuracy, test_accuracy: its means over its seeds; test_accuracy may be None.
        wall_time_s: its median over its runs.
        latency_batch_1_s: its median over its runs; None if none has measured it.
        seeds: how many seeds it ran with.
        seed_sd: standard deviation of its model's validation accuracy from seed to seed; None if no
            configuration of the model ran with two seeds.
    """

    dataset: str
    data_hash: str | None
    device: str
    cpus: float | None
    host: str | None
    place: str
    tolerance: float
    best_model: str
    best_config: str
    best_accuracy: float
    tied: int
    model: str | None = None
    config: str | None = None
    val_accuracy: float | None = None
    test_accuracy: float | None = None
    wall_time_s: float | None = None
    latency_batch_1_s: float | None = None
    seeds: int | None = None
    seed_sd: float | None = None


def check_tolerance(tolerance: float) -> None:
    """Raise InputError unless the tolerance is a fraction from 0 to below 1."""
    if not 0 <= tolerance < 1:
        fix = "give a fraction below 1; 0.002 is 0.2 points"
        raise input_error("`within`", f"{tolerance:g} is not a fraction", fix)


def cheapest_within(trials: pa.Table, tolerance: float) -> list[Cheapest]:
    """Return the cheapest configuration within the tolerance, for each data set and place.

    Args:
        trials: rows of the store (`store.reader.read_trials`); only completed trials count.
        tolerance: in [0, 1): how far below the best a validation accuracy may be.
    """
    check_tolerance(tolerance)
    return [
        _cheapest(rows.reset_index(drop=True), str(place), tolerance)
        for _, of_data in by_configuration(trials).groupby(_DATA, dropna=False)
        for rows in [of_data.assign(place=place_names(of_data))]
        for place in sorted(rows["place"][rows["device"].notna()].unique())
    ]


def seed_sd(configurations: pd.DataFrame) -> float | None:
    """Return how much the validation accuracies of one model vary from seed to seed.

    It is the median over the configurations, because hopeless ones vary more. Each variance is
    first divided by the median it has under normal noise (that of chi-square / freedom, by Wilson
    and Hilferty).

    Args:
        configurations: rows of `by_configuration` for one model.
    Returns: a standard deviation, a fraction; None if no configuration has two seeds.
    """
    repeated = configurations[configurations["seeds"] > 1]
    if repeated.empty:
        return None
    freedom = repeated["seeds"] - 1
    variance = repeated["val_sd"] ** 2 / (1 - 2 / (9 * freedom)) ** 3
    return math.sqrt(variance.median())


def _cheapest(rows: pd.DataFrame, place: str, tolerance: float) -> Cheapest:
    """Return the answer for one place.

    Args:
        rows: all configurations on one data set, in any place (`by_configuration`, with `place`).
        place: where the answer must have run.
        tolerance: as in `cheapest_within`.
    """
    noise = {str(model): seed_sd(of_model) for model, of_model in rows.groupby("model")}
    variance = rows["model"].map(lambda model: (noise[model] or 0.0) ** 2) / rows["seeds"]
    best = int(rows["val_accuracy"].argmax())
    top = rows.iloc[best]
    standard_error = np.sqrt(variance + variance.iloc[best])
    shortfall = top["val_accuracy"] - rows["val_accuracy"]
    good = shortfall <= tolerance + standard_error + 1e-12  # 0.97 - 0.968 > 0.002 in floats
    here = rows["place"] == place
    tied = rows[good & here]
    at = rows[here].iloc[0]
    none = Cheapest(
        dataset=at["dataset"],
        data_hash=None if pd.isna(at["data_hash"]) else at["data_hash"],
        device=at["device"],
        cpus=None if pd.isna(at["cpus"]) else float(at["cpus"]),
        host=None if pd.isna(at["host"]) else at["host"],
        place=place,
        tolerance=tolerance,
        best_model=top["model"],
        best_config=top["config"],
        best_accuracy=float(top["val_accuracy"]),
        tied=0,
    )
    if tied.empty:
        return none
    # Ties go to the more accurate one, then to the one that comes first as text.
    order = ["wall_time_s", "val_accuracy", "config"]
    row = tied.sort_values(order, ascending=[True, False, True]).iloc[0]
    test, latency = float(row["test_accuracy"]), float(row["latency_batch_1_s"])
    return replace(
        none,
        tied=len(tied),
        model=row["model"],
        config=row["config"],
        val_accuracy=float(row["val_accuracy"]),
        test_accuracy=None if math.isnan(test) else test,
        wall_time_s=float(row["wall_time_s"]),
        latency_batch_1_s=None if math.isnan(latency) else latency,
        seeds=int(row["seeds"]),
        seed_sd=noise[row["model"]],
    )


def sentence(answer: Cheapest) -> str:
    """Return the answer for people, in one line."""
    where = f"{answer.dataset} on {answer.place}"
    if answer.config is None or answer.val_accuracy is None or answer.wall_time_s is None:
        return f"{where}: {among(answer)}"
    cost = f"{percent(answer.val_accuracy)}, {duration(answer.wall_time_s)}"
    if answer.latency_batch_1_s is not None:
        cost += f", {milliseconds(answer.latency_batch_1_s)} to predict an image"
    text = model_text(answer.model or "", answer.config)
    return f"{where}: {text} ({cost}) is {among(answer)}"


def among(answer: Cheapest) -> str:
    """Return how many it is the cheapest of, what the best is, and what is known about noise."""
    best = f"{percent(answer.best_accuracy)}, {model_text(answer.best_model, answer.best_config)}"
    points = f"within {100 * answer.tolerance:g} points of the best ({best})"
    if not answer.tied:
        return f"none is {points}"
    return f"the cheapest of {answer.tied:,} {points}{_noise(answer)}"


def as_json(answer: Cheapest) -> dict[str, Any]:
    """Return the answer for JSON: configurations as objects, accuracies as fractions."""
    configs = {
        name: None if text is None else json.loads(text)
        for name, text in (("best_config", answer.best_config), ("config", answer.config))
    }
    return asdict(answer) | configs


def _noise(answer: Cheapest) -> str:
    """Return what is known about seed noise; nothing is said of a model that has none."""
    if answer.seed_sd is None:
        return "; all ran with one seed, so the noise is unknown" if _seeded(answer.model) else ""
    if answer.seed_sd == 0:
        return "; no noise between seeds"
    return f"; seed noise {100 * answer.seed_sd:.2g} points"


def _seeded(model: str | None) -> bool:
    """Return whether seeds change a model's results; they may, if we do not know the model."""
    return model is None or model not in model_names() or find_model(model).seeded
