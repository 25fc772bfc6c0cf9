"""`data`: look at a data set before it is searched."""

from __future__ import annotations

from tune_mnist.cli.data.command import data

__all__ = ["data"]
