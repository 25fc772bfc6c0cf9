"""Which hyperparameters matter, for accuracy and for wall time.

PED-ANOVA (Watanabe, Bansal and Hutter, IJCAI 2023) as Optuna implements it, with conditional
hyperparameters (KDD 2026). It measures how much a hyperparameter's distribution among the best
configurations differs from its distribution among all. So it explains what makes a configuration
one of the best. It does not explain failures: a value that fails outright counts like one that
never wins.

Chance alone gives every hyperparameter some share. So each share is compared with those that come
out when the results are shuffled among the configurations.
"""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import optuna
import pandas as pd
import pyarrow as pa
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.trial import create_trial

from tune_mnist.analysis.columns import Floats
from tune_mnist.analysis.configurations import by_configuration, place_names

ImportanceMetric = Literal["val_accuracy", "wall_time_s"]
IMPORTANCE_METRICS: tuple[ImportanceMetric, ...] = ("val_accuracy", "wall_time_s")
FOR = {"val_accuracy": "accuracy", "wall_time_s": "wall time"}

FEWEST_CONFIGURATIONS = 20
"""With fewer, nothing is measured: too few would be among the best."""

MOST_CONFIGURATIONS = 1000  # a random sample of more; all of them would only take longer
CHANCE = 0.05
_BEST = 5  # the best are at least this many, as Optuna advises, or a tenth of all
_SHUFFLES = 59  # with the real result 60, so that its rank among them is significant at 1 in 20
_FEW = 6  # up to this many distinct numbers are treated like words
_LOG_SPAN = 20  # positive numbers that span more than this factor are compared by their logarithms


@dataclass(frozen=True)
class Influence:
    """How much one hyperparameter matters.

    Args:
        name: the hyperparameter's name.
        active: the number of configurations that have it.
        shares: for each metric, its part of what all hyperparameters explain, 0 to 1.
        beyond_chance: for each metric, whether that is more than chance gives (p <= 0.05).
    """

    name: str
    active: int
    shares: dict[ImportanceMetric, float]
    beyond_chance: dict[ImportanceMetric, bool]


@dataclass(frozen=True)
class Importance:
    """The hyperparameters of one model on one data set, device and number of cores.

    Args:
        dataset, model: which trials this is about.
        place: the device, and its cores where trials ran on other numbers of cores too.
        configurations: the number of completed configurations.
        hyperparameters: those that vary, the most important first; empty if there are fewer than
            `FEWEST_CONFIGURATIONS`.
        constant: the hyperparameters with the same value in every configuration that has them.
    """

    dataset: str
    model: str
    place: str
    configurations: int
    hyperparameters: tuple[Influence, ...]
    constant: tuple[str, ...]


def importances(
    trials: pa.Table, metrics: Sequence[ImportanceMetric] = IMPORTANCE_METRICS
) -> list[Importance]:
    """Return how much each hyperparameter matters, for each data set, model and device.

    Hosts with the same device and number of cores are put together, because each pod of a cluster
    has a name of its own. Each configuration counts once a host.

    Args:
        trials: rows of the store (`store.reader.read_trials`). Completed trials count; repeated
            runs of a configuration count as one (`by_configuration`).
        metrics: what hyperparameters may matter for; the first metric orders them.
    """
    found = by_configuration(trials).dropna(subset="device")
    if found.empty:
        return []
    found["place"] = place_names(found.assign(host=None))
    groups = found.groupby(["dataset", "data_hash", "split", "model", "place"], dropna=False)
    return [
        _importance(str(dataset), str(model), str(place), rows, metrics)
        for (dataset, _, _, model, place), rows in groups
    ]


def share_text(one: Influence, metric: ImportanceMetric) -> str:
    """Return a share for people: "82%", or "~3%" if it is no more than chance."""
    return f"{'' if one.beyond_chance[metric] else '~'}{one.shares[metric]:.0%}"


def note(found: Importance) -> str:
    """Return what the shares mean, or why there are none, for people."""
    count = f"{found.configurations:,} completed configuration{'s' * (found.configurations != 1)}"
    if found.configurations < FEWEST_CONFIGURATIONS:
        return f"{count}: too few to tell; at least {FEWEST_CONFIGURATIONS} are needed."
    if not found.hyperparameters:
        return f"{count}: no hyperparameter varies."
    best = max(_BEST, math.ceil(found.configurations / 10))
    same = f" The same in all: {', '.join(found.constant)}." if found.constant else ""
    return (
        f"{count}. Share of the difference between the best {best:,} and all. ~ means no more than"
        f" chance.{same}"
    )


def _importance(
    dataset: str, model: str, place: str, rows: pd.DataFrame, metrics: Sequence[ImportanceMetric]
) -> Importance:
    count = len(rows)
    if count > MOST_CONFIGURATIONS:
        rows = rows.sample(MOST_CONFIGURATIONS, random_state=0)
    configs = [json.loads(config) for config in rows["config"]]
    names = sorted({name for config in configs for name in config})
    values = {name: [c[name] for c in configs if name in c] for name in names}
    varying = [name for name in names if len(set(values[name])) > 1]
    constant = tuple(name for name in names if name not in varying)
    if count < FEWEST_CONFIGURATIONS or not varying:
        return Importance(dataset, model, place, count, (), constant)
    study = _study(configs, {name: _distribution(values[name]) for name in varying})
    measured = {metric: _measured(study, _costs(rows, metric)) for metric in metrics}
    found = [
        Influence(
            name,
            len(values[name]),
            {metric: shares[name] for metric, (shares, _) in measured.items()},
            {metric: beyond[name] for metric, (_, beyond) in measured.items()},
        )
        for name in varying
    ]
    found.sort(key=lambda one: -one.shares[metrics[0]])
    return Importance(dataset, model, place, count, tuple(found), constant)


def _costs(rows: pd.DataFrame, metric: ImportanceMetric) -> Floats:
    """Return the values of a metric, turned so that lower is better."""
    values = rows[metric].to_numpy(np.float64)
    return -values if metric == "val_accuracy" else values


def _study(
    configs: Sequence[dict[str, Any]], distributions: dict[str, BaseDistribution]
) -> optuna.Study:
    """Return a study with the configurations as trials; `_explained` gives them results."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study()
    for config in configs:
        there = {name: value for name, value in distributions.items() if name in config}
        params = {name: _number(config[name], domain) for name, domain in there.items()}
        study.add_trial(create_trial(params=params, distributions=there, value=0.0))
    return study


def _distribution(values: Sequence[Any]) -> BaseDistribution:
    """Return the domain of the values: words, or a range of numbers from lowest to highest."""
    distinct = set(values)
    numbers = [value for value in map(_as_number, distinct) if value is not None]
    if len(distinct) <= _FEW or len(numbers) < len(distinct):
        return CategoricalDistribution(sorted(distinct, key=str))
    low, high = min(numbers), max(numbers)
    log = low > 0 and high > _LOG_SPAN * low
    if all(isinstance(value, int) for value in distinct):
        return IntDistribution(int(low), int(high), log=log)
    return FloatDistribution(low, high, log=log)


def _number(value: Any, domain: BaseDistribution) -> Any:
    """Return a value in the form its domain needs: a number in a string becomes a number."""
    return float(value) if isinstance(domain, FloatDistribution) else value


def _as_number(value: Any) -> float | None:
    """Return a value as a number, None if it is none (gamma is "scale" or "0.001")."""
    try:
        return None if isinstance(value, bool) else float(value)
    except ValueError:
        return None


def _measured(study: optuna.Study, costs: Floats) -> tuple[dict[str, float], dict[str, bool]]:
    """Return each hyperparameter's share, and whether it is more than chance gives.

    Args:
        study: n trials.
        costs: (n,) their results, lower is better.
    """
    real = _explained(study, costs)
    draw = np.random.default_rng(0)
    shuffled = [_explained(study, draw.permutation(costs)) for _ in range(_SHUFFLES)]
    total = sum(real.values()) or 1.0
    shares = {name: value / total for name, value in real.items()}
    as_good = {name: sum(one[name] >= value for one in shuffled) for name, value in real.items()}
    return shares, {name: (1 + n) / (1 + _SHUFFLES) <= CHANCE for name, n in as_good.items()}


def _explained(study: optuna.Study, costs: Floats) -> dict[str, float]:
    """Return how much each hyperparameter's values among the best differ from all its values."""
    evaluator = PedAnovaImportanceEvaluator(target_quantile=max(0.1, _BEST / len(costs)))
    # Optuna warns that it takes lower as better, which is right here, and that `normalize` is new.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return get_param_importances(
            study,
            evaluator=evaluator,
            target=lambda trial: float(costs[trial.number]),
            normalize=False,
        )
