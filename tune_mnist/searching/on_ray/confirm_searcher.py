"""The Ray Tune `Searcher` of a confirmation: a configuration and a seed, while seeds are wanted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ray.tune.search import Searcher

from tune_mnist.searching.history.confirmation import Confirmation
from tune_mnist.searching.observer import Row
from tune_mnist.searching.on_ray.trainings import MOVES
from tune_mnist.spaces import Config
from tune_mnist.store.proposals import number_of

Wanted = Callable[[Sequence[Sequence[Row]]], Sequence[int]]
"""From the finished rows of each configuration to the number of seeds that each should have."""


class ConfirmSearcher(Searcher):
    """Hands Ray Tune a configuration and a seed, while seeds are wanted.

    Args:
        confirmation: what to run.
        done: rows of trials that have finished already, by configuration.
        wanted: asked before every trial.

    Attributes:
        bar: as `ProposalSearcher`'s.
    """

    def __init__(
        self, confirmation: Confirmation, done: Sequence[Sequence[Row]], wanted: Wanted
    ) -> None:
        super().__init__(metric="val_accuracy", mode="max")
        self._confirmation = confirmation
        self._done = [list(rows) for rows in done]
        self._wanted = wanted
        self.bar: Callable[[Config], list[Row] | None] = lambda _: None
        self._running: dict[str, tuple[int, int]] = {}  # trial to configuration and seed
        self._failed: dict[str, tuple[int, Row]] = {}  # trial to configuration and what it left
        self._moves: dict[tuple[int, int], int] = {}  # of nodes that died under it
        self._next = 1 + max(
            (number_of(row["trial"]) or 0 for rows in done for row in rows), default=-1
        )

    def __getstate__(self) -> dict[str, Any]:
        """Return nothing: Tune pickles its searcher for a restore that we never do."""
        return {}

    def finished(self) -> list[Row]:
        """Return the rows of trials that have finished already, each with its configuration."""
        of_each = zip(self._confirmation.configs, self._done, strict=True)
        return [{**row, "config": config} for config, rows in of_each for row in rows]

    def left(self) -> bool:
        """Return whether anything is to be run."""
        return bool(self._short())

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:  # type: ignore[override]
        """Return a trial; None while only trials that run can tell; `FINISHED` at the end."""
        short = self._short()
        if not short:
            return None if self._running else str(Searcher.FINISHED)
        index = min(short, key=lambda index: len(self._taken(index)))
        taken = self._taken(index)
        seed = next(seed for seed in self._confirmation.seeds if seed not in taken)
        self._running[trial_id] = index, seed
        self._next += 1
        config = dict(self._confirmation.configs[index])
        number, bar = self._next - 1, self.bar(config)
        return {"number": number, "hyperparameters": config, "seed": seed, "bar": bar}

    def _short(self) -> list[int]:
        wanted = self._wanted(self._done)
        return [index for index, count in enumerate(wanted) if len(self._taken(index)) < count]

    def _taken(self, index: int) -> set[int]:
        """Return the seeds on which a configuration has run or is running."""
        finished = {row["seed"] for row in self._done[index]}
        return finished | {seed for i, seed in self._running.values() if i == index}

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Count the trial: what it reached decides where the next seed goes."""
        index, seed = self._running.pop(trial_id)
        measured = result or {}
        completed = not error and measured.get("test_accuracy") is not None
        status = "completed" if completed else "failed"
        row = {**measured, "seed": seed, "status": status, "error": status}
        self._done[index].append(row)
        if error:
            self._failed[trial_id] = index, row

    def move(self, trial_id: str) -> bool:
        """Run a trial again, on its seed, that has failed since its node died.

        Returns: whether it is; not if its nodes die again and again, which may be its own doing.
        """
        index, row = self._failed.pop(trial_id)
        key = index, row["seed"]
        self._moves[key] = self._moves.get(key, 0) + 1
        if self._moves[key] > MOVES:
            return False
        self._done[index] = [one for one in self._done[index] if one is not row]
        return True

    def save(self, checkpoint_path: str) -> None:
        """Keep nothing: a confirmation is resumed from the store."""

    def restore(self, checkpoint_path: str) -> None:
        """Restore nothing: see `save`."""
