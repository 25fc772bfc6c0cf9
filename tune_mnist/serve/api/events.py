"""Server-sent events: the trials of a search as they finish, and its states.

The id of an event is the number of trials that the stream has sent by then. A client that connects
again sends the last one (`Last-Event-ID`), and gets what came after it: nothing twice, nothing left
out, whichever process answers. A stream ends when its search has. To a client that has all of it,
204 says that there is no more; a browser then asks no more.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

import pyarrow as pa
from fastapi import APIRouter, Depends, Header, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent

from tune_mnist.serve.answers import ANSWERS
from tune_mnist.serve.api.searches import Id, TheService
from tune_mnist.serve.paging import json_values
from tune_mnist.serve.problems import NothingMoreError, ProblemError, Wrong
from tune_mnist.serve.resources import RUNNING
from tune_mnist.serve.watching import Watching

router = APIRouter(prefix="/api/searches", tags=["events"], responses=ANSWERS)

_AT_ONCE = 500
"""Rows that are made into text at once, so that other requests are answered between."""

LastEventId = Annotated[
    str | None, Header(alias="Last-Event-ID", pattern=r"^\d{1,15}$", description="id of an event")
]


def trials_sent(search: Id, service: TheService, last_event_id: LastEventId = None) -> int:
    """Return how many trials a client has; checked before its stream begins.

    Raises: ProblemError: 404, there is no such search; 400, it has not so many trials.
        NothingMoreError: the search has ended, and the client has all of it.
    """
    known, sent = service.known(search), int(last_event_id or 0)
    there = len(service.tables.rows(service.root, "trials", search)) if known.record else 0
    if sent > there:
        detail = f"Last-Event-ID is {sent}, and {search} has {there} trials"
        raise ProblemError(400, detail, [Wrong(pointer="Last-Event-ID", detail="is too large")])
    if last_event_id is not None and sent == there and known.state not in RUNNING:
        raise NothingMoreError
    return sent


@router.get(
    "/{search}/events",
    response_class=EventSourceResponse,
    responses={204: {"description": "the search has ended, and the client has all of it"}},
)
async def get_events(
    search: Id,
    request: Request,
    service: TheService,
    sent: Annotated[int, Depends(trials_sent)],
) -> AsyncIterator[ServerSentEvent]:
    """Stream a search: an event `trial` for each finished trial, and `state` when that changes."""
    watching: Watching = request.app.state.watching
    state, seen = "", None
    async with watching.watched(search):
        while True:
            seen = await watching.change(search, seen)
            if seen[0]:
                rows = await asyncio.to_thread(service.tables.rows, service.root, "trials", search)
                while sent < len(rows):
                    for row in await asyncio.to_thread(_some, rows, sent):
                        sent += 1
                        yield ServerSentEvent(data=row, event="trial", id=str(sent))
            if seen[1] != state:
                state = seen[1]
                yield ServerSentEvent(data={"state": state}, event="state", id=str(sent))
            if state not in RUNNING:
                return


def _some(rows: pa.Table, start: int) -> list[dict[str, Any]]:
    return json_values(rows.slice(start, _AT_ONCE))
