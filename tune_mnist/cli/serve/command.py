"""`serve`: searches as a service."""

from __future__ import annotations

import sys
from contextlib import suppress

import typer

from tune_mnist.cli.terminal import say


def serve(context: typer.Context) -> None:
    """Take searches over HTTP, run them, and answer for them, until a signal ends it."""
    from tune_mnist.cli.options import asked_for
    from tune_mnist.serve.app import serve as run
    from tune_mnist.serve.request import ServeRequest

    def listening(address: str) -> None:
        say(f"listening on {address}")
        sys.stdout.flush()

    with suppress(KeyboardInterrupt):  # uvicorn raises a signal again after the orderly end
        run(asked_for(context, ServeRequest), listening)
