"""What the service answers: a search, lists of them, spaces, data sets and models."""

from __future__ import annotations

from datetime import datetime
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, Field

from tune_mnist.actions.service.states import Known, State
from tune_mnist.serve.problems import Wrong, wrongs
from tune_mnist.store.plans import SearchRecord

RUNNING = ("PENDING", "RUNNING")
"""States in which a search may change by itself."""


class Best(BaseModel):
    """The winner so far: the best completed trial that satisfies the constraints."""

    trial: str
    model: str
    config: dict[str, Any] = Field(description="its hyperparameters")
    val_accuracy: float | None = Field(description="fraction of the validation images")
    test_accuracy: float | None = Field(description="fraction of the test images; chooses nothing")
    wall_time_s: float | None = Field(description="seconds")


class Search(BaseModel):
    """A search and its state."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"id": "first", "state": "RUNNING", "space": "which", "dataset": "digits"}]
        }
    )

    id: str = Field(description="its name in the store")
    state: State = Field(description="see docs/guide/service.md")
    space: str = Field(description="name of its space")
    models: list[str] = Field(description="what it trains")
    dataset: str = Field(description="name of its data set")
    submitter: str = Field(description="who asked for it; empty for one of the command line")
    priority: int = Field(description="higher ones are begun first")
    asked: dict[str, Any] = Field(description="the body with which it was submitted")
    trials: int | None = Field(description="trials at most; null: no limit or not known yet")
    finished: dict[str, int] = Field(description="finished trials by status")
    best: Best | None = Field(default=None, description="the winner so far; not in lists")
    submitted: datetime | None = Field(description="when it was submitted")
    started: datetime | None = Field(description="when its first run began")
    ended: datetime | None = Field(description="when it ended")
    reason: str = Field(description="why it ended; empty if it has not")
    writer: str | None = Field(description="the process that runs it")
    notes: list[str] = Field(description="what was collapsed, capped or left out")
    errors: list[Wrong] = Field(default=[], description="why it FAILED")
    confirms: str = Field(default="", description="of a confirmation: the search that it confirms")


class SearchPage(BaseModel):
    """A page of searches, by name."""

    searches: list[Search]
    next_page_token: str = Field(description="of the next page; empty on the last one")


class RowPage(BaseModel):
    """A page of rows of the store."""

    rows: list[dict[str, Any]] = Field(
        description="column to value; docs/schema.md has the columns"
    )
    next_page_token: str = Field(description="of the next page; empty on the last one")


class Ranking(BaseModel):
    """A leaderboard: trials, the best first."""

    order: str = Field(description="what decides, for example val_accuracy")
    rows: list[dict[str, Any]]


class SpaceOut(BaseModel):
    """A space that ships."""

    name: str
    models: list[str]
    dataset: str
    configurations: int | None = Field(description="on a CPU; null: infinitely many")
    sampler: str
    yaml: str = Field(description="its file")


class DataSet(BaseModel):
    """A data set that this service offers."""

    name: str


class HyperparameterOut(BaseModel):
    """A hyperparameter of a model."""

    name: str
    meaning: str
    default: Any = None
    allowed: str = Field(description="its values, in words")


class ModelOut(BaseModel):
    """A model that can be searched."""

    name: str
    noun: str
    on_gpu: bool
    hyperparameters: list[HyperparameterOut]


def search_of(known: Known, best: dict[str, Any] | None = None) -> Search:
    """Return a search as the service answers it.

    Args:
        known: all that is known of it.
        best: the winner's row, if that was looked for.
    """
    submission, record = known.submission, known.record
    error = submission.faulty() if submission else None
    asked = submission.asked if submission else {}
    planned = record.trials if record else asked.get("trials")
    space = asked.get("space", "")
    own = record.space if record else space if isinstance(space, dict) else {}
    return Search(
        id=known.search,
        state=known.state,
        space=str(own.get("name") or (space if isinstance(space, str) else "")),
        models=list(record.models) if record else [],
        dataset=record.dataset if record else str(asked.get("dataset") or own.get("dataset") or ""),
        submitter=submission.submitter if submission else "",
        priority=submission.priority if submission else 0,
        asked=asked,
        trials=planned if isinstance(planned, int) else None,
        finished=dict(known.counts),
        best=best_of(best) if best else None,
        submitted=submission.submitted if submission else None,
        started=_moment(record.started) if record else None,
        ended=_moment(record.ended.at) if record and record.ended else None,
        reason=_reason(known, record),
        writer=known.writer,
        notes=list(record.notes) if record else [],
        errors=wrongs(error) if error else [],
        confirms=(submission.of if submission else "")
        or (record.confirms.search if record and record.confirms else ""),
    )


def best_of(row: dict[str, Any]) -> Best:
    """Return a winner's row, its values as JSON, as the service answers it."""
    return Best(**{name: row.get(name) for name in Best.model_fields})


def _reason(known: Known, record: SearchRecord | None) -> str:
    if known.state in RUNNING:
        return ""
    if record is not None and record.ended is not None:
        return record.ended.reason
    return known.submission.reason if known.submission else ""


def _moment(text: str) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


STATES = get_args(State)
