"""What to try next: distinct configurations of a space, proposed by its sampler.

This is plain Optuna ask and tell, without Ray; `searcher.py` is the adapter. Each configuration is
proposed once. A duplicate from the sampler costs no budget. When every configuration of a finite
space has been proposed, the proposals end.
"""

from __future__ import annotations

import itertools
import random
import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from tune_mnist.metrics import LATENCIES
from tune_mnist.searching.proposing.prefixes import MAX_LISTED, longest_first, shared_lengths
from tune_mnist.searching.proposing.samplers import SAMPLERS
from tune_mnist.spaces import (
    Config,
    Device,
    Objective,
    Space,
    as_asked,
    config_key,
    configurations,
    point_configurations,
    size,
    suggest,
)
from tune_mnist.store.proposals import Proposal

_DUPLICATES = 3  # a gp may propose the same for ever, and each proposal takes it a second
"""After this many duplicates in a row, a random remaining configuration is taken."""

_DRAWS = 1000
"""Random draws after which an endless space is taken to be used up."""


class Proposals:
    """The configurations of one search, in the order they are to be tried.

    Args:
        first: configurations to try before the sampler's own proposals, if it is one that learns.
        observed: finished trials of earlier searches that it learns from (`warm_start.py`).
    """

    def __init__(
        self,
        space: Space,
        device: Device,
        first: Iterable[Config] = (),
        observed: Sequence[FrozenTrial] = (),
    ) -> None:
        self._space = space
        self._device = device
        self._random = random.Random(space.search.seed)
        self._seen: set[str] = set()
        self._asked: dict[int, optuna.trial.Trial] = {}
        self._number = 0  # of the next proposal
        self._told = 0
        self._size = size(space, device)
        make_sampler = SAMPLERS[space.search.sampler]
        self._study: optuna.Study | None = None
        if make_sampler is None or not space.parameters:
            self._queue = self._listed()
        else:
            with warnings.catch_warnings():  # `group` has been "experimental" since 2020
                warnings.simplefilter("ignore", ExperimentalWarning)
                sampler = make_sampler(space)
            self._study = _study(sampler, space.objectives)
            self._study.add_trials(observed)
            self._queue = itertools.chain(first, point_configurations(space, device))

    def _listed(self) -> Iterator[Config]:
        """Return the whole space: points first, then the grid, shuffled if order would matter."""
        points = point_configurations(self._space, self._device) if self._space.parameters else []
        rest: Iterator[Config] = configurations(self._space, self._device)
        rest = itertools.islice(rest, len(points), None)
        search = self._space.search
        # A scheduler compares trials with earlier ones: a sorted grid would mislead it.
        if search.scheduler != "none" or search.sampler == "random":
            listed = list(rest)
            self._random.shuffle(listed)
            rest = iter(listed)
        if shared_lengths(self._space, self._device):
            rest = longest_first(rest)
        return itertools.chain(points, rest)

    def next(self) -> Proposal | None:
        """Return a configuration not proposed before, or None when the space is used up."""
        duplicates = 0
        while self._size is None or len(self._seen) < self._size:
            config, asked = self._candidate(duplicates)
            if config is None:
                return None
            if config_key(config) not in self._seen:
                return self._proposal(config, asked)
            duplicates += 1
            self._withdraw(asked)
        return None

    def again(self, number: int, config: Config) -> tuple[Proposal, bool]:
        """Propose what an earlier run of this search proposed at this point.

        Args:
            number: under which it did; the next proposal has the next number.
            config: what it proposed.
        Returns: the proposal, and whether the sampler made it by itself. If it did not (another
            version of Optuna, another machine), the configuration is enqueued for it.
        """
        self._number = number
        asked = None
        if config_key(config) not in self._seen:
            own = self.next()
            if own is not None and own.config == config:
                return own, True
            if own is not None:
                self._seen.discard(config_key(own.config))
                self._queue = itertools.chain([own.config], self._queue)  # its turn will come
                self._withdraw(self._asked.pop(own.number, None))
                self._number = number
        if self._study is not None:
            self._study.enqueue_trial(as_asked(self._space, config))
            asked = self._study.ask()
            suggest(self._space, asked, self._device)
        return self._proposal(config, asked), False

    def in_place_of(self, number: int, others: Collection[str]) -> Proposal | None:
        """Propose something under a number whose configuration the store has lost.

        Args:
            number: under which an earlier run proposed what is lost.
            others: keys of the configurations that other numbers have; none of them is proposed.
        Returns: None if there is nothing else to propose.
        """
        self._number = number
        later = set(others) - self._seen
        self._seen |= later
        proposal = self.next()
        self._seen -= later
        return proposal

    def _proposal(self, config: Config, asked: optuna.trial.Trial | None) -> Proposal:
        proposal = Proposal(self._number, config, self._told)
        self._number += 1
        self._seen.add(config_key(config))
        if asked is not None:
            self._asked[proposal.number] = asked
        return proposal

    def _withdraw(self, asked: optuna.trial.Trial | None) -> None:
        if asked is not None and self._study is not None:
            self._study.tell(asked, state=TrialState.FAIL)  # ignored by samplers

    def _candidate(self, duplicates: int) -> tuple[Config | None, optuna.trial.Trial | None]:
        """Return a configuration that may be a duplicate, with the sampler's trial for it."""
        listed = next(self._queue, None)
        if self._study is None:
            return listed, None
        if listed is None and duplicates >= _DUPLICATES:
            listed = self._any_unseen()
            if listed is None:
                return None, None
        if listed is not None:
            self._study.enqueue_trial(as_asked(self._space, listed))
        asked = self._study.ask()
        return suggest(self._space, asked, self._device), asked

    def _any_unseen(self) -> Config | None:
        """Return a random configuration not proposed before; None if none can be found."""
        if self._size is not None and self._size <= MAX_LISTED:
            every = configurations(self._space, self._device)
            return self._random.choice([c for c in every if config_key(c) not in self._seen])
        # One branch of an endless space may be used up, and the sampler may know no other.
        sampler = RandomSampler(seed=self._random.randrange(2**32))
        study = _study(sampler, self._space.objectives)
        draws = (suggest(self._space, study.ask(), self._device) for _ in range(_DRAWS))
        return next((draw for draw in draws if config_key(draw) not in self._seen), None)

    def report(self, number: int, measured: Mapping[str, Any]) -> None:
        """Tell the sampler what a running trial measured: an epoch or a rung.

        Nothing is reported for several objectives, because Optuna takes no such values (its issue
        3450), nor for a population, whose trials continue from each other's epochs.
        """
        [first, *others] = self._space.objectives
        value = measured.get(first.metric)
        told = not others and self._space.search.scheduler != "pbt"
        if number in self._asked and value is not None and told:
            self._asked[number].report(float(value), int(measured["step"]))

    def tell(self, number: int, row: Mapping[str, Any]) -> None:
        """Tell the sampler how a trial ended.

        With several objectives, a pruned trial has no values for Optuna: tpe treats it as worse
        than every completed one, and gp and nsga2 ignore it.

        Args:
            number: the proposal's number.
            row: its status and its last measurement. If the trial was stopped early, that is not
                its final result; if it failed, there is none.
        """
        self._told += 1
        asked = self._asked.pop(number, None)
        if asked is None or self._study is None:
            return
        stopped = row["status"] == "stopped"
        expected = [name for name in self._space.metrics if not (stopped and name in LATENCIES)]
        lacking = any(row.get(name) is None for name in expected)
        if row["status"] == "failed" or lacking:
            self._study.tell(asked, state=TrialState.FAIL)
            return
        for limit in self._space.constraints:
            asked.set_constraint(str(limit), limit.excess(row.get(limit.metric)))
        if stopped:
            self._study.tell(asked, state=TrialState.PRUNED)
        else:
            self._study.tell(asked, [float(row[one.metric]) for one in self._space.objectives])

    def tell_past(
        self, number: int, row: Mapping[str, Any], reports: Sequence[Mapping[str, Any]]
    ) -> None:
        """Tell the sampler of a trial in the store: its measurements, then its end."""
        for measured in reports:
            self.report(number, measured)
        self.tell(number, row)


def _study(sampler: BaseSampler, objectives: Sequence[Objective]) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    directions = {"max": StudyDirection.MAXIMIZE, "min": StudyDirection.MINIMIZE}
    return optuna.create_study(
        sampler=sampler, directions=[directions[one.mode] for one in objectives]
    )
