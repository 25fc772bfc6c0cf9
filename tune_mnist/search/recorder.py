"""The Ray Tune callback that puts each finished trial into the store the moment it finishes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Protocol

from ray import cloudpickle
from ray.exceptions import RayActorError
from ray.tune import Callback
from ray.tune.experiment import Trial

from tune_mnist.search.environment import code_hash, git_commit, host, versions
from tune_mnist.search.memory import Past
from tune_mnist.search.plan import Plan
from tune_mnist.search.proposals import Proposal
from tune_mnist.spaces import Config
from tune_mnist.store.schema import REPORTS
from tune_mnist.store.writer import Writer

Row = dict[str, Any]


class Observer(Protocol):
    """Who watches a search: called in the driver, one call at a time."""

    def preparing(self, what: str) -> None:
        """Something that all trials share is being made."""

    def trial_started(self, trial: str, config: Config) -> None:
        """A trial began to run."""

    def trial_reported(self, trial: str, measurement: Row) -> None:
        """A trial measured itself: an epoch or a rung."""

    def trial_finished(self, row: Row) -> None:
        """A trial completed, was stopped early or failed; its row is in the store."""


@dataclass
class _Running:
    config: Config
    started: datetime
    reports: list[Row] = field(default_factory=list)


class Recorder(Callback):
    """Turns Tune's events into rows of the store and calls of the observer.

    Args:
        data_facts: the data set's columns: dataset, data_hash, split.
        on_row: called with each row after it is in the store.
    """

    def __init__(
        self,
        plan: Plan,
        writer: Writer,
        observer: Observer,
        data_facts: Row,
        on_row: Callable[[Row], None],
    ) -> None:
        self._plan = plan
        self._writer = writer
        self._observer = observer
        self._on_row = on_row
        self._running: dict[str, _Running] = {}
        self._facts = {
            **data_facts,
            "space": plan.space.name,
            "model": plan.space.model,
            "seed": plan.space.search.seed,
            "versions": json.dumps(versions(), sort_keys=True),
            "git_commit": git_commit(),
            "code_hash": code_hash(),
            "attempt": 1,
        }

    def __getstate__(self) -> dict[str, Any]:
        """Return nothing: Tune pickles its callbacks for a restore that we never do."""
        return {}

    def on_trial_start(self, iteration: int, trials: list[Trial], trial: Trial, **_: Any) -> None:
        """Note when the trial began; one of a population comes back, perhaps changed."""
        config = trial.config["hyperparameters"]
        new = _Running(config, datetime.now(timezone.utc))
        self._running.setdefault(trial.trial_id, new).config = config
        self._observer.trial_started(trial_name(trial), config)

    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: Row, **_: Any
    ) -> None:
        """Keep the measurement until the trial finishes."""
        running = self._running[trial.trial_id]
        # One that took over another goes on from that one's epoch.
        before = [report for report in running.reports if report["step"] < result["step"]]
        running.reports = [*before, result]
        self._observer.trial_reported(trial_name(trial), result)

    def on_trial_complete(
        self, iteration: int, trials: list[Trial], trial: Trial, **_: Any
    ) -> None:
        """Store a trial that completed or that the scheduler stopped."""
        running = self._running.pop(trial.trial_id)
        if not running.reports:  # Tune ends such trials without an error (RAY_NOTES.md)
            self._store(trial, running, "failed", "the trial ended without reporting anything")
        elif running.reports[-1].get("test_accuracy") is None:
            self._store(trial, running, "stopped", None)
        else:
            self._store(trial, running, "completed", None)

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **_: Any) -> None:
        """Store a trial that failed, with its error."""
        now = _Running(trial.config["hyperparameters"], datetime.now(timezone.utc))
        running = self._running.pop(trial.trial_id, now)
        self._store(trial, running, "failed", error_text(trial))

    def reuse(self, proposal: Proposal, past: Past) -> None:
        """Store a trial that an earlier search has finished: its measurements, under our id.

        `started` and `finished` are now, when this search had the result for nothing.
        """
        now = datetime.now(timezone.utc)
        row = {
            **past.row,
            **{name: self._facts[name] for name in ("dataset", "space")},
            "trial": f"{proposal.number:05d}",
            "config": proposal.config,
            "shared_with": past.name,
            "attempt": 1,
            "started": now,
            "finished": now,
        }
        self._append(row, past.reports)

    def _store(self, trial: Trial, running: _Running, status: str, error: str | None) -> None:
        finished = datetime.now(timezone.utc)
        last = running.reports[-1] if running.reports else {}
        bundle = self._plan.bundle(running.config)
        measured = {name: last[name] for name in _MEASURED if name in last}
        schedule = trial.config.get("schedule")
        row = {
            **self._facts,
            **measured,
            "trial": trial_name(trial),
            "seed": trial.config.get("seed", self._facts["seed"]),
            "config": running.config,
            "schedule": json.dumps(schedule) if schedule else None,
            "status": status,
            "error": error,
            "cpus": bundle["cpu"],
            "gpus": bundle["gpu"],
            "host": last.get("host", host()),
            "started": running.started,
            "finished": finished,
        }
        if status == "failed":  # nothing it measured is a result, but its time was spent
            row["wall_time_s"] = (finished - running.started).total_seconds()
        reports = [
            {name: report[name] for name in REPORTS.names if name in report}
            for report in running.reports
        ]
        self._append(row, reports)

    def _append(self, row: Row, reports: list[Row]) -> None:
        self._writer.append_trial(row, reports)
        self._on_row(row)
        self._observer.trial_finished(row)


_MEASURED = (
    *("train_accuracy", "val_accuracy", "test_accuracy", "confusion", "train_loss", "val_loss"),
    *("wall_time_s", "setup_s", "fit_s", "eval_s"),
    *("fidelity", "parameters", "multiply_adds", "engine", "device"),
)


def trial_name(trial: Trial) -> str:
    """Return the trial's id in the store: its number in the order of proposal."""
    return f"{trial.config['number']:05d}"


def error_text(trial: Trial) -> str:
    """Return what went wrong in a failed trial: the exception's type and message, in one line.

    Tune's own `Trial.get_pickled_error` looks where the file will be copied to later.
    """
    if trial.pickled_error_file is None:
        return "the trial failed without an error"
    error = cloudpickle.loads(Path(trial.pickled_error_file).read_bytes())
    if isinstance(error, RayActorError):
        # Ray's own text is a page long; its first line says that the actor died.
        return "the trial's process died (killed, crashed or out of memory)"
    cause = getattr(error, "cause", None) or error
    return " ".join(f"{type(cause).__name__}: {cause}".split())[:2000]
