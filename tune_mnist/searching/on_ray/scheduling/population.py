"""Population based training: trials that lag take over the state of better ones.

This is Ray's `PopulationBasedTraining` (Jaderberg et al., "Population based training of neural
networks", 2017). After every epoch, each trial in the worst quarter takes over the saved state and
hyperparameters of one in the best quarter, then perturbs those that may change during training. The
population is all trials of the search. If fewer run at once, Tune pauses each after an epoch and
lets the next one run.

It differs from Ray's in six ways. The first population comes from a sampler, which Ray refuses. A
value never leaves its domain. A trial keeps its own number. All draws are seeded, so a population
that runs one trial at a time is reproducible. Of trials that are equally far, the one with the
fewest measurements runs next; Ray's would pick the first one again and again, if it lags and takes
over others of the same epoch. And a trial's configuration holds its schedule,
`[[fidelity, {hyperparameter: value}], ...]`: what its weights were trained with and after how many
epochs that changed, through every trial that they came from.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterable
from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import PopulationBasedTraining, TrialScheduler
from ray.tune.schedulers.pbt import _PBTTrialState

from tune_mnist.spaces import (
    Choice,
    Config,
    Device,
    Domain,
    Scalar,
    Space,
    changeable,
    searched_in,
)

_RESAMPLED = 0.25
_FACTORS = (0.8, 1.2)


class Population(PopulationBasedTraining):
    """Ray's scheduler, on our proposals.

    Args:
        space: whose first objective compares trials, and which contains every configuration;
            the seed of its search is that of every change.
        time_attr: the key of a measurement that epochs are counted in.
        device: of every configuration that names none.
    """

    def __init__(self, space: Space, time_attr: str, device: Device) -> None:
        domains, objective = changeable(space), space.objective
        super().__init__(
            time_attr=time_attr,
            metric=objective.metric,
            mode=objective.mode,
            perturbation_interval=1,
            hyperparam_mutations={"hyperparameters": {name: [] for name in domains}},
            log_config=False,  # it would write into files that nobody reads
        )
        self._space = space
        self._device = device
        self._domains = domains
        self._measured: Counter[Trial] = Counter()
        self._draws = random.Random(space.search.seed)

    def on_trial_add(self, tune_controller: Any, trial: Trial) -> None:
        """Take a trial into the population."""
        self._trial_state[trial] = _PBTTrialState(trial)
        trial.config["schedule"] = [[0, self._changeable(trial.config["hyperparameters"])]]

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """Let a finished trial end; else let it go on, wait its turn, or take over another."""
        self._measured[trial] += 1
        if result.get("test_accuracy") is not None:
            return str(TrialScheduler.CONTINUE)
        return str(super().on_trial_result(tune_controller, trial, result))

    def choose_trial_to_run(self, tune_controller: Any) -> Trial | None:
        """Return the trial that is least far, and of several the one that was measured least."""
        waiting = [
            trial
            for trial in tune_controller.get_trials()
            if trial.status in (Trial.PENDING, Trial.PAUSED)
        ]
        return min(waiting, key=self._how_far, default=None)

    def _how_far(self, trial: Trial) -> tuple[float, int]:
        return self._trial_state[trial].last_train_time, self._measured[trial]

    def _checkpoint_or_exploit(
        self, trial: Trial, tune_controller: Any, upper_quantile: list[Trial], lower: list[Trial]
    ) -> None:
        """Save the state of one of the best, or let one of the worst go on from it."""
        better = [self._draws.choice(upper_quantile)] if trial in lower else upper_quantile
        super()._checkpoint_or_exploit(trial, tune_controller, better, lower)

    def _get_new_config(self, trial: Trial, trial_to_clone: Trial) -> tuple[dict[str, Any], Any]:
        """Return the configuration with which a trial continues from the other's state."""
        config = self.explored(trial_to_clone.config["hyperparameters"])
        changed = self._changeable(config)
        last = self._trial_state[trial_to_clone].last_result
        assert last is not None  # it has a saved state
        schedule = [*trial_to_clone.config["schedule"], [last[self._time_attr], changed]]
        return {
            **trial.config,
            "hyperparameters": config,
            "schedule": schedule,
        }, {"hyperparameters": dict.fromkeys(changed, "perturbed")}

    def explored(self, config: Config) -> Config:
        """Return a configuration of the space with other values for those that may change."""
        return {
            **config,
            **{
                name: perturbed(self._domains[name], value, self._draws)
                for name, value in self._changeable(config).items()
            },
        }

    def _changeable(self, config: Config) -> Config:
        """Return the values that may change: those that a domain gave, not the model's defaults."""
        searched = searched_in(self._space, config, self._device) or ()
        return {name: config[name] for name in self._domains if name in searched}


def perturbed(domain: Domain, value: Scalar, draws: random.Random) -> Scalar:
    """Return a value of the domain: near the given one, or, once in four times, any."""
    if isinstance(domain, Choice):
        return _neighbour(list(domain.choice), value, draws)
    low, high = domain.bounds
    if draws.random() >= _RESAMPLED:
        new = float(value) * draws.choice(_FACTORS)
    elif domain.log:
        new = math.exp(draws.uniform(math.log(low), math.log(high)))
    else:
        new = draws.uniform(low, high)
    new = min(max(new, low), high)
    return round(new) if isinstance(low, int) else new


def _neighbour(values: list[Scalar], value: Scalar, draws: random.Random) -> Scalar:
    if draws.random() < _RESAMPLED:
        return draws.choice(values)
    words = any(isinstance(one, str) for one in values)
    ordered = values if words else _ascending(values)  # words stay in the file's order
    place = ordered.index(value) + draws.choice((-1, 1))
    return ordered[min(max(place, 0), len(ordered) - 1)]


def _ascending(values: Iterable[Scalar]) -> list[Scalar]:
    return sorted(values, key=float)
