"""Trials for the store's tests, and one way to put several of them into a store."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from tune_mnist.store.plans import SearchRecord
from tune_mnist.store.proposals import Proposal, name_damaged, read_list
from tune_mnist.store.writer import Writer

BEGAN = datetime(2026, 11, 24, 9, 30, tzinfo=timezone.utc)
PARAMETERS: dict[str, type] = {"kernel": str, "C": float, "gamma": str, "degree": int}


def trial(name: str, accuracy: float | None = 0.9, **columns: Any) -> dict[str, Any]:
    """Return a completed trial of 10 s, with the given columns changed."""
    return {
        "trial": name,
        "attempt": 1,
        "status": "completed",
        "model": "svm",
        "dataset": "mnist",
        "config": {"kernel": "rbf", "C": 1.0},
        "val_accuracy": accuracy,
        "wall_time_s": 10.0,
        "started": BEGAN,
        "finished": BEGAN + timedelta(seconds=10),
    } | columns


def proposal(number: int, C: float = 1.0) -> Proposal:
    """Return a proposal whose sampler had seen every trial before it."""
    return Proposal(number, {"kernel": "rbf", "C": C}, number)


def report(step: int) -> dict[str, Any]:
    """Return the measurement of a step."""
    return {"step": step, "val_accuracy": 0.5, "wall_time_s": float(step)}


def write(root: Path, search: str, trials: Iterable[dict[str, Any]], compact: bool = False) -> None:
    """Write a search with a record and its trials, each with one measurement."""
    with Writer(root, search, PARAMETERS) as writer:
        writer.write_search(SearchRecord(search=search))
        for row in trials:
            writer.append_trial(row, [report(1)])
        if compact:
            writer.compact()


def read_proposals(root: Path, search: str) -> list[Proposal]:
    """Return the proposals of a search, and warn of the lines that are damaged, as resume does."""
    listed = read_list(root, search)
    name_damaged(root, search, listed)
    return list(listed.proposals)
