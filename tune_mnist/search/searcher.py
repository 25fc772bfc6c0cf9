"""The thin Ray Tune `Searcher` on our proposals: suggest, report, tell.

Early-stopped trials are told as pruned (Ray's own OptunaSearch tells them as complete, with
their truncated value). Tune's snapshots are not our memory, the store is: nothing is saved here.
"""

from __future__ import annotations

from typing import Any

from ray.tune.search import Searcher

from tune_mnist.search.trainings import Trainings
from tune_mnist.spaces import Objective


class ProposalSearcher(Searcher):
    """Hands Ray Tune one proposal a trial, until nothing is left to train."""

    def __init__(self, trainings: Trainings, objective: Objective) -> None:
        super().__init__(metric=objective.metric, mode=objective.mode)
        self._trainings = trainings
        self._numbers: dict[str, int] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Return nothing: Tune pickles its searcher for a restore that we never do."""
        return {}

    def left(self) -> bool:
        """Return whether anything is left to train; what the store knows is reused on the way."""
        return self._trainings.left()

    def suggest(self, trial_id: str) -> dict[str, Any] | str:  # type: ignore[override]
        """Return the next trial's number and configuration, or `FINISHED`, as Ray documents."""
        proposal = self._trainings.next()
        if proposal is None:
            return str(Searcher.FINISHED)
        self._numbers[trial_id] = proposal.number
        return {"number": proposal.number, "hyperparameters": dict(proposal.config)}

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Pass an epoch's or rung's value on to the sampler."""
        self._trainings.report(self._numbers[trial_id], result)

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Tell the sampler how the trial ended: completed, stopped early or failed."""
        finished = (result or {}).get("test_accuracy") is not None
        self._trainings.tell(
            self._numbers[trial_id], None if error else result, pruned=not finished
        )

    def save(self, checkpoint_path: str) -> None:
        """Keep nothing: a search is resumed from the store (DESIGN.md)."""

    def restore(self, checkpoint_path: str) -> None:
        """Restore nothing: see `save`."""
