"""From a trial of Ray Tune to its row in the store."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from time import monotonic
from typing import Any

from ray.tune.experiment import Trial

from tune_mnist.code_hash import code_hash, libraries_of
from tune_mnist.datasets import Dataset
from tune_mnist.metrics import LATENCIES
from tune_mnist.provenance import git_commit, host, versions
from tune_mnist.searching.history.keeping import KeptModels
from tune_mnist.searching.history.memory import Past
from tune_mnist.searching.observer import Row
from tune_mnist.searching.on_ray.failure import Failure
from tune_mnist.searching.on_ray.session.nodes import Node
from tune_mnist.searching.planning.plan import Plan
from tune_mnist.spaces import Config
from tune_mnist.store.proposals import Proposal
from tune_mnist.store.schema import REPORTS
from tune_mnist.store.writer import Writer
from tune_mnist.training.measurement import OF_TEST_IMAGES


@dataclass
class Attempt:
    """One of Tune's trials while it runs: what it is, when it began, what it measured.

    Its process may be given up and started again, in a population for example: `turn` is when the
    present one began.
    """

    trial: Trial
    config: Config
    started: datetime = field(default_factory=lambda: datetime.now(timezone.utc))
    began: float = field(default_factory=monotonic)  # a clock that nobody sets
    turn: float = field(default_factory=monotonic)
    measurements: list[Row] = field(default_factory=list)
    node: Node | None = None  # of a cluster

    @property
    def number(self) -> int:
        """The number of its proposal."""
        return int(self.trial.config["number"])

    def restart_clock(self) -> None:
        """Begin its time now."""
        self.started, self.began = datetime.now(timezone.utc), monotonic()
        self.turn = self.began

    def took_s(self) -> float:
        """Return the seconds since it began."""
        return monotonic() - self.began

    def ran_s(self) -> float:
        """Return the seconds since its present process began with it, which its limit counts."""
        return monotonic() - self.turn


class Recorder:
    """Puts trials into the store, each on disk when the method returns.

    Args:
        plan: of the search.
        data: what it runs on.
        writer: of the search.
        models: those of its best trials.

    Attributes:
        stored: how many rows it has put there.

    Raises, in every method: InputError: the store takes no more rows.
    """

    def __init__(self, plan: Plan, data: Dataset, writer: Writer, models: KeptModels) -> None:
        self._plan = plan
        self._writer = writer
        self._models = models
        self.stored = 0
        self._facts = {
            "dataset": data.name,
            "data_hash": data.content_hash,
            "split": data.split,
            "space": plan.space.name,
            "seed": plan.space.search.seed,
            "git_commit": git_commit(),
        }
        self._of_model = {
            model: {
                "model": model,
                "versions": json.dumps(versions() | libraries_of(model), sort_keys=True),
                "code_hash": code_hash(model),
            }
            for model in plan.space.models
        }

    @property
    def candidates(self) -> Path:
        """The folder for models that may be kept."""
        return self._writer.candidates

    def finished(self, attempt: Attempt) -> Row:
        """Store a trial that completed, or that the scheduler stopped; return its row."""
        completed = attempt.measurements[-1].get("test_accuracy") is not None
        row = self._row(attempt, "completed" if completed else "stopped")
        saved = _saved(attempt.measurements[-1])
        self._store(row, _stored(attempt.measurements), lambda: saved)
        if saved is not None:  # it may have been kept, and moved
            shutil.rmtree(saved, ignore_errors=True)
        return row

    def failed(self, attempt: Attempt, failure: Failure) -> Row:
        """Store an attempt that failed; nothing it measured is a result, but its time was spent."""
        row = self._row(attempt, "failed")
        row |= {"error": failure.text, "wall_time_s": attempt.took_s()}
        self._store(row, _stored(attempt.measurements))
        return row

    def answer(self, proposal: Proposal, past: Past) -> Row:
        """Store a trial that another has measured: its measurements, under our own number.

        It starts and finishes now, when this search receives the result without any training.
        """
        now = datetime.now(timezone.utc)
        row = {
            **past.row,
            **{name: self._facts[name] for name in ("dataset", "space")},
            "trial": f"{proposal.number:05d}",
            "config": self._plan.space.hyperparameters(proposal.config),
            "shared_with": past.name,
            "proposed_after": proposal.seen,
            "attempt": 1,
            "started": now,
            "finished": now,
        }
        self._store(row, past.reports, lambda: past.saved or self._models.reused(past.name))
        return row

    def _store(
        self,
        row: Row,
        reports: Sequence[Mapping[str, Any]],
        model: Callable[[], Path | None] = lambda: None,
    ) -> None:
        with self._models.storing(row, model):
            self._writer.append_trial(row, reports)
        self.stored += 1

    def _row(self, attempt: Attempt, status: str) -> Row:
        given = attempt.trial.config
        last = attempt.measurements[-1] if attempt.measurements and status != "failed" else {}
        bundle = self._plan.bundle(attempt.config, given.get("share", 1))
        schedule = given.get("schedule")
        space = self._plan.space
        return {
            **self._facts,
            **self._of_model[space.model_of(attempt.config)],
            **_measured(last),
            "trial": trial_name(attempt.trial),
            "attempt": given.get("attempt", 1),
            "proposed_after": given.get("seen"),
            "seed": given.get("seed", self._facts["seed"]),
            "config": space.hyperparameters(attempt.config),
            "schedule": json.dumps(schedule) if schedule else None,
            "status": status,
            "error": None,
            "cpus": bundle["cpu"],
            "gpus": bundle["gpu"],
            **{name: last[name] for name in _OF_ITS_NODE if name in last},
            "host": last.get("host", attempt.node.host if attempt.node else host()),
            "started": attempt.started,
            "finished": datetime.now(timezone.utc),
        }


def contained(row: Row, attempt: Attempt) -> list[tuple[int, Past]]:
    """Return the shorter trials that a training measured on its way, each with its epochs.

    Args:
        row: of the training, as `Recorder.finished` returned it.
        attempt: the training.
    """
    found = []
    for index, measurement in enumerate(attempt.measurements):
        if (prefix := measurement.get("prefix")) is not None:
            short = {**row, **_measured(prefix), "status": "completed"}
            curve = _stored([*attempt.measurements[:index], {**measurement, **prefix}])
            past = Past(row["trial"], short, curve, _saved(prefix))
            found.append((int(prefix["fidelity"]), past))
    return found


def trial_name(trial: Trial) -> str:
    """Return the trial's id in the store: its number in the order of proposal."""
    return f"{trial.config['number']:05d}"


_OF_ITS_NODE = ("versions", "code_hash")  # where they are not the driver's
_MEASURED = (
    *("train_accuracy", "val_accuracy", "val_balanced_accuracy", "train_loss", "val_loss"),
    *OF_TEST_IMAGES,
    *("wall_time_s", "setup_s", "fit_s", "eval_s", *LATENCIES),
    *("fidelity", "parameters", "multiply_adds", "converged", "engine", "device"),
)


def _saved(measurement: Row) -> Path | None:
    """Return the folder of the model that was measured; None if it has not been saved."""
    return Path(measurement["saved"]) if "saved" in measurement else None


def _measured(last: Row) -> Row:
    return {name: last[name] for name in _MEASURED if name in last}


def _stored(measurements: list[Row]) -> list[dict[str, Any]]:
    """Return the columns of the measurements that the store keeps."""
    return [{name: one[name] for name in REPORTS.names if name in one} for one in measurements]
