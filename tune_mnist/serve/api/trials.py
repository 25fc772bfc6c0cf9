"""The trials of a search, their measurements, and its leaderboard."""

from __future__ import annotations

import io
from typing import Annotated, Any

import pyarrow as pa
import pyarrow.parquet as pq
from fastapi import APIRouter, Depends, Query, Request, Response

from tune_mnist.analysis.ranking import goal_note, json_rows, ranked_trials, ranking, to_csv
from tune_mnist.serve.answers import ANSWERS
from tune_mnist.serve.api.searches import Id, TheService
from tune_mnist.serve.paging import Asked, asked, json_values, page
from tune_mnist.serve.problems import ProblemError
from tune_mnist.serve.resources import Ranking, RowPage
from tune_mnist.serve.service import answered, tag_of, tagged
from tune_mnist.store.layout import RowKind

JSON, CSV, PARQUET = "application/json", "text/csv", "application/vnd.apache.parquet"

router = APIRouter(prefix="/api/searches", tags=["trials"], responses=ANSWERS)

Which = Annotated[Asked, Depends(asked)]
_ROWS: dict[int | str, dict[str, Any]] = {
    200: {
        "model": RowPage,
        "content": {
            CSV: {"schema": {"type": "string"}},
            PARQUET: {"schema": {"type": "string", "format": "binary"}},
        },
    },
    304: {"description": "as the client has it"},
    406: ANSWERS[400] | {"description": "none of the forms that we have"},
}


@router.get("/{search}/trials", response_model=RowPage, responses=_ROWS)
def get_trials(search: Id, request: Request, service: TheService, which: Which) -> Response:
    """Return the finished trials, oldest first, a page at a time.

    `Accept: text/csv` or `application/vnd.apache.parquet` returns the page in that form; the next
    page's token is in the header `X-Next-Page-Token`.
    """
    return _rows(search, "trials", request, service, which)


@router.get("/{search}/reports", response_model=RowPage, responses=_ROWS)
def get_reports(search: Id, request: Request, service: TheService, which: Which) -> Response:
    """Return what trials measured after each epoch or rung, as `trials` does."""
    return _rows(search, "reports", request, service, which)


@router.get("/{search}/leaderboard", response_model=Ranking)
def get_leaderboard(
    search: Id,
    request: Request,
    service: TheService,
    top: Annotated[int, Query(ge=1, le=1000, description="rows")] = 20,
) -> Response:
    """Return the best trials, as the command `leaderboard` ranks them."""
    known = service.known(search)
    if known.record is None:
        return answered(request, Ranking(order="", rows=[]))
    goal = known.record.goal
    rows = service.tables.rows(service.root, "trials", search)
    best = ranking(ranked_trials(rows, goal), goal).slice(0, top)
    return answered(request, Ranking(order=goal_note(goal), rows=json_rows(best)))


def _rows(
    search: str, kind: RowKind, request: Request, service: TheService, which: Asked
) -> Response:
    form = _form(request)
    known = service.known(search)
    if known.record is None:
        empty = RowPage(rows=[], next_page_token="")
        return answered(request, empty if form == JSON else b"", form)
    key, rows = service.tables.keyed_rows(service.root, kind, search)
    chosen, following = page(rows, which)
    tag = tag_of(key, form, which.size, which.token, which.filter, which.order)
    response = tagged(request, tag, lambda: _written(chosen, following, form), form)
    if following:
        response.headers["X-Next-Page-Token"] = following
    return response


def _form(request: Request) -> str:
    """Return the form that the client wants most. Raises: ProblemError: 406."""
    wanted = [
        part.partition(";")[0].strip() for part in request.headers.get("accept", "").split(",")
    ]
    for one in wanted:
        if one in ("", "*/*", "application/*", JSON):
            return JSON
        if one in (CSV, "text/*"):
            return CSV
        if one == PARQUET:
            return PARQUET
    raise ProblemError(406, f"only {JSON}, {CSV} and {PARQUET} can be had")


def _written(rows: pa.Table, following: str, form: str) -> bytes:
    if form == JSON:
        return RowPage(rows=json_values(rows), next_page_token=following).model_dump_json().encode()
    if form == CSV:
        return to_csv(rows).encode()
    written = io.BytesIO()
    pq.write_table(rows, written)
    return written.getvalue()
