"""Who may ask what: hosts, origins, tokens, sizes and rates, checked before anything is read.

- `Host` must be a name of this service. Otherwise a page of somebody else could reach it by
  pointing its own name at 127.0.0.1 (DNS rebinding).
- A browser's `Origin` must be the service itself, so that no other page can submit (CSRF).
- With tokens, each request needs one, and a token that may only read changes nothing.
"""

from __future__ import annotations

import hmac
import logging
import re
import secrets
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass
from time import monotonic

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tune_mnist.serve.logs import request_id
from tune_mnist.serve.problems import problem_response

MOST_BYTES = 2**20
"""Of the body of a request."""
MOST_URL = 4096
"""Characters of a path and its query."""
CHANGES_A_SECOND = 50.0
CHANGES_AT_ONCE = 200
"""Limits of what one client may change: so many in a burst, then so many a second."""

READING = frozenset({"GET", "HEAD", "OPTIONS"})
OPEN_PATHS = frozenset({"/healthz", "/readyz"})
"""Answered without a token: they say nothing about searches."""

_LOG = logging.getLogger(__name__)
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}
NO_SCRIPTS = "default-src 'none'; frame-ancestors 'none'"
"""The content security policy of an answer that is no page."""


@dataclass(frozen=True)
class Access:
    """Who may use a service.

    Args:
        hosts: what `Host` may be, in lower case, with the port where it is not the usual one.
        submit: the token that may do everything; None lets everybody who can connect.
        read: a token that may only read; None for none.
    """

    hosts: Collection[str]
    submit: str | None = None
    read: str | None = None


class Guard:
    """ASGI middleware that refuses what `Access` does not allow, and logs every request."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app, self._access, self._rates = app, access, _Rates()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        began, headers, status = monotonic(), Headers(scope=scope), 0
        given = headers.get("x-request-id", "")
        token = request_id.set(given if _ID.fullmatch(given) else secrets.token_hex(8))

        async def answering(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                answer = MutableHeaders(scope=message)
                for name, value in {**_HEADERS, "X-Request-Id": request_id.get()}.items():
                    answer[name] = value
                answer.setdefault("Content-Security-Policy", NO_SCRIPTS)
                answer.setdefault("Cache-Control", "no-cache")
            await send(message)

        try:
            refused = self._refused(scope, headers)
            if refused is not None:
                await problem_response(*refused)(scope, receive, answering)
            else:
                await self._app(scope, _limited(receive), answering)
        finally:
            about = {
                "method": scope["method"],
                "path": scope["path"],
                "status": status,
                "ms": round(1000 * (monotonic() - began), 1),
                "client": _client(scope),
            }
            _LOG.info("%s %s", scope["method"], scope["path"], extra={"about": about})
            request_id.reset(token)

    def _refused(
        self, scope: Scope, headers: Headers
    ) -> tuple[int, str, tuple[()], dict[str, str] | None] | None:
        """Return the problem with which a request is refused; None if it is not."""
        status, detail, extra = 0, "", None
        if len(scope["path"]) + len(scope["query_string"]) > MOST_URL:
            status, detail = 414, f"the address has more than {MOST_URL} characters"
        elif headers.get("host", "").lower() not in self._access.hosts:
            status, detail = (
                421,
                "this service has another name; start it with that as `allow_host`",
            )
        elif not self._is_same_origin(scope, headers):
            status, detail = 403, "the request comes from a page of another origin"
        elif not _is_short(headers):
            status, detail = 413, f"the body has more than {MOST_BYTES} bytes"
        elif scope["path"] not in OPEN_PATHS and (unknown := self._unknown(scope, headers)):
            status, detail = unknown
            extra = {"WWW-Authenticate": "Bearer"} if status == 401 else None
        elif scope["method"] not in READING and (wait_s := self._rates.wait_s(_client(scope))):
            status, detail = 429, f"too many changes; wait {wait_s} s"
            extra = {"Retry-After": str(wait_s)}
        return (status, detail, (), extra) if status else None

    def _is_same_origin(self, scope: Scope, headers: Headers) -> bool:
        origin = headers.get("origin")
        if origin is None:
            return True
        return origin.lower() == f"{scope.get('scheme', 'http')}://{headers['host'].lower()}"

    def _unknown(self, scope: Scope, headers: Headers) -> tuple[int, str] | None:
        """Return why a request's token does not do; None if it does, or none is needed."""
        access = self._access
        if access.submit is None and access.read is None:
            return None
        kind, _, given = headers.get("authorization", "").partition(" ")
        token = given.strip().encode() if kind.lower() == "bearer" else b""
        submits = access.submit is not None and hmac.compare_digest(token, access.submit.encode())
        reads = access.read is not None and hmac.compare_digest(token, access.read.encode())
        if submits:
            return None
        if scope["method"] in READING and (reads or access.submit is None):
            return None
        if reads:
            return 403, "this token may only read"
        if access.submit is None:
            return None
        return 401, "a token is needed: Authorization: Bearer TOKEN"


class _Rates:
    """How much each client may still change: a token bucket for each."""

    def __init__(self) -> None:
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_s(self, client: str) -> int:
        """Count a change; return 0, or the seconds after which it would be allowed."""
        now = monotonic()
        left, seen = self._left.pop(client, (float(CHANGES_AT_ONCE), now))
        left = min(float(CHANGES_AT_ONCE), left + (now - seen) * CHANGES_A_SECOND)
        allowed = left >= 1
        self._left[client] = (left - 1 if allowed else left, now)
        while len(self._left) > 10_000:
            self._left.popitem(last=False)
        return 0 if allowed else 1


def _client(scope: Scope) -> str:
    return str((scope.get("client") or ["unknown"])[0])


def _is_short(headers: Headers) -> bool:
    """Return whether a body is not too long, as far as the request says so."""
    said = headers.get("content-length", "0")
    return said.isascii() and said.isdigit() and int(said[:20]) <= MOST_BYTES


def _limited(receive: Receive) -> Receive:
    """Return what receives a body and takes a longer one than allowed for a lost connection."""
    received = 0

    async def limited() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        return message if received <= MOST_BYTES else {"type": "http.disconnect"}

    return limited
