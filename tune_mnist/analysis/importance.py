"""Which hyperparameters matter, for accuracy and for wall time.

PED-ANOVA (Watanabe, Bansal and Hutter, IJCAI 2023) as Optuna has it, with conditional
hyperparameters (KDD 2026): how differently a hyperparameter is distributed among the best
configurations than among all. It asks what takes a configuration to the top, not what explains
the depths: a value that fails outright counts no more than one that merely never wins.

A share means nothing below what chance gives, so each hyperparameter is measured again with the
results shuffled among the configurations.
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
from tune_mnist.analysis.configurations import by_configuration

Metric = Literal["val_accuracy", "wall_time_s"]
METRICS: tuple[Metric, ...] = ("val_accuracy", "wall_time_s")
FOR = {"val_accuracy": "accuracy", "wall_time_s": "wall time"}

FEWEST = 20  # configurations; of fewer the best would be fewer than `_BEST`
MOST = 1000  # configurations looked at; more change nothing but the time it takes
CHANCE = 0.05
_BEST = 5  # at least so many are "the best", as Optuna advises; else the best tenth
_SHUFFLES = 59  # with the real result 60: its place among them is significant to 1 in 20
_FEW = 6  # up to so many distinct numbers are told apart like words
_LOG_SPAN = 20  # positive numbers that span more than this factor are compared by their logarithms


@dataclass(frozen=True)
class Hyperparameter:
    """How much one hyperparameter matters.

    Args:
        name: of the hyperparameter.
        active: in how many configurations it is there.
        shares: by metric, its part of what all hyperparameters explain, 0 to 1.
        beyond_chance: by metric, whether shuffled results explain less, 19 times of 20.
    """

    name: str
    active: int
    shares: dict[Metric, float]
    beyond_chance: dict[Metric, bool]


@dataclass(frozen=True)
class Importance:
    """The hyperparameters of one model on one data set and device.

    Args:
        dataset, model, device: where.
        configurations: how many there are, run to the end.
        hyperparameters: those that vary, the most important first; empty below `FEWEST`.
        constant: those that have one value wherever they are there.
    """

    dataset: str
    model: str
    device: str
    configurations: int
    hyperparameters: tuple[Hyperparameter, ...]
    constant: tuple[str, ...]


def importances(trials: pa.Table, metrics: Sequence[Metric] = METRICS) -> list[Importance]:
    """Return how much each hyperparameter matters, a data set, model and device at a time.

    Args:
        trials: rows of the store (`store.reader.read_trials`); completed ones count, the runs
            of one configuration together.
        metrics: for what; the first one orders the hyperparameters.
    """
    groups = by_configuration(trials).groupby(["dataset", "model", "device"])
    return [
        _importance(str(dataset), str(model), str(device), rows, metrics)
        for (dataset, model, device), rows in groups
    ]


def share_text(one: Hyperparameter, metric: Metric) -> str:
    """Return a share for people: "82%", or "~3%" where it may be chance."""
    return f"{'' if one.beyond_chance[metric] else '~'}{one.shares[metric]:.0%}"


def note(found: Importance) -> str:
    """Return what stands behind the shares, or why there are none, for people."""
    count = (
        f"{found.configurations:,} configuration{'s' * (found.configurations != 1)} run to the end"
    )
    if found.configurations < FEWEST:
        return f"{count}: too few to tell, {FEWEST} will do."
    if not found.hyperparameters:
        return f"{count}, and all hyperparameters are the same in all."
    best = max(_BEST, math.ceil(found.configurations / 10))
    same = f" The same in all: {', '.join(found.constant)}." if found.constant else ""
    return (
        f"{count}; a share of what sets the best {best:,} of them apart, ~ where shuffled results"
        f" give as much.{same}"
    )


def _importance(
    dataset: str, model: str, device: str, rows: pd.DataFrame, metrics: Sequence[Metric]
) -> Importance:
    count = len(rows)
    if count > MOST:
        rows = rows.sample(MOST, random_state=0)
    configs = [json.loads(config) for config in rows["config"]]
    names = sorted({name for config in configs for name in config})
    values = {name: [c[name] for c in configs if name in c] for name in names}
    varying = [name for name in names if len(set(values[name])) > 1]
    constant = tuple(name for name in names if name not in varying)
    if count < FEWEST or not varying:
        return Importance(dataset, model, device, count, (), constant)
    study = _study(configs, {name: _distribution(values[name]) for name in varying})
    measured = {metric: _measured(study, _costs(rows, metric)) for metric in metrics}
    found = [
        Hyperparameter(
            name,
            len(values[name]),
            {metric: shares[name] for metric, (shares, _) in measured.items()},
            {metric: beyond[name] for metric, (_, beyond) in measured.items()},
        )
        for name in varying
    ]
    found.sort(key=lambda one: -one.shares[metrics[0]])
    return Importance(dataset, model, device, count, tuple(found), constant)


def _costs(rows: pd.DataFrame, metric: Metric) -> Floats:
    """Return a metric so that lower is better."""
    values = rows[metric].to_numpy(np.float64)
    return -values if metric == "val_accuracy" else values


def _study(
    configs: Sequence[dict[str, Any]], distributions: dict[str, BaseDistribution]
) -> optuna.Study:
    """Return the configurations as the trials of a study; the results come later."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study()
    for config in configs:
        there = {name: value for name, value in distributions.items() if name in config}
        params = {name: _number(config[name], domain) for name, domain in there.items()}
        study.add_trial(create_trial(params=params, distributions=there, value=0.0))
    return study


def _distribution(values: Sequence[Any]) -> BaseDistribution:
    """Return the domain of the values seen: words, or numbers from the least to the greatest."""
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
    """Return a value as its domain has it: a number in a word becomes a number."""
    return float(value) if isinstance(domain, FloatDistribution) else value


def _as_number(value: Any) -> float | None:
    """Return the number that a value is, or a word holds (gamma is "scale" or "0.001")."""
    try:
        return None if isinstance(value, bool) else float(value)
    except ValueError:
        return None


def _measured(study: optuna.Study, costs: Floats) -> tuple[dict[str, float], dict[str, bool]]:
    """Return each hyperparameter's share, and whether it is beyond what chance gives.

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
    """Return how far each hyperparameter's best values lie from all its values."""
    evaluator = PedAnovaImportanceEvaluator(target_quantile=max(0.1, _BEST / len(costs)))
    with warnings.catch_warnings():  # that lower is better, which it is; and `normalize` is new
        warnings.simplefilter("ignore")
        return get_param_importances(
            study,
            evaluator=evaluator,
            target=lambda trial: float(costs[trial.number]),
            normalize=False,
        )
