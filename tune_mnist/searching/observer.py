"""Who watches a search while it is prepared and while it runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tune_mnist.spaces import Config

Row = dict[str, Any]
"""Column to value."""


class Observer:
    """Watches a search and does nothing; override what you want to see.

    Every method is called in the driver process, one call at a time: while trials run, in another
    thread than the one that began the search.
    """

    def reading(self, done: int, total: int) -> None:
        """So many of the data set's image files are decoded."""

    def started(self, search: str, trials: int | None, finished: Sequence[Row]) -> None:
        """The search has its place in the store, under this name.

        Args:
            search: the name.
            trials: that it may run at most, those that have finished included; None: no limit.
            finished: rows of the trials that earlier runs of it have finished, oldest first.
        """

    def dashboard(self, address: str, dashboard: str) -> None:
        """Ray's dashboard has started.

        Args:
            address: opens it without asking for its token, as long as the search runs.
            dashboard: its own address, which asks for the token.
        """

    def preparing(self, what: str) -> None:
        """Something that all trials share is being made."""

    def stalled(self, seconds: float, logs: Path) -> None:
        """No trial has run for so many seconds, and none has ended; Ray's logs may say why."""

    def waiting(self, reason: str) -> None:
        """No trial runs, since the cluster has no room for one; said again when that changes."""

    def trial_moved(self, trial: str, host: str | None) -> None:
        """The trial will run again, since its node has died; None: its process, before it began."""

    def model_not_kept(self, trial: str, problem: str) -> None:
        """A trial's model could not be saved; its row is a result all the same."""

    def not_timed(self, trial: str, problem: str) -> None:
        """A trial's latency could not be measured; its row is a result all the same."""

    def state_not_kept(self, trial: str, problem: str) -> None:
        """A saved state could not be brought here from its node; the trial runs on all the same."""

    def trial_started(self, trial: str, config: Config) -> None:
        """A trial began to run."""

    def trial_reported(self, trial: str, measurement: Row) -> None:
        """A trial measured itself: an epoch or a rung."""

    def trial_finished(self, row: Row) -> None:
        """A trial completed, was stopped early or failed; its row is in the store."""
