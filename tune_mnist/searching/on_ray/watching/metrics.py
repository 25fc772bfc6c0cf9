"""What a search tells Prometheus, through Ray: `ray_tune_mnist_…` at each node's metrics port.

Ray's agent on every node serves the metrics, with and without a dashboard, and learns of a new
value within ten seconds. To record one takes microseconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from ray.util.metrics import Counter, Gauge, Histogram

from tune_mnist.searching.observer import Row
from tune_mnist.searching.stopping.ending import Outcome

EXPORTED_AS = "ray_"
"""Ray puts this before the name of every metric."""

SEARCH = "search"
"""The label that every metric of ours has: the search's name in the store."""

_BUCKETS_S = [2.0**n for n in range(-3, 16)]  # 0.125 s to 9 h


@dataclass(frozen=True)
class Metric:
    """A declared metric.

    Args:
        name: as Prometheus' conventions have it; `EXPORTED_AS` comes before it.
        kind: of Prometheus' kinds. Of a histogram Ray keeps the buckets alone: its sum is made
            from their middles, so use its quantiles.
        meaning: one sentence for the people who read the board.
        labels: besides `SEARCH`.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    meaning: str
    labels: tuple[str, ...] = ()

    def create(self) -> Any:
        """Return Ray's object for it; what it records before Ray runs is lost."""
        labels = (SEARCH, *self.labels)
        if self.kind == "counter":
            return Counter(self.name, self.meaning, labels)
        if self.kind == "gauge":
            return Gauge(self.name, self.meaning, labels)
        return Histogram(self.name, self.meaning, _BUCKETS_S, labels)


TRIALS = Metric(
    "tune_mnist_trials",
    "gauge",
    "Trials of the search by state, those of its earlier runs included.",
    ("state",),
)
SECONDS = Metric(
    "tune_mnist_trial_seconds",
    "histogram",
    "Wall time of each trial that this run has trained.",
    ("state",),
)
BEST = Metric(
    "tune_mnist_best_objective", "gauge", "The winner's objective so far.", ("objective",)
)
ROWS = Metric(
    "tune_mnist_rows_stored_total",
    "counter",
    "Trials' rows that this run has stored, failed attempts that were tried again included.",
)
LEASE_AGE = Metric(
    "tune_mnist_lease_age_seconds",
    "gauge",
    "Seconds since the search renewed its right to write to its object store.",
)
METRICS = (TRIALS, SECONDS, BEST, ROWS, LEASE_AGE)

_ENDED = ("completed", "stopped", "failed")


class SearchMetrics:
    """Records what happens to one search while Ray runs it.

    Args:
        search: its name in the store.
        objective: its first objective.
        outcome: what has ended so far; the caller keeps it up to date.
        rows: stored by this run so far.
        lease_age_s: asked for the age of the lease on an object store; None if there is none.
    """

    def __init__(
        self,
        search: str,
        objective: str,
        outcome: Outcome,
        rows: int,
        lease_age_s: Callable[[], float | None],
    ) -> None:
        self._search, self._objective, self._outcome = {SEARCH: search}, objective, outcome
        self._lease_age_s = lease_age_s
        self._running = 0
        self._metrics = {one: one.create() for one in METRICS}
        if rows:
            self._metrics[ROWS].inc(rows, self._search)
        self.show()

    def running(self, count: int) -> None:
        """Say how many trials have begun and not ended."""
        self._running = count
        self.show()

    def stored(self, row: Row) -> None:
        """Count a row that is in the store, after the outcome has counted its trial."""
        self._metrics[ROWS].inc(1, self._search)
        seconds = row.get("wall_time_s")
        if seconds is not None and row.get("shared_with") is None:  # not another trial's time
            labels = {**self._search, "state": row["status"]}
            self._metrics[SECONDS].observe(float(seconds), labels)
        self.show()

    def show(self) -> None:
        """Say how things stand. Call it every few seconds: Ray drops a gauge that nobody sets."""
        counts = {state: self._outcome.counts.get(state, 0) for state in _ENDED}
        for state, count in {**counts, "running": self._running}.items():
            self._metrics[TRIALS].set(count, {**self._search, "state": state})
        if (age_s := self._lease_age_s()) is not None:
            self._metrics[LEASE_AGE].set(age_s, self._search)
        if (best := self._outcome.best) is not None:
            labels = {**self._search, "objective": self._objective}
            self._metrics[BEST].set(float(best[self._objective]), labels)
