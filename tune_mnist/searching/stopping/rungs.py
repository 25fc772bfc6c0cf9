"""Successive halving over declared rungs: ASHA, HyperBand's brackets, several objectives.

A trial that reaches a rung continues if it is among the best 1/eta of those that reached it,
including itself, and is stopped otherwise. No trial waits for another (the stopping form of ASHA;
Li et al., "A system for massively parallel hyperparameter tuning", MLSys 2020). Several objectives
are ranked by non-dominated sorting; if only part of a front may continue, its epsilon-net chooses
(MO-ASHA; Schmucker et al., "Multi-objective asynchronous successive halving", 2021). HyperBand
draws for each trial how many of the first rungs it skips, with the probabilities of Li et al.,
"Hyperband", JMLR 2018.

Ray's own ASHA takes one objective and rungs with one constant factor. It draws brackets from
numpy's global generator, so no search could be repeated.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from tune_mnist.dominance import Costs, fronts, spread
from tune_mnist.spaces import Objective, Space, rungs
from tune_mnist.spaces.pairs import compared_on_the_way

_ETA = (2.0, 4.0)  # one trial in at least, and in at most, this many continues
_CLOSE = 1e-9  # 3 * (1 / 9) is not 1 / 3


class Rung:
    """The trials that have reached one fidelity.

    Args:
        fidelity: epochs, or fraction of the training images.
        eta: one trial in `eta` continues.
    """

    def __init__(self, fidelity: float, eta: float) -> None:
        self.fidelity = fidelity
        self.eta = eta
        self._reached: dict[str, tuple[float, ...]] = {}

    def enter(self, trial: str, costs: Sequence[float]) -> bool:
        """Return whether the trial may continue; one that was here before may.

        Args:
            trial: its id.
            costs: finite, one an objective, lower is better.
        """
        if trial in self._reached:
            return True
        self._reached[trial] = tuple(costs)
        places = max(1, int(len(self._reached) / self.eta))
        return len(self._reached) - 1 in _continuing(np.array(list(self._reached.values())), places)


def _continuing(costs: Costs, places: int) -> set[int]:
    """Return the best `places` trials; more only if equal ones share the last place."""
    front = fronts(costs, places)
    last = int(front.max())
    chosen = set(np.flatnonzero((front > 0) & (front < last)).tolist())
    of_last = np.flatnonzero(front == last)
    net = of_last[spread(costs[of_last])][: places - len(chosen)]
    equal = (costs[:, None, :] == costs[net][None, :, :]).all(axis=2).any(axis=1)
    return chosen | set(np.flatnonzero(equal).tolist())


class Rungs:
    """Decides at each rung which trials continue.

    Args:
        objectives: what trials are compared by.
        rungs: fidelities, ascending; the last is a whole trial's, where nothing is left to stop.
        brackets: how many: in the first a trial may be stopped at every rung, in the second from
            the second rung on, ...
        seed: of the draws of brackets.
    """

    def __init__(
        self, objectives: Sequence[Objective], rungs: Sequence[float], *, brackets: int, seed: int
    ) -> None:
        self._objectives = objectives
        self._seed = seed
        etas = [
            min(max(after / rung, _ETA[0]), _ETA[1]) for rung, after in itertools.pairwise(rungs)
        ]
        self._brackets = [
            [Rung(rung, eta) for rung, eta in zip(rungs[skipped:-1], etas[skipped:], strict=True)]
            for skipped in range(brackets)
        ]
        # Hyperband's s is the number of rungs at which a trial can be stopped.
        self._shares = [
            len(rungs) / (len(bracket) + 1) * float(np.prod([rung.eta for rung in bracket]))
            for bracket in self._brackets
        ]

    def goes_on(self, trial: str, number: int, result: Mapping[str, Any]) -> bool:
        """Return whether a trial may go on after this measurement.

        Args:
            trial: its id in the store; under the same one nobody enters a rung twice.
            number: of its proposal, which draws its bracket: the same one if it is tried again.
            result: the measurement.
        """
        reached = [
            rung for rung in self._bracket(number) if rung.fidelity <= result["fidelity"] + _CLOSE
        ]
        signs = [-1.0 if objective.mode == "max" else 1.0 for objective in self._objectives]
        values = [result[objective.metric] for objective in self._objectives]
        costs = [sign * value for sign, value in zip(signs, values, strict=True)]
        return not reached or reached[-1].enter(trial, costs)

    def remember(self, trial: str, number: int, curve: Iterable[Mapping[str, Any]]) -> None:
        """Count a trial that does not run here at the rungs where its curve was measured."""
        rungs = [rung.fidelity for rung in self._bracket(number)]
        for measured in curve:
            if any(abs(rung - measured["fidelity"]) < _CLOSE for rung in rungs):
                self.goes_on(trial, number, measured)

    def _bracket(self, number: int) -> list[Rung]:
        draw = random.Random(f"{self._seed} {number}")
        return draw.choices(self._brackets, self._shares)[0]


def rungs_of(space: Space) -> Rungs:
    """Return the rungs of a space whose scheduler is asha or hyperband, with nobody on them."""
    levels = rungs(space)
    brackets = len(levels) if space.search.scheduler == "hyperband" else 1
    return Rungs(compared_on_the_way(space), levels, brackets=brackets, seed=space.search.seed)
