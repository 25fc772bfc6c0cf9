"""The samplers by name. All but `grid` are Optuna's.

    grid     the enumerated space (proposals.py); needs no Optuna sampler
    random   each parameter independently
    qmc      a scrambled Sobol sequence: covers the space more evenly than random
    tpe      six points of a Sobol sequence, then a model of good and bad configurations (default)
    gp       a Gaussian process over the parameters that every configuration has
    cmaes    an evolution strategy over the numbers that every configuration has
    nsga2    a genetic algorithm

Parameters that a sampler cannot model are proposed by another one (`helper`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import (
    BaseSampler,
    CmaEsSampler,
    GPSampler,
    NSGAIISampler,
    QMCSampler,
    RandomSampler,
    TPESampler,
)
from optuna.trial import FixedTrial, TrialState

from tune_mnist.spaces import Choice, Device, SamplerName, Space, always_searched
from tune_mnist.spaces.space import MODEL

_STARTUP = 6  # finished trials before TPE's model takes over: docs/decisions/010
_GENERATIONS = 5
_POPULATION = (6, 50)  # fewest, and Optuna's default


def _random(space: Space) -> BaseSampler:
    return RandomSampler(seed=space.search.seed)


def _one_by_one(space: Space) -> BaseSampler:
    """Return the sampler of the parameters that gp and cmaes leave out, conditional ones say."""
    return TPESampler(seed=space.search.seed)


def _gp(space: Space) -> BaseSampler:
    return GPSampler(
        seed=space.search.seed,
        independent_sampler=_one_by_one(space),
        warn_independent_sampling=False,  # `helper` says it, once
    )


def _cmaes(space: Space) -> BaseSampler:
    return CmaEsSampler(
        seed=space.search.seed,
        independent_sampler=_one_by_one(space),
        warn_independent_sampling=False,
    )


def _nsga2(space: Space) -> BaseSampler:
    # Its first generation is random: with Optuna's 50, most searches would be nothing else.
    few, many = _POPULATION
    trials = space.search.trials or many * _GENERATIONS
    size = min(many, max(few, trials // _GENERATIONS))
    return NSGAIISampler(seed=space.search.seed, population_size=size)


class _WholeSpaceQmc(QMCSampler):
    """Draws every trial's point from one sequence over all parameters of the space.

    Optuna's own sampler uses the parameters of the first trial. It lacks those that were inactive
    there, and draws them at random. Here the coordinate of an inactive parameter is not used.
    """

    def __init__(self, space: Space) -> None:
        seed = space.search.seed
        super().__init__(seed=seed, scramble=True, warn_independent_sampling=False)
        self._space_distributions = distributions(space)

    def infer_relative_search_space(self, study: Any, trial: Any) -> dict[str, BaseDistribution]:
        return self._space_distributions


class _SobolThenTpe(TPESampler):
    """TPE that starts with a Sobol sequence instead of random points."""

    def __init__(self, space: Space) -> None:
        # group: parameters under different conditions are modelled apart, each group jointly.
        # constant_liar: trials still running count as bad, so parallel proposals spread out.
        super().__init__(
            n_startup_trials=_STARTUP,
            seed=space.search.seed,
            multivariate=True,
            group=True,
            constant_liar=True,
        )
        self._sobol = _WholeSpaceQmc(space)

    def infer_relative_search_space(self, study: Any, trial: Any) -> dict[str, BaseDistribution]:
        if _starting(study):
            return self._sobol.infer_relative_search_space(study, trial)
        return super().infer_relative_search_space(study, trial)

    def sample_relative(self, study: Any, trial: Any, search_space: Any) -> dict[str, Any]:
        if _starting(study):
            return self._sobol.sample_relative(study, trial, search_space)
        return super().sample_relative(study, trial, search_space)


def _starting(study: Any) -> bool:
    """Return whether TPE has too few finished trials for a model, as it counts them itself."""
    finished = (TrialState.COMPLETE, TrialState.PRUNED)
    return len(study.get_trials(deepcopy=False, states=finished)) < _STARTUP


def distributions(space: Space) -> dict[str, BaseDistribution]:
    """Return the Optuna distribution of each parameter that has more than one value."""
    found: dict[str, BaseDistribution] = {}
    if space.several:
        found[MODEL] = CategoricalDistribution(space.models)
    for name, domain in space.parameters.items():
        value = domain.values()[0] if isinstance(domain, Choice) else domain.bounds[0]
        trial = FixedTrial({name: value})
        domain.ask(trial, name)
        found.update(trial.distributions)
    return found


SAMPLERS: dict[SamplerName, Callable[[Space], BaseSampler] | None] = {
    "grid": None,
    "random": _random,
    "qmc": _WholeSpaceQmc,
    "tpe": _SobolThenTpe,
    "gp": _gp,
    "cmaes": _cmaes,
    "nsga2": _nsga2,
}

_HELPERS: dict[SamplerName, str] = {
    "gp": "tpe, one by one",
    "cmaes": "tpe, one by one",
    "nsga2": "random",
}


def helper(space: Space, device: Device) -> str | None:
    """Return a line naming the parameters that another sampler proposes; None if there are none."""
    sampler = space.search.sampler
    if sampler not in _HELPERS or not space.parameters:
        return None
    always = always_searched(space, device)
    rest = [
        name
        for name, domain in space.parameters.items()
        if domain.count() > 1
        and (name not in always or (sampler == "cmaes" and isinstance(domain, Choice)))
    ]
    if not rest:
        return None
    why = "not in every configuration" + (", or a choice" if sampler == "cmaes" else "")
    return f"{sampler}: {', '.join(rest)} ({why}) proposed by {_HELPERS[sampler]}"
