"""`/api/searches`: submit a search, list them, look at one, stop, resume, confirm and delete it."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, Any

import pyarrow as pa
from fastapi import APIRouter, Body, Depends, Header, Path, Request, Response
from pydantic import AfterValidator

from tune_mnist.actions import asking
from tune_mnist.actions.asking.held import remove_held
from tune_mnist.actions.naming import new_name
from tune_mnist.actions.service.bodies import (
    ConfirmBody,
    ResumeBody,
    SearchBody,
    confirm_request,
    resume_request,
    search_request,
)
from tune_mnist.actions.service.submissions import Submission, Verb, now
from tune_mnist.models.external import is_external
from tune_mnist.searching.history.confirmation import confirmation_name
from tune_mnist.searching.on_ray.scratch import scratch_folder
from tune_mnist.serve.answers import ANSWERS, Submitter
from tune_mnist.serve.paging import Asked, asked, page
from tune_mnist.serve.problems import ProblemError, Wrong
from tune_mnist.serve.resources import RUNNING, Search, SearchPage, search_of
from tune_mnist.serve.service import Service, answered, service_of
from tune_mnist.spaces import Space
from tune_mnist.store.catalog import has_search
from tune_mnist.store.files.removal import remove_search
from tune_mnist.store.layout import LONGEST_NAME, is_search_name
from tune_mnist.wording import is_unicode

router = APIRouter(prefix="/api/searches", tags=["searches"], responses=ANSWERS)

MOST_WAITING = 1000
"""Searches that may wait at once."""

_PATTERN = rf"^[A-Za-z][A-Za-z0-9._-]{{0,{LONGEST_NAME - 1}}}$"


def _safe(name: str) -> str:
    if not is_search_name(name):  # the pattern lets through what DuckDB reads as a date
        raise ValueError("cannot be the name of a search")
    return name


Id = Annotated[
    str,
    Path(description="a search's name", pattern=_PATTERN, examples=["svm-1"]),
    AfterValidator(_safe),
]
TheService = Annotated[Service, Depends(service_of)]
Priority = Annotated[int, Header(alias="X-Priority", ge=-1000, le=1000, description="default 0")]
_EXAMPLE = {"space": "which", "dataset": "digits", "trials": 12, "cpus": 2}
_AS_IT_WAS, _USUAL = ResumeBody.model_validate({}), ConfirmBody.model_validate({})
Asking = Annotated[SearchBody, Body(examples=[_EXAMPLE])]


@router.put("/{search}", responses={201: {"model": Search}, 200: {"model": Search}})
def put_search(
    search: Id,
    body: Asking,
    service: TheService,
    submitter: Submitter = "",
    priority: Priority = 0,
) -> Response:
    """Submit a search under a name of your own.

    The same request again changes nothing (200); another one under the same name is refused (409).
    """
    asked_for = _fields(body)
    if space := _elsewhere(asked_for):
        made = asking.begin(service.root, search, space).is_new
    else:
        _check(service, search, asked_for)
        made = _submitted(service, _new(search, asked_for, submitter, priority))
    return _now(service, search, 201 if made else 200)


@router.post("", status_code=202, response_model=Search)
def post_search(
    body: Asking, service: TheService, submitter: Submitter = "", priority: Priority = 0
) -> Response:
    """Submit a search; the service names it."""
    asked_for = _fields(body)
    if space_elsewhere := _elsewhere(asked_for):
        name = asking.begin(service.root, None, space_elsewhere).record.search
    else:
        space = _check(service, "search", asked_for)
        name = new_name(space, str(asked_for.get("dataset") or space.dataset))
        _submitted(service, _new(name, asked_for, submitter, priority))
    answer = _now(service, name)
    answer.headers["Location"] = f"/api/searches/{name}"
    return answer


@router.get("", response_model=SearchPage)
def list_searches(
    request: Request, service: TheService, which: Annotated[Asked, Depends(asked)]
) -> Response:
    """List the searches by name.

    `filter` and `order_by` take id, state, space, dataset, submitter, priority, finished, submitted
    and started.
    """
    found = {name: search_of(known) for name, known in service.all_known().items()}
    chosen, following = page(_table(found.values()), which)
    searches = [found[name] for name in chosen["id"].to_pylist()]
    return answered(request, SearchPage(searches=searches, next_page_token=following))


@router.get("/{search}", response_model=Search)
def get_search(search: Id, request: Request, service: TheService) -> Response:
    """Return a search: its state, and its winner so far."""
    return answered(request, service.search(service.known(search)))


@router.delete("/{search}", status_code=204, response_class=Response)
def delete_search(search: Id, service: TheService) -> Response:
    """Remove a search that has ended, with its trials and models."""
    known = service.known(search)
    if known.state in RUNNING and not known.waits:
        raise ProblemError(409, f"{search} is {known.state}; stop it first")
    if known.record is not None:
        remove_search(service.root, search)
        if known.trained_elsewhere:
            remove_held(service.root, search)
    service.submissions.remove(search)
    return Response(status_code=204)


@router.post("/{search}:stop", status_code=202, response_model=Search)
def stop_search(search: Id, service: TheService) -> Response:
    """Stop a search; what has finished is kept, and it can be resumed."""
    known = service.known(search)
    if known.state in RUNNING and known.trained_elsewhere:
        asking.stop(service.root, search)
    elif known.state in RUNNING:
        if known.submission is None:
            detail = f"{search} is run by {known.writer}, not by a service; end it there"
            raise ProblemError(409, detail)
        service.submissions.change(search, lambda before: None if before.stop else {"stop": True})
        service.look()
    return _now(service, search)


@router.post("/{search}:resume", status_code=202, response_model=Search)
def resume_search(
    search: Id,
    service: TheService,
    body: Annotated[ResumeBody, Body(examples=[{"trials": 40}])] = _AS_IT_WAS,
    submitter: Submitter = "",
) -> Response:
    """Resume a search that has stopped, failed or was interrupted, or give one more trials."""
    again = _fields(body)
    resume_request(again, search, service.offered)
    known = service.known(search)
    if known.state in RUNNING:
        raise ProblemError(409, f"{search} is {known.state} already")
    if known.trained_elsewhere:
        _check_only(again, ())
        asking.resume(service.root, search)
        return _now(service, search)

    def waiting(before: Submission) -> Mapping[str, Any] | None:
        if before.stage == "waiting" and not before.stop:  # somebody else was faster
            return None
        fresh = {"stage": "waiting", "stop": False, "attempts": 0, "process": None}
        return {**fresh, "again": again, "reason": "", "faults": ()}

    if known.submission is None:
        new = _new(search, dict(known.record.request) if known.record else {}, submitter, 0)
        service.submissions.create(new.model_copy(update={"again": again}))
    else:
        service.submissions.change(search, waiting)
    service.look()
    return _now(service, search)


@router.post("/{search}:confirm", status_code=202, response_model=Search)
def confirm_search(
    search: Id,
    service: TheService,
    body: Annotated[ConfirmBody, Body(examples=[{"top": 3}])] = _USUAL,
    submitter: Submitter = "",
) -> Response:
    """Run the best trials of a search again on fresh seeds.

    The answer is the confirmation, which is a search with a state of its own.
    """
    how = _fields(body)
    confirm_request(how, search, service.offered)
    known = service.known(search)
    if known.state in RUNNING:
        raise ProblemError(409, f"{search} is {known.state}; wait for its end")
    if known.trained_elsewhere:
        raise ProblemError(409, f"{search} was trained elsewhere, and cannot be run again here")
    name = confirmation_name(search)
    new = _new(name, how, submitter, 0, "confirm").model_copy(update={"of": search})
    earlier = service.submission(name)
    if earlier is None:
        _keep(service, new)
    elif earlier.stage == "ended":
        fresh = {"stage": "waiting", "asked": how, "stop": False, "attempts": 0, "faults": ()}
        service.submissions.change(name, lambda before: fresh if before == earlier else None)
    service.look()
    return _now(service, name)


def _new(
    search: str, asked_for: dict[str, Any], submitter: str, priority: int, verb: Verb = "search"
) -> Submission:
    return Submission(
        search=search,
        verb=verb,
        asked=asked_for,
        submitter=submitter,
        priority=priority,
        submitted=now(),
    )


def _check(service: Service, search: str, asked_for: Mapping[str, Any]) -> Space:
    """Return the space that a body searches. Raises: InputError: it cannot be searched here."""
    with scratch_folder() as folder:
        return search_request(asked_for, search, service.offered, folder)[1]


def _submitted(service: Service, new: Submission) -> bool:
    """Keep a submission; return whether it is new. Raises: ProblemError: 409, 429."""
    earlier = service.submission(new.search)
    if earlier is None:
        if has_search(service.root, new.search):
            raise ProblemError(409, f"the store has a search {new.search!r} of the command line")
        return _keep(service, new)
    if (earlier.asked, earlier.verb) != (new.asked, new.verb):
        raise ProblemError(409, f"{new.search!r} was submitted with another request")
    return False


def _keep(service: Service, new: Submission) -> bool:
    waiting = sum(one.stage == "waiting" for one in service.submissions.all().values())
    if waiting >= MOST_WAITING:
        raise ProblemError(429, f"{waiting:,} searches wait already", retry_after_s=60)
    try:
        service.submissions.create(new)
    except FileExistsError:  # the same request twice at once, or two under one name
        return _submitted(service, new)
    service.look()
    return True


def _fields(body: Any) -> dict[str, Any]:
    """Return what a body says, without what it leaves at its default.

    Raises: ProblemError: 422, a text is no Unicode: JSON can hold half a surrogate pair.
    """
    fields: dict[str, Any] = body.model_dump(exclude_unset=True)
    if not is_unicode(json.dumps(fields, ensure_ascii=False)):
        raise ProblemError(422, "the body has half a surrogate pair, which is no text")
    return fields


def _elsewhere(asked_for: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the space of a search whose trials are trained elsewhere; None for the others.

    Raises: ProblemError: 422, it asks for more: such a search has all in its space.
    """
    space = asked_for.get("space")
    if not isinstance(space, Mapping) or not is_external(space.get("model")):
        return None
    _check_only(asked_for, ("space",))
    return space


def _check_only(asked_for: Mapping[str, Any], allowed: Sequence[str]) -> None:
    others = [
        Wrong(pointer=f"/{name}", detail="not of a search that is trained elsewhere")
        for name in asked_for
        if name not in allowed
    ]
    if others:
        raise ProblemError(422, "its space says all about such a search", others)


def _table(found: Collection[Search]) -> pa.Table:
    """Return what a list of searches may be filtered and ordered by."""
    times = pa.timestamp("us", tz="UTC")
    return pa.table(
        {
            "id": pa.array([one.id for one in found], pa.string()),
            "state": pa.array([one.state for one in found], pa.string()),
            "space": pa.array([one.space for one in found], pa.string()),
            "dataset": pa.array([one.dataset for one in found], pa.string()),
            "submitter": pa.array([one.submitter for one in found], pa.string()),
            "priority": pa.array([one.priority for one in found], pa.int64()),
            "finished": pa.array([sum(one.finished.values()) for one in found], pa.int64()),
            "submitted": pa.array([one.submitted for one in found], times),
            "started": pa.array([one.started for one in found], times),
        }
    )


def _now(service: Service, search: str, status: int = 202) -> Response:
    """Return the answer that says how a search is now."""
    body = service.search(service.known(search)).model_dump_json()
    return Response(body, status, media_type="application/json")
