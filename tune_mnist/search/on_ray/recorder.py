"""The Ray Tune callback that puts each finished trial into the store the moment it finishes."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol

import ray
from ray import cloudpickle
from ray.exceptions import OutOfMemoryError, RayActorError
from ray.tune import Callback
from ray.tune.experiment import Trial

from tune_mnist.errors import InputError
from tune_mnist.provenance import code_hash, git_commit, host, versions
from tune_mnist.search.history.memory import Past
from tune_mnist.search.on_ray.ray_session import check_alive
from tune_mnist.search.on_ray.trainings import Trainings
from tune_mnist.search.planning.plan import Plan
from tune_mnist.search.proposing.proposals import Proposal
from tune_mnist.spaces import Config
from tune_mnist.store.schema import REPORTS
from tune_mnist.store.writer import Writer

if TYPE_CHECKING:  # it knows us too
    from tune_mnist.search.on_ray.ending import Ending

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
    trial: Trial
    config: Config
    started: datetime
    began: float  # on the monotonic clock, which nobody sets
    reports: list[Row] = field(default_factory=list)


class Recorder(Callback):
    """Turns Tune's events into rows of the store, then tells the sampler and the observer.

    Args:
        data_facts: the data set's columns: dataset, data_hash, split.
        ending: counts each trial's last row after it is in the store, and ends the search when the
            store takes no more rows, or Ray has died.

    Attributes:
        ended: how many of Tune's trials have ended.
    """

    def __init__(
        self,
        plan: Plan,
        writer: Writer,
        observer: Observer,
        data_facts: Row,
        ending: Ending,
    ) -> None:
        self._plan = plan
        self._writer = writer
        self._observer = observer
        self._ending = ending
        self._trainings: Trainings | None = None
        self._running: dict[str, _Running] = {}
        self.ended = 0
        self._facts = {
            **data_facts,
            "space": plan.space.name,
            "model": plan.space.model,
            "seed": plan.space.search.seed,
            "versions": json.dumps(versions(), sort_keys=True),
            "git_commit": git_commit(),
            "code_hash": code_hash(),
        }

    def __getstate__(self) -> dict[str, Any]:
        """Return nothing: Tune pickles its callbacks for a restore that we never do."""
        return {}

    def follow(self, trainings: Trainings) -> None:
        """Tell these how each trial went; a confirmation has none to tell."""
        self._trainings = trainings

    def restart_clocks(self) -> None:
        """Begin the time of the running trials now: they have waited for what all of them share."""
        for running in list(self._running.values()):
            running.started, running.began = datetime.now(timezone.utc), monotonic()

    def kill_running(self) -> None:
        """End the running trials' processes: Tune asks them to stop, and waits for seconds."""
        for running in list(self._running.values()):
            actor = running.trial.temporary_state.ray_actor
            if actor is not None:
                ray.kill(actor)

    def on_trial_start(self, iteration: int, trials: list[Trial], trial: Trial, **_: Any) -> None:
        """Note when the trial began; one of a population comes back, perhaps changed."""
        config = trial.config["hyperparameters"]
        new = _Running(trial, config, datetime.now(timezone.utc), monotonic())
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
        if self._trainings:
            self._trainings.report(trial.config["number"], result)
        self._observer.trial_reported(trial_name(trial), result)

    def on_trial_complete(
        self, iteration: int, trials: list[Trial], trial: Trial, **_: Any
    ) -> None:
        """Store a trial that completed or that the scheduler stopped."""
        running = self._running.pop(trial.trial_id)
        if not running.reports:  # Tune ends such trials without an error (RAY_NOTES.md)
            self._fail(trial, running, "the trial ended without reporting anything", False)
            return
        completed = running.reports[-1].get("test_accuracy") is not None
        row = self._row(trial, running, "completed" if completed else "stopped")
        self._append(row, _stored(running.reports))
        if self._trainings:
            contained = self._contained(row, running.reports)
            self._trainings.finished(trial.config["number"], row, contained)

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **_: Any) -> None:
        """Store a trial that failed, with its error."""
        config = trial.config["hyperparameters"]
        now = _Running(trial, config, datetime.now(timezone.utc), monotonic())
        running = self._running.pop(trial.trial_id, now)
        if self._ending.lost:  # then it is no fault of the trial's own
            return
        error = trial_error(trial)
        if died(error):
            try:
                check_alive()
            except InputError as lost:
                self._ending.lose(lost)
                return
        limit = self._plan.space.search.trial_timeout_s
        if died(error) and limit is not None and monotonic() - running.began >= limit:
            text = f"took more than {limit:g} s, and was ended (--trial-timeout)"
        else:
            text = error_text(error)
        self._fail(trial, running, text, memory_ran_out(error))

    def _fail(self, trial: Trial, running: _Running, error: str, memory: bool) -> None:
        """Store a failed attempt; nothing it measured is a result, but its time was spent."""
        row = self._row(trial, running, "failed")
        row |= {"error": error, "wall_time_s": monotonic() - running.began}
        number = trial.config["number"]
        retry = self._trainings is not None and self._trainings.will_retry(
            number, memory_ran_out=memory
        )
        self._append(row, _stored(running.reports), is_last=not retry)
        if self._trainings:
            self._trainings.failed(number, retry=retry, memory_ran_out=memory)

    def answer(self, proposal: Proposal, past: Past) -> None:
        """Store a trial that another has measured: its measurements, under our id.

        `started` and `finished` are now, when this search had the result for nothing.
        """
        now = datetime.now(timezone.utc)
        row = {
            **past.row,
            **{name: self._facts[name] for name in ("dataset", "space")},
            "trial": f"{proposal.number:05d}",
            "config": proposal.config,
            "shared_with": past.name,
            "proposed_after": proposal.seen,
            "attempt": 1,
            "started": now,
            "finished": now,
        }
        self._append(row, past.reports)

    def _row(self, trial: Trial, running: _Running, status: str) -> Row:
        self.ended += 1
        last = running.reports[-1] if running.reports and status != "failed" else {}
        bundle = self._plan.bundle(running.config, trial.config.get("share", 1))
        schedule = trial.config.get("schedule")
        return {
            **self._facts,
            **_measured(last),
            "trial": trial_name(trial),
            "attempt": trial.config.get("attempt", 1),
            "proposed_after": trial.config.get("seen"),
            "seed": trial.config.get("seed", self._facts["seed"]),
            "config": running.config,
            "schedule": json.dumps(schedule) if schedule else None,
            "status": status,
            "error": None,
            "cpus": bundle["cpu"],
            "gpus": bundle["gpu"],
            "host": last.get("host", host()),
            "started": running.started,
            "finished": datetime.now(timezone.utc),
        }

    def _contained(self, row: Row, reports: list[Row]) -> list[tuple[int, Past]]:
        """Return the shorter trials that a training has measured on its way, with their epochs."""
        found = []
        for index, report in enumerate(reports):
            if (prefix := report.get("prefix")) is not None:
                short = {**row, **_measured(prefix), "status": "completed"}
                curve = _stored([*reports[:index], {**report, **prefix}])
                found.append((int(prefix["fidelity"]), Past(row["trial"], short, curve)))
        return found

    def _append(self, row: Row, reports: list[Row], *, is_last: bool = True) -> None:
        try:
            self._writer.append_trial(row, reports)
        except InputError as error:
            self._ending.lose(error)
            return
        if is_last:
            self._ending.add(row)
        self._observer.trial_finished(row)


_MEASURED = (
    *("train_accuracy", "val_accuracy", "test_accuracy", "confusion", "train_loss", "val_loss"),
    *("wall_time_s", "setup_s", "fit_s", "eval_s"),
    *("fidelity", "parameters", "multiply_adds", "engine", "device"),
)


def _measured(last: Row) -> Row:
    return {name: last[name] for name in _MEASURED if name in last}


def _stored(reports: list[Row]) -> list[Row]:
    """Return the columns of the reports that the store keeps."""
    return [{name: one[name] for name in REPORTS.names if name in one} for one in reports]


def trial_name(trial: Trial) -> str:
    """Return the trial's id in the store: its number in the order of proposal."""
    return f"{trial.config['number']:05d}"


def trial_error(trial: Trial) -> Exception | None:
    """Return the exception that ended a trial, as Ray wraps it; None if it left none.

    Tune's own `Trial.get_pickled_error` looks where the file will be copied to later. The file is
    one that Tune has just written in a folder of ours.
    """
    if trial.pickled_error_file is None:
        return None
    error: Exception = cloudpickle.loads(Path(trial.pickled_error_file).read_bytes())
    return error


def died(error: Exception | None) -> bool:
    """Return whether the trial's process went away under it."""
    return isinstance(error, RayActorError)


def memory_ran_out(error: Exception | None) -> bool:
    """Return whether more memory could have helped: Python's, torch's or Ray's word for it."""
    cause = getattr(error, "cause", None) or error
    if isinstance(cause, (MemoryError, OutOfMemoryError)):
        return True
    text = str(cause)
    return type(cause).__name__ == "OutOfMemoryError" or any(
        words in text for words in ("can't allocate memory", "CUDA out of memory", "running low on")
    )


def error_text(error: Exception | None) -> str:
    """Return what went wrong in a failed trial: the exception's type and message, in one line."""
    if error is None:
        return "the trial failed without an error"
    if died(error) and not memory_ran_out(error):
        # Ray's own text is a page long; its first line says that the actor died.
        return "the trial's process died (killed, crashed or out of memory)"
    cause = getattr(error, "cause", None) or error
    return " ".join(f"{type(cause).__name__}: {cause}".split())[:2000]
