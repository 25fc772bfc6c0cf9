"""Whether the service lives and can answer, and its metrics for Prometheus."""

from __future__ import annotations

from fastapi import APIRouter, Response
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from pydantic import BaseModel

from tune_mnist.errors import InputError
from tune_mnist.serve.answers import ANSWERS
from tune_mnist.serve.api.searches import TheService
from tune_mnist.serve.problems import ProblemError
from tune_mnist.serve.resources import STATES

router = APIRouter(tags=["health"], responses=ANSWERS)


class Health(BaseModel):
    """That all is well."""

    status: str = "ok"


@router.get("/healthz")
def get_health() -> Health:
    """Return that the service lives."""
    return Health()


@router.get("/readyz")
def get_ready(service: TheService) -> Health:
    """Return that the store can be read and searches can begin."""
    try:
        service.submissions.all()
    except (InputError, OSError) as error:
        raise ProblemError(503, "the store cannot be read") from error
    if service.dispatcher is not None and not service.dispatcher.is_alive:
        raise ProblemError(503, "no search can begin: start the service again")
    return Health()


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
def get_metrics(service: TheService) -> Response:
    """Return metrics in Prometheus' text format."""
    registry = CollectorRegistry()
    searches = Gauge(
        "tune_mnist_service_searches", "Searches of the store.", ["state"], registry=registry
    )
    trials = Gauge(
        "tune_mnist_service_trials", "Finished trials of the store.", ["status"], registry=registry
    )
    known = service.all_known().values()
    for state in STATES:
        searches.labels(state).set(sum(one.state == state for one in known))
    for status in ("completed", "stopped", "failed"):
        trials.labels(status).set(sum(one.counts.get(status, 0) for one in known))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
