"""An S3 server of moto on loopback, in a thread of this process."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.request import Request, urlopen

from moto.server import ThreadedMotoServer


@contextmanager
def s3_server(port: int = 0) -> Iterator[str]:
    """Yield the address of a server with one empty bucket, `bucket`."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", port, verbose=False)
    server.start()
    host, at = server.get_host_and_port()
    urlopen(Request(f"http://{host}:{at}/bucket", method="PUT"), timeout=30).close()
    try:
        yield f"http://{host}:{at}"
    finally:
        server.stop()
