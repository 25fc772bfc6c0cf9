"""`model`: take a search's saved models home."""

from __future__ import annotations

from tune_mnist.cli.model.command import model_app

__all__ = ["model_app"]
