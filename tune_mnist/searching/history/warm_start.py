"""Warm start: what a new search learns from past trials before its first proposal.

Past trials on the same images and split are observations: a sampler that can learn from trials it
did not propose (tpe, gp) receives their values. Accuracies on other images have another scale and
would mislead it, so only the best few configurations of such trials are tried first. The same is
done for the other samplers. A past trial counts if it fits the present space.
"""

from __future__ import annotations

import itertools
import json
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from optuna.trial import FixedTrial, FrozenTrial, create_trial

from tune_mnist.data_identity import data_names, matching, written
from tune_mnist.errors import input_error, nearest
from tune_mnist.models.registry import hyperparameters_of, usual_device
from tune_mnist.searching.observer import Row
from tune_mnist.searching.proposing.samplers import distributions
from tune_mnist.spaces import Config, Device, Scalar, Space, config_key, suggest
from tune_mnist.spaces.configurations import matters
from tune_mnist.spaces.space import MODEL
from tune_mnist.store.plans import Observation, WarmStarted
from tune_mnist.store.reader import list_searches, read_trials

AUTO = "auto"
FIRST = 5
"""At most this many configurations are tried first."""

_TOLD = ("tpe", "gp")  # cmaes and nsga2 learn only from their own generations
_FIELD = "`warm_start`"


@dataclass(frozen=True)
class WarmStart:
    """What a search begins with.

    Args:
        observations: finished trials for the study, one for each configuration, in the order of
            the store; repeated runs count with their mean.
        first: configurations to try before the sampler's own, best first.
        notes: a line each on what was taken and what was left out.
    """

    observations: tuple[FrozenTrial, ...]
    first: tuple[Config, ...]
    notes: tuple[str, ...]

    def recorded(self) -> WarmStarted:
        """Return it for the record of the search."""
        told = [
            Observation(params=one.params, values=one.values, constraints=one.constraints)
            for one in self.observations
        ]
        return WarmStarted(observations=tuple(told), first=self.first, notes=self.notes)


def past_rows(root: Path, source: str, space: Space) -> list[Row]:
    """Return the trials that a source stands for, completed ones of the space's models.

    Args:
        root: the store's folder.
        source: a search's name, a data set (its name, `name@hash`, or the first digits of its
            hash), or "auto" for everything there is.
        space: what is to be searched.

    Raises:
        InputError: neither a search nor a data set of the store, or without a completed trial of
            these models; a sampler that cannot learn. With "auto" it is no error to find nothing.
    """
    if space.search.sampler == "grid" or not space.parameters:
        fix = "use the sampler tpe, or leave it out"
        raise input_error(_FIELD, "a listed space is tried in its own order", fix)
    if source == AUTO and not (root / "searches").is_dir():
        return []
    known = list_searches(root)
    columns = ["search", "dataset", "data_hash", "model", "status", "config", "wall_time_s"]
    trials = read_trials(root, columns=list(dict.fromkeys([*columns, *space.metrics])))
    rows = trials.to_pylist()
    if source != AUTO:
        there = data_names(trials)
        meant = set(matching(source, there))
        if source not in known and not meant:
            problem = f"{source!r} is no search or data set of the store"
            raise input_error(_FIELD, problem, nearest(source, [*known, *written(there), AUTO]))
        rows = [
            row
            for row in rows
            if row["search"] == source or (row["dataset"], row["data_hash"] or None) in meant
        ]
    ours = [row for row in rows if row["model"] in space.models and row["status"] == "completed"]
    if not ours and source != AUTO:
        others = ", ".join(sorted({row["model"] for row in rows})) or "none"
        wanted = " or ".join(space.models)
        problem = f"{source!r} has no completed trial of {wanted} (it has: {others})"
        raise input_error(_FIELD, problem, f"name another, or use {AUTO}")
    return ours


def warm_start(rows: Iterable[Row], space: Space, device: Device, data_hash: str) -> WarmStart:
    """Sort past trials into observations, configurations to try first, and what does not fit.

    Args:
        rows: completed trials of the space's models, from `past_rows`.
        space: what is to be searched, as overridden; it may have changed since.
        device: where trials will run, unless a configuration names its own.
        data_hash: of the images and split that will be searched on.

    Returns: observations from rows of this `data_hash`; of each other one the best, in turn, as
        `first`, because their values cannot be compared with ours.
    """
    fits, runs, outside = _fitting(rows, space, device)
    told = data_hash if space.search.sampler in _TOLD else None
    observations = tuple(
        _observation(space, fits[key], values)
        for (where, key), values in runs.items()
        if where == told
    )
    first = _best(space, runs, told)
    return WarmStart(
        observations,
        tuple(fits[key].config for key in first),
        _notes(space, len(observations), len(first), outside),
    )


@dataclass(frozen=True)
class _Fit:
    """A past configuration as the present space would have proposed it."""

    config: Config
    params: dict[str, Any]
    distributions: dict[str, Any]


def _observation(space: Space, fit: _Fit, values: Sequence[tuple[float, ...]]) -> FrozenTrial:
    """Return the mean of a configuration's runs, each the values of the space's metrics."""
    means = dict(zip(space.metrics, map(fmean, zip(*values, strict=True)), strict=True))
    return create_trial(
        params=fit.params,
        distributions=fit.distributions,
        values=[means[one.metric] for one in space.objectives],
        constraints={str(one): one.excess(means[one.metric]) for one in space.constraints},
    )


_Runs = dict[tuple[str, str], list[tuple[float, ...]]]
"""The values of each data set (its hash; an old row's name) and configuration, a tuple a run."""


def _fitting(
    rows: Iterable[Row], space: Space, device: Device
) -> tuple[dict[str, _Fit], _Runs, Counter[str]]:
    """Return what fits, its runs, and how many trials each hyperparameter excluded."""
    fits: dict[str, _Fit] = {}
    runs: _Runs = defaultdict(list)
    outside: Counter[str] = Counter()
    parts = {part.model: part for part in space.parts()}
    known = distributions(space) if space.several else {}
    for row in rows:
        values = tuple(row[name] for name in space.metrics)
        if any(value is None for value in values):
            continue
        part = parts[row["model"]] if space.several else space
        fit = _fit(json.loads(row["config"]), part, usual_device(part.model, device))
        if isinstance(fit, str):
            outside[fit] += 1
            continue
        if space.several:
            fit = _of_several(fit, space, part.model, known)
        key = config_key(fit.config)
        fits[key] = fit
        runs[row["data_hash"] or row["dataset"], key].append(values)
    return fits, runs, outside


def _of_several(fit: _Fit, space: Space, model: str, known: Mapping[str, Any]) -> _Fit:
    """Return what fits the space of one model in the names and distributions of the whole space."""
    config = space.proposed(model, fit.config)
    params = {MODEL: model} | {f"{model}.{name}": value for name, value in fit.params.items()}
    return _Fit(config, params, {name: known[name] for name in params})


def _fit(past: Config, space: Space, device: Device) -> _Fit | str:
    """Return the past configuration in the present space, or the name of what does not fit."""
    for name, value in past.items():
        domain = space.parameters.get(name)
        if domain is not None and not domain.contains(value) and _matters(name, past, space):
            return name
    trial = FixedTrial(dict(past))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # FixedTrial's only word on a value outside a range
            config = suggest(space, trial, device)
    except (ValueError, UserWarning):  # a parameter that the past did not have
        return next((name for name in space.parameters if name not in past), "its conditions")
    for name in hyperparameters_of(space.model):
        same = config.get(name) == past.get(name)
        # Left out of ours where it cannot matter here, pin_memory on a CPU for example.
        if not same and (name in config or _matters(name, {**past, "device": device}, space)):
            return name
    return _Fit(config, dict(trial.params), dict(trial.distributions))


def _matters(name: str, config: Mapping[str, Scalar], space: Space) -> bool:
    known = hyperparameters_of(space.model).get(name)
    device: Device = "gpu" if config.get("device") == "gpu" else "cpu"
    return known is None or matters(known, config, device)


def _best(space: Space, runs: _Runs, told: str | None) -> list[str]:
    """Return the best configurations of each other data set, alternating between them."""
    sign = -1 if space.objective.mode == "max" else 1
    ranked: dict[str, list[tuple[float, str]]] = defaultdict(list)
    for (where, key), values in runs.items():
        if where != told:
            ranked[where].append((sign * fmean(value[0] for value in values), key))
    turns = itertools.zip_longest(*(sorted(of_one) for of_one in ranked.values()))
    in_turn = (one[1] for turn in turns for one in turn if one is not None)
    return list(dict.fromkeys(in_turn))[:FIRST]


def _notes(space: Space, told: int, first: int, outside: Counter[str]) -> tuple[str, ...]:
    def count(number: int, what: str) -> str:
        return f"{number} {what}{'s' * (number != 1)}"

    notes = [
        f"warm start: {space.search.sampler} learns from {count(told, 'past configuration')}; "
        f"{count(first, 'configuration')} tried first"
    ]
    if outside:
        why = ", ".join(f"{name} {number}" for name, number in outside.most_common())
        skipped = count(outside.total(), "past trial")
        notes.append(f"warm start: skipped {skipped} outside this space (because of {why})")
    return tuple(notes)
