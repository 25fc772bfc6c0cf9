"""The samplers by name: who proposes the next configuration.

`grid` needs no Optuna sampler: it hands out the enumerated space (see proposals.py).
"""

from __future__ import annotations

from collections.abc import Callable

from optuna.samplers import BaseSampler, RandomSampler, TPESampler

from tune_mnist.spaces import SamplerName

SAMPLERS: dict[SamplerName, Callable[[int], BaseSampler] | None] = {
    "grid": None,
    "random": lambda seed: RandomSampler(seed=seed),
    # group: parameters under different conditions are modelled apart, each group jointly.
    # constant_liar: trials still running count as bad, so parallel proposals spread out.
    "tpe": lambda seed: TPESampler(seed=seed, multivariate=True, group=True, constant_liar=True),
}
