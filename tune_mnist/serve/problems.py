"""Errors as RFC 9457 problem details, with a JSON pointer at each value that is wrong."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from tune_mnist.actions.asking import ConflictError, UnknownError
from tune_mnist.errors import Fault, InputError
from tune_mnist.store.lock import BeingWrittenError

MEDIA_TYPE = "application/problem+json"
_STATUS = {UnknownError: 404, ConflictError: 409, BeingWrittenError: 503}
_LOG = logging.getLogger(__name__)
_FIELD = re.compile(r"`([a-z0-9_]+)(?:=([^`]*))?`")


class Wrong(BaseModel):
    """One value that is wrong."""

    pointer: str = Field("", description="JSON pointer into the body, or the query's parameter")
    detail: str = Field(description="what is wrong with it")
    fix: str = Field("", description="what to send instead")


class Problem(BaseModel):
    """Problem details (RFC 9457)."""

    type: str = Field("about:blank", examples=["about:blank"])
    title: str = Field(description="the status in words")
    status: int = Field(description="the HTTP status", examples=[422])
    detail: str = Field("", description="what is wrong, for people")
    errors: list[Wrong] = Field(default=[], description="each value that is wrong")


class ProblemError(Exception):
    """An answer that is a problem, for the caller to raise."""

    def __init__(
        self, status: int, detail: str, errors: Sequence[Wrong] = (), retry_after_s: int = 0
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.errors = status, detail, list(errors)
        self.retry_after_s = retry_after_s


class NothingMoreError(Exception):
    """An answer without content, for the caller to raise."""


def problem_response(
    status: int, detail: str, errors: Sequence[Wrong] = (), headers: dict[str, str] | None = None
) -> Response:
    """Return the answer for a problem."""
    title = HTTPStatus(status).phrase
    problem = Problem(title=title, status=status, detail=detail, errors=list(errors))
    body = json.dumps(problem.model_dump())  # ASCII: a value may be no Unicode
    return Response(body, status, headers, MEDIA_TYPE)


def wrongs(error: InputError) -> list[Wrong]:
    """Return what is wrong, each with its pointer into the body."""
    return [
        Wrong(pointer=pointer_of(fault), detail=_plain(fault.problem), fix=_plain(fault.fix))
        for fault in error.faults
    ]


def pointer_of(fault: Fault) -> str:
    """Return the JSON pointer of a fault: "/trials", or "/space/parameters/C" inside a space."""
    field = _FIELD.fullmatch(fault.where)
    parts = [field[1]] if field else ["space"] if fault.where.endswith(".yaml") else []
    if parts and fault.key:
        parts += [part for part in re.split(r"[.\[\]]+", fault.key) if part]
    return "".join(f"/{_escaped(part)}" for part in parts)


def _escaped(part: str) -> str:
    return part.replace("~", "~0").replace("/", "~1")


def _plain(text: str) -> str:
    """Return a text with the fields of a request as they stand in a JSON body."""
    return _FIELD.sub(
        lambda found: found[1] if found[2] is None else f"{found[1]}={found[2]}", text
    )


def detail_of(error: InputError) -> str:
    """Return an error in one line. It names no file: a space came in the body."""
    lines = []
    for one in error.faults:
        where = "space" if one.where.endswith(".yaml") else _plain(one.where)
        lines.append(": ".join(part for part in (where, one.key, _plain(one.problem)) if part))
    return "; ".join(lines)


def add_handlers(app: FastAPI) -> None:
    """Let an app answer every error with a problem."""

    @app.exception_handler(ProblemError)
    def _problem(_: Request, error: ProblemError) -> Response:
        headers = {"Retry-After": str(error.retry_after_s)} if error.retry_after_s else None
        return problem_response(error.status, error.detail, error.errors, headers)

    @app.exception_handler(NothingMoreError)
    def _nothing(_: Request, __: NothingMoreError) -> Response:
        return Response(status_code=204)

    @app.exception_handler(InputError)
    def _input(_: Request, error: InputError) -> Response:
        status = next((code for kind, code in _STATUS.items() if isinstance(error, kind)), 422)
        headers = {"Retry-After": "1"} if status == 503 else None
        return problem_response(status, detail_of(error), wrongs(error), headers)

    @app.exception_handler(RequestValidationError)
    def _invalid(_: Request, error: RequestValidationError) -> Response:
        found = [_wrong(details) for details in error.errors()]
        not_json = any(details["type"] == "json_invalid" for details in error.errors())
        said = "the body is not JSON" if not_json else "the request has a value that cannot be used"
        return problem_response(400 if not_json else 422, said, found)

    @app.exception_handler(HTTPException)
    def _http(_: Request, error: HTTPException) -> Response:
        headers = dict(error.headers) if error.headers else None
        return problem_response(error.status_code, str(error.detail), headers=headers)

    @app.exception_handler(Exception)
    def _fault(request: Request, error: Exception) -> Response:
        _LOG.error("%s %s failed", request.method, request.url.path, exc_info=error)
        return problem_response(500, "a fault of the service; its log says more")


def _wrong(details: dict[str, Any]) -> Wrong:
    where, *rest = [str(part) for part in details["loc"]] or [""]
    in_body = "".join(f"/{_escaped(part)}" for part in rest)
    pointer = in_body if where == "body" else ".".join(rest)
    given = details.get("input")
    shown = "" if isinstance(given, (dict, list)) or given is None else f"{str(given)[:80]!r}: "
    return Wrong(pointer=pointer, detail=f"{shown}{jsonable_encoder(details['msg'])}")
