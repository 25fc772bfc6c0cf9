"""Pages of rows: filter, order, and a token for the next page."""

from __future__ import annotations

import base64
import binascii
import json
import re
import zlib
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Annotated, Any

import pyarrow as pa
import pyarrow.compute as pc
from fastapi import Query

from tune_mnist.errors import nearest
from tune_mnist.serve.problems import ProblemError, Wrong

MOST_ROWS = 1000

_OPERATORS = {
    "<=": pc.less_equal,
    ">=": pc.greater_equal,
    "!=": pc.not_equal,
    "=": pc.equal,
    "<": pc.less,
    ">": pc.greater,
}
_CONDITION = re.compile(r"""\s*([A-Za-z][\w.]*)\s*(<=|>=|!=|=|<|>)\s*("[^"]*"|'[^']*'|[^\s"']+)""")


@dataclass(frozen=True)
class Asked:
    """Which rows a client asks for.

    Args:
        size: rows of a page.
        token: where it begins; "" for the first page.
        filter: conditions that all must hold, for example `status=failed C>3`.
        order: columns, each with "desc" behind it or not, separated by commas.
    """

    size: int
    token: str
    filter: str
    order: str


def asked(
    page_size: Annotated[int, Query(ge=1, le=MOST_ROWS, description="rows of a page")] = 100,
    page_token: Annotated[
        str, Query(max_length=500, description="`next_page_token` of the page before")
    ] = "",
    filter: Annotated[
        str,
        Query(max_length=1000, description="conditions that all must hold: `status=failed C>3`"),
    ] = "",
    order_by: Annotated[
        str, Query(max_length=200, description="columns, for example `val_accuracy desc, trial`")
    ] = "",
) -> Asked:
    """Return what the query asks for: a dependency of FastAPI."""
    return Asked(page_size, page_token, filter, order_by)


def page(rows: pa.Table, asked: Asked) -> tuple[pa.Table, str]:
    """Return the rows of a page, and the token of the next one, "" for none.

    Args:
        rows: all rows; a hyperparameter's column is called `config.<name>`, and may be named
            without `config.`.
        asked: which of them.

    Raises: ProblemError: 400 for a token, a filter or an order that cannot be used.
    """
    chosen = _ordered(_filtered(rows, asked.filter), asked.order)
    start = _start(asked)
    if start > len(chosen):
        raise _wrong("page_token", "is of another list", "begin with the first page")
    end = start + asked.size
    following = _token(end, asked) if end < len(chosen) else ""
    return chosen.slice(start, asked.size), following


def _filtered(rows: pa.Table, text: str) -> pa.Table:
    keep = None
    for name, operator, value in _conditions(text):
        column = _column(rows, name, "filter")
        held = _held(column, operator, value, name)
        keep = held if keep is None else pc.and_(keep, held)
    return rows if keep is None else rows.filter(keep)


def _conditions(text: str) -> list[tuple[str, str, str]]:
    found, at = [], 0
    while text[at:].strip():
        condition = _CONDITION.match(text, at)
        if condition is None:
            fix = "write conditions such as `status=failed C>3`"
            raise _wrong("filter", f"{text[at:].strip()[:80]!r} is no condition", fix)
        found.append((condition[1], condition[2], condition[3].strip("\"'")))
        at = condition.end()
    return found


def _held(column: pa.ChunkedArray, operator: str, value: str, name: str) -> pa.ChunkedArray:
    """Return for each row whether a condition holds; it does not where there is no value."""
    try:
        if pa.types.is_boolean(column.type):
            scalar = pa.scalar({"true": True, "false": False}[value.lower()])
        elif pa.types.is_timestamp(column.type):
            moment = datetime.fromisoformat(value.replace("Z", "+00:00"))
            utc = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
            scalar = pa.scalar(utc, column.type)
        elif pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
            column, scalar = column.cast(pa.float64()), pa.scalar(float(value))
        else:
            scalar = pa.scalar(value, column.type)
    except (KeyError, ValueError, pa.ArrowException):
        raise _wrong(
            "filter", f"{value!r} is no value of {name}", f"{name} is {column.type}"
        ) from None
    return pc.fill_null(_OPERATORS[operator](column, scalar), False)


def _ordered(rows: pa.Table, text: str) -> pa.Table:
    if not text.strip():
        return rows
    columns, keys = {}, []
    for place, part in enumerate(text.split(",")):
        name, *direction = part.split() or [""]
        if direction not in ([], ["asc"], ["desc"]):
            fix = "write columns such as `val_accuracy desc, trial`"
            raise _wrong("order_by", f"{part.strip()[:80]!r} is no order", fix)
        columns[str(place)] = _column(rows, name, "order_by")
        keys.append((str(place), "descending" if direction == ["desc"] else "ascending"))
    columns["row"] = pa.chunked_array([pa.array(range(len(rows)), pa.int64())])
    order = pc.sort_indices(pa.table(columns), [*keys, ("row", "ascending")])
    return rows.take(order)


def _column(rows: pa.Table, name: str, parameter: str) -> pa.ChunkedArray:
    for known in (name, f"config.{name}"):
        if known in rows.column_names:
            return rows[known]
    names = [one.removeprefix("config.") for one in rows.column_names]
    raise _wrong(parameter, f"{name[:80]!r} is not a column", nearest(name, names))


def _start(asked: Asked) -> int:
    if not asked.token:
        return 0
    try:
        start, check = json.loads(base64.urlsafe_b64decode(asked.token.encode("ascii")))
        if check == _check(asked) and type(start) is int and start >= 0:
            return start
    except (ValueError, TypeError, binascii.Error, RecursionError):
        pass
    raise _wrong("page_token", "is not a token of this list", "begin with the first page")


def _token(start: int, asked: Asked) -> str:
    return base64.urlsafe_b64encode(json.dumps([start, _check(asked)]).encode()).decode()


def _check(asked: Asked) -> int:
    """Return what a token must agree in: it goes on with the same filter and order."""
    return zlib.crc32(f"{asked.filter}\0{asked.order}".encode())


def _wrong(parameter: str, problem: str, fix: str) -> ProblemError:
    wrong = Wrong(pointer=parameter, detail=problem, fix=fix)
    return ProblemError(400, f"{parameter}: {problem}; {fix}", [wrong])


def json_values(rows: pa.Table) -> list[dict[str, Any]]:
    """Return rows as JSON values: the configuration as an object, moments as text, NaN as null."""
    plain = rows.drop_columns([name for name in rows.column_names if name.startswith("config.")])
    return [{name: _json(name, value) for name, value in row.items()} for row in plain.to_pylist()]


_JSON_TEXTS = ("config", "versions", "schedule")
"""Columns that hold JSON."""


def _json(name: str, value: Any) -> Any:
    if isinstance(value, float) and (value != value or abs(value) == float("inf")):
        return None
    if name in _JSON_TEXTS and isinstance(value, str):
        return json.loads(value)
    return value.isoformat() if hasattr(value, "isoformat") else value
