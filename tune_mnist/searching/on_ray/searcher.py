"""The Ray Tune `Searcher` of a search: hands out trainings, and waits while more may come.

The sampler does not learn here how a trial went. `TrialEvents` tells it once the row is in the
store, so it never knows more than a resumed search would find. Nothing is saved here either: the
store is our memory, not Tune's snapshots (docs/design.md).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ray.tune.search import Searcher

from tune_mnist.searching.observer import Row
from tune_mnist.searching.on_ray.trainings import Trainings
from tune_mnist.spaces import Config, Space

GRACE_S = 0.5
"""A trial ends itself this many seconds after the time budget if the search has not ended it."""


class ProposalSearcher(Searcher):
    """Hands Ray Tune one training a trial, until nothing is left to train.

    Args:
        trainings: what there is to train.
        space: whose time limit per trial applies.
        seconds_left: of the search's time budget; None without one.

    Attributes:
        bar: returns the best trials that one of a configuration competes with; None keeps no model.
    """

    def __init__(
        self, trainings: Trainings, space: Space, seconds_left: Callable[[], float | None]
    ) -> None:
        # Tune refuses a result that lacks its searcher's metric. Every measurement has this one; an
        # objective may be a latency, which only the last has.
        super().__init__(metric="val_accuracy", mode="max")
        self._trainings = trainings
        self._timeout_s = space.search.trial_timeout_s
        self._seconds_left = seconds_left
        self.bar: Callable[[Config], list[Row] | None] = lambda _: None

    def __getstate__(self) -> dict[str, Any]:
        """Return nothing: Tune pickles its searcher for a restore that we never do."""
        return {}

    def left(self) -> bool:
        """Return whether anything is left to train, after reusing the store's finished trials."""
        return self._trainings.left()

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:  # type: ignore[override]
        """Return the next training; None while a running one may fail or answer another."""
        training = self._trainings.next()
        if training is not None:
            bar = self.bar(training.proposal.config)
            return {**training.as_dict(), "seconds": self._seconds(), "bar": bar}
        return None if self._trainings.running else str(Searcher.FINISHED)

    def _seconds(self) -> float | None:
        """Return the seconds after which a trial that starts now must end; None for no limit."""
        left = self._seconds_left()
        limits = [self._timeout_s, None if left is None else left + GRACE_S]
        return min((limit for limit in limits if limit is not None), default=None)

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Do nothing: see the module."""

    def save(self, checkpoint_path: str) -> None:
        """Keep nothing: a search is resumed from the store."""

    def restore(self, checkpoint_path: str) -> None:
        """Restore nothing: see `save`."""
