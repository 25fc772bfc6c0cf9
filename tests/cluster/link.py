"""A network link to a server that can be cut: what is sent meanwhile arrives when it is mended."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress


class Link:
    """Forward connections on a port of 127.0.0.1 to another one.

    A cut link stays silent: connections open and nothing passes, as if packets were lost. That is
    worse than a refusal, because a request can arrive a minute late, when nobody expects it.

    Args:
        port: where the server listens.
    """

    def __init__(self, port: int) -> None:
        self._to = port
        self._whole = threading.Event()
        self._whole.set()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self, seconds: float) -> None:
        """Cut the link now, and mend it after so many seconds."""
        self._whole.clear()
        threading.Timer(seconds, self._whole.set).start()

    def close(self) -> None:
        """Accept no further connections."""
        self._whole.set()
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                near, _ = self._listening.accept()
                far = socket.create_connection(("127.0.0.1", self._to))
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):  # one side has gone
            while data := source.recv(2**16):
                self._whole.wait()
                sink.sendall(data)
        for side in (source, sink):
            with suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)
