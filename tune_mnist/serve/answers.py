"""What every endpoint may answer, for the OpenAPI document, and who asks."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Header

from tune_mnist.serve.problems import MEDIA_TYPE, Problem

_MEANINGS = {
    400: "the query or the body cannot be read",
    401: "a token is needed",
    403: "the token may only read, or the request comes from a page of another origin",
    404: "there is no such thing",
    409: "it cannot be done in this state, or the name is taken",
    413: "the body is too long",
    414: "the address is too long",
    421: "the header Host names another service",
    422: "a value cannot be used; each is named by its JSON pointer",
    429: "too many requests; wait as long as Retry-After says",
    503: "the store cannot be read now",
}

_SCHEMA = {"schema": {"$ref": "#/components/schemas/Problem"}}

ANSWERS: dict[int | str, dict[str, Any]] = {
    status: {"description": meaning, "model": Problem, "content": {MEDIA_TYPE: _SCHEMA}}
    for status, meaning in _MEANINGS.items()
}

Submitter = Annotated[
    str,
    Header(
        alias="X-Submitter",
        max_length=100,
        pattern=r"^[\w.@ -]*$",
        description="who asks; the queue is fair between submitters",
    ),
]
