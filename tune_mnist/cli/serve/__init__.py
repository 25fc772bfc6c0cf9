"""`serve`: searches as a service."""

from __future__ import annotations

from tune_mnist.cli.serve.command import serve

__all__ = ["serve"]
