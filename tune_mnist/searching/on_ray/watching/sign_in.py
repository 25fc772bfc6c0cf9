"""An address that opens Ray's dashboard without asking for its token, for its owner alone.

Whoever has the token can run code as this user: the dashboard starts jobs. So the token stays on.
Ray's dashboard takes it from a cookie, and no address of its own sets that cookie. A browser sends
the cookies of 127.0.0.1 to every port, so a small server of ours beside the dashboard can set it:
its one page has a name that nobody can guess, and leads on to the dashboard.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from ray._private.authentication.authentication_constants import (
    AUTHENTICATION_TOKEN_COOKIE_NAME as COOKIE,
)

TRIALS_PAGE = "/#/actors"
"""The dashboard's page that lists the trials by name."""


@contextmanager
def signing_in(say: Callable[[str, str], None]) -> Iterator[Callable[[str], None]]:
    """Give a function that receives the dashboard's address; `say` is called with one to open.

    Args:
        say: called with the address to open, and the dashboard's own. They are the same where
            Ray's token is off, and for a dashboard on another machine, which gets no cookie of
            ours. The first one works inside the block only.
    """
    servers: list[ThreadingHTTPServer] = []

    def signed_in(dashboard: str) -> None:
        token = _token() if urlsplit(dashboard).hostname == "127.0.0.1" else ""
        if not token:
            say(dashboard, dashboard)
            return
        page = f"/{secrets.token_urlsafe(24)}"
        server = ThreadingHTTPServer(("127.0.0.1", 0), _page(page, token, dashboard))
        server.daemon_threads = True
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=[0.1], daemon=True).start()
        say(f"http://127.0.0.1:{server.server_port}{page}", dashboard)

    try:
        yield signed_in
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()


def _token() -> str:
    """Return the token of the Ray that runs in this process; "" where it asks for none."""
    from ray._private.authentication.http_token_authentication import (
        get_auth_headers_if_auth_enabled,
    )

    headers = get_auth_headers_if_auth_enabled({})
    return str(next(iter(headers.values()), "")).removeprefix("Bearer ")


def _page(page: str, token: str, dashboard: str) -> type[BaseHTTPRequestHandler]:
    class Page(BaseHTTPRequestHandler):
        """Sets the cookie and leads to the dashboard; knows no other page."""

        timeout = 10  # seconds for a request: one that never comes keeps no thread

        def do_GET(self) -> None:
            if not secrets.compare_digest(self.path.encode(), page.encode()):
                self.send_error(404)
                return
            self.send_response(302)
            self.send_header("Location", f"{dashboard}{TRIALS_PAGE}")
            self.send_header("Set-Cookie", f"{COOKIE}={token}; Path=/; HttpOnly; SameSite=Strict")
            self.send_header("Cache-Control", "no-store")
            self.send_header("Referrer-Policy", "no-referrer")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Print nothing: the search's output is the user's."""

    return Page
