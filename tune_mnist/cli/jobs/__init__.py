"""`submit` and `jobs`: a search as a job of a Ray cluster."""

from __future__ import annotations

from tune_mnist.cli.jobs.command import jobs_app, submit

__all__ = ["jobs_app", "submit"]
