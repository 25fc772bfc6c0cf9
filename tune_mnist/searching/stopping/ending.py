"""When a search ends, and its outcome (docs/decisions/002-one-ending.md)."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Literal

from tune_mnist.errors import InputError
from tune_mnist.searching.observer import Row
from tune_mnist.spaces import Space
from tune_mnist.winner import better

Reason = Literal["done", "time budget", "target", "plateau", "interrupted", "lost"]


@dataclass
class Outcome:
    """How a search ended.

    Args:
        counts: finished trials by status.
        reused: how many of them an earlier search had finished.
        shared: how many of them a longer training of this search measured.
        best: the winner's row (winner.py); None without one.
        reason: what ended it: all trials done, the time budget, the target, `plateau` trials
            without a better one, Ctrl-C, or the loss of the store or of Ray.
        unfinished: trials that were running when it ended, and are not in the store.
        gram_s: wall time of building what SVM trials share; no trial's time includes it.
        signal: that interrupted it; None if none did.
    """

    counts: dict[str, int] = field(default_factory=dict)
    reused: int = 0
    shared: int = 0
    best: Row | None = None
    reason: Reason = "done"
    unfinished: int = 0
    gram_s: float = 0.0
    signal: int | None = None


class Ending:
    """Decides when the whole search ends; Tune asks at every step of its loop.

    Args:
        space: whose objective, target, plateau and time budget count.
        began: when the search began, on the monotonic clock.
    """

    def __init__(self, space: Space, began: float) -> None:
        search = space.search
        self._goal, self._objective = space.goal, space.objective
        self._target, self._plateau = search.target, search.plateau
        self._deadline = None if search.time_budget_s is None else began + search.time_budget_s
        self._since_best = 0
        self.outcome = Outcome()
        self.lost: InputError | None = None

    def add(self, row: Row) -> None:
        """Count a finished trial, and keep it if it is the best."""
        outcome, name = self.outcome, self._objective.metric
        outcome.counts[row["status"]] = outcome.counts.get(row["status"], 0) + 1
        outcome.reused += "/" in (row.get("shared_with") or "")
        outcome.shared += "/" not in (row.get("shared_with") or "/")
        self._since_best += 1
        if better(row, outcome.best, self._goal) is row:
            if outcome.best is None or self._better(row[name], outcome.best[name]):
                self._since_best = 0
            outcome.best = row
            if self._target is not None and not self._better(self._target, row[name]):
                self._end("target")
        if self._plateau is not None and self._since_best >= self._plateau:
            self._end("plateau")

    def lose(self, error: InputError) -> None:
        """End the search because the store takes no more rows or Ray has died."""
        self.lost = self.lost or error
        self._end("lost")

    def seconds_left(self) -> float | None:
        """Return how much is left of the time budget; None without one."""
        return None if self._deadline is None else max(0.0, self._deadline - time.monotonic())

    def _better(self, value: float, other: float) -> bool:
        return value > other if self._objective.mode == "max" else value < other

    def interrupt(self, signal: int, *_: Any) -> None:
        """End the search at the next step: a signal handler."""
        self.outcome.signal = self.outcome.signal or signal
        self._end("interrupted")

    def _end(self, reason: Reason) -> None:
        if self.outcome.reason == "done":
            self.outcome.reason = reason

    def reached(self) -> bool:
        """Return whether the search is over."""
        if self.seconds_left() == 0:
            self._end("time budget")
        return self.outcome.reason != "done"
