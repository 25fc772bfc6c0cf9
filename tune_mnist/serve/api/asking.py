"""Ask and tell: trials of a search are suggested to clients that train elsewhere."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field

from tune_mnist.actions import asking
from tune_mnist.serve.answers import ANSWERS
from tune_mnist.serve.api.searches import Id, TheService

router = APIRouter(prefix="/api/searches", tags=["ask and tell"], responses=ANSWERS)

Trial = Annotated[str, Path(description="as it was suggested", pattern=r"^[A-Za-z0-9]{1,100}$")]
Value = bool | int | float | str | None


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    client_id: str = Field(description="of the client's own choice", min_length=1, max_length=100)


class SuggestBody(_Body):
    """Who wants trials, and how many."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"client_id": "worker-1"}]})

    count: int = Field(1, description="trials that the client trains at once", ge=1, le=100)


class ReportBody(_Body):
    """A measurement on the way."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"client_id": "worker-1", "measurement": {"step": 1, "val_accuracy": 0.9}}]
        }
    )

    measurement: dict[str, Value] = Field(
        description="`step` (1, 2, ...), and columns of the measurements in docs/columns.md; with"
        " a scheduler also `fidelity`"
    )


class CompleteBody(_Body):
    """How a trial ended: its result, or why it failed; neither if its last report says it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"client_id": "worker-1", "result": {"val_accuracy": 0.97}}]
        }
    )

    result: dict[str, Value] | None = Field(
        None, description="columns of the trials in docs/columns.md, the objectives among them"
    )
    failed: str | None = Field(None, description="why it failed", max_length=2000)


class SuggestedTrial(BaseModel):
    """A trial to train."""

    trial: str
    config: dict[str, Any] = Field(description="its hyperparameters")
    seed: int = Field(description="for its random numbers")


class Suggestions(BaseModel):
    """Trials to train; fewer than asked for, or none, if there are no more now."""

    trials: list[SuggestedTrial]
    ended: str | None = Field(
        description="what ended the search; null with no trials: ask again later"
    )


class Stop(BaseModel):
    """Whether a trial is to stop."""

    stop: bool
    why: str


class Ended(BaseModel):
    """How a trial ended."""

    trial: str
    status: str = Field(description="completed, stopped or failed")


@router.post("/{search}/trials:suggest")
def suggest(search: Id, body: SuggestBody, service: TheService) -> Suggestions:
    """Suggest trials: to the same client the same ones, until it has completed them."""
    found = asking.suggest(service.root, search, body.client_id, body.count)
    trials = [
        SuggestedTrial(trial=one.trial, config=one.config, seed=one.seed) for one in found.trials
    ]
    return Suggestions(trials=trials, ended=found.ended)


@router.post("/{search}/trials/{trial}:report")
def report(search: Id, trial: Trial, body: ReportBody, service: TheService) -> Stop:
    """Keep a measurement of a trial that trains; the answer says whether it is to stop."""
    told = asking.report(service.root, search, trial, body.client_id, body.measurement)
    return Stop(stop=told.stop, why=told.why)


@router.post("/{search}/trials/{trial}:complete")
def complete(search: Id, trial: Trial, body: CompleteBody, service: TheService) -> Ended:
    """Store how a trial ended. The same call again answers the same."""
    done = asking.complete(service.root, search, trial, body.client_id, body.result, body.failed)
    return Ended(trial=done.trial, status=done.status)
