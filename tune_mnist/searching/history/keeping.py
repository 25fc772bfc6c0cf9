"""Which trials' models a search keeps: those of its best, and of its Pareto set.

Nobody knows which trial is best before it has ended. So a trial receives, when it begins, what it
has to beat (`KeptModels.bar`), and writes its model only if it does. When it ends, the model is
moved into the store before the trial's row, and models that are no longer among the best go after
the row is stored (`store/files/models.py`).
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tune_mnist.errors import InputError
from tune_mnist.metrics import Goal
from tune_mnist.searching.observer import Row
from tune_mnist.spaces import Config, config_key
from tune_mnist.store.files.place import bring_model
from tune_mnist.store.writer import Writer
from tune_mnist.winner import columns_that_decide, leaders


class KeptModels:
    """The saved models of a search, while it runs.

    Args:
        writer: of the search.
        goal: decides which trials are best.
        most: how many of the best keep their models; 0 keeps none.
    """

    def __init__(self, writer: Writer, goal: Goal, most: int) -> None:
        self._writer, self._goal, self._most = writer, goal, most
        self._apart = False
        self._best: dict[str, list[Row]] = defaultdict(list)
        self._there: set[str] | None = None  # trials whose models are in the store

    def apart(self) -> None:
        """Keep the best seeds of each configuration: a confirmation compares configurations."""
        self._apart = True

    def remember(self, rows: Iterable[Row]) -> None:
        """Count trials that earlier runs of the search have finished."""
        for row in rows:
            self._add(row)

    def bar(self, config: Config) -> list[Row] | None:
        """Return the rows that a trial of this configuration competes with; None keeps no model."""
        if not self._most:
            return None
        decide = columns_that_decide(self._goal)
        best = self._best[self._group(config)]
        return [{name: row.get(name) for name in decide} for row in best]

    @contextmanager
    def storing(self, row: Row, model: Callable[[], Path | None]) -> Iterator[None]:
        """Store a trial's row in the block; its model comes before, and others go after.

        So the best of the stored rows has its model at any moment.

        Args:
            row: of the trial.
            model: asked if the trial is one of the best; returns a sealed folder below the writer's
                `candidates`, or None if the trial has none.

        Raises: StoreError: the disk refuses it.
        """
        if self._add(row) and (folder := model()) is not None:
            self._writer.keep_model(row["trial"], folder)
            self._known().add(row["trial"])
        yield
        best = {row["trial"] for rows in self._best.values() for row in rows}
        if gone := self._known() - best:
            self._writer.drop_models(sorted(gone))
            self._there = self._known() - gone

    def reused(self, name: str) -> Path | None:
        """Return a copy of another search's model, to be placed; None if it has kept none.

        Args:
            name: "search/trial" of the row that is reused.
        """
        search, _, trial = name.partition("/")
        try:
            found = bring_model(self._writer.root, search, trial)
            return copied(found, self._writer.candidates)
        except (InputError, OSError):  # there is none, or it is damaged: the row is good without it
            return None

    def _add(self, row: Row) -> bool:
        """Count a finished trial; return whether it is one of the best now."""
        group = self._group(row["config"])
        best = leaders([*self._best[group], row], self._goal, self._most)
        self._best[group] = best
        return any(one is row for one in best)

    def _group(self, config: Config) -> str:
        """Return which trials compete with one of this configuration."""
        return config_key(config) if self._apart else ""

    def _known(self) -> set[str]:
        if self._there is None:
            self._there = self._writer.models()
        return self._there


def may_lead(measurement: Row, trial: str, bar: list[Row], goal: Goal, most: int) -> bool:
    """Return whether a finished trial would be one of the best, as far as its bar tells.

    Args:
        measurement: its last.
        trial: its id.
        bar: as `KeptModels.bar` returned it when the trial began.
        goal, most: of the search.
    """
    row: dict[str, Any] = {**measurement, "trial": trial, "status": "completed"}
    return any(one is row for one in leaders([*bar, row], goal, most))


def copied(model: Path, candidates: Path) -> Path:
    """Return a copy of a sealed model below `candidates`: links to its files where possible.

    Raises: OSError: the disk refuses it.
    """
    candidates.mkdir(parents=True, exist_ok=True)
    target = candidates / f"copy-{secrets.token_hex(8)}"
    target.mkdir()
    for file in model.iterdir():
        with suppress(OSError):
            os.link(file, target / file.name)
            continue
        shutil.copy2(file, target / file.name)
    return target
