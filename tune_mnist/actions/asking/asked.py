"""A search whose trials are trained elsewhere, as the store has it."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from tune_mnist.actions.asking.refused import unknown
from tune_mnist.errors import Fault, InputError, input_error
from tune_mnist.models.hyperparameters import shown
from tune_mnist.models.registry import parameter_types
from tune_mnist.searching.history.resume import Earlier, searched_space
from tune_mnist.searching.stopping.ending import Ending
from tune_mnist.spaces import Space
from tune_mnist.store.catalog import has_search
from tune_mnist.store.lock import BeingWrittenError
from tune_mnist.store.plans import SearchRecord, read_search
from tune_mnist.store.writer import Writer

WAIT_S = 10.0
"""How long a call waits for another process that writes the same search."""

_ASK_EVERY_S = 0.02
_CLIENT = re.compile(r"[!-~]{1,100}")
_HOLDS: dict[type, tuple[type, ...]] = {float: (float, int), int: (int,), bool: (bool,)}
"""The types of value that a column of each type can hold; text can hold all."""

_WRITING: WeakValueDictionary[tuple[Path, str], _Turn] = WeakValueDictionary()
_GUARD = threading.Lock()


class _Turn:
    """Lets the threads of this process write a search one after the other."""

    def __init__(self) -> None:
        self.lock = threading.Lock()


@dataclass(frozen=True)
class Asked:
    """A search, and where it is.

    Args:
        root: the store's folder.
        name: of the search.
        record: as the store has it.
        space: that is searched.
    """

    root: Path
    name: str
    record: SearchRecord
    space: Space

    @property
    def ended(self) -> str | None:
        """What ended it; None while it goes on. A time budget may be over and not yet written."""
        if self.record.ended:
            return self.record.ended.reason
        return "time budget" if self._ending().reached() else None

    def outcome(self, earlier: Earlier) -> str | None:
        """Return what ends the search, given all its trials; None if nothing does yet."""
        if self.ended:
            return self.ended
        ending = self._ending()
        for row in earlier.rows:
            ending.add(row)
        if ending.reached():
            return ending.outcome.reason
        most = self.record.trials
        return "done" if most is not None and len(earlier.rows) >= most else None

    def _ending(self) -> Ending:
        """Return what decides; the time budget counts from the last time the search began."""
        began = max(self.record.started, *(one.at for one in self.record.resumed), "")
        age_s = (datetime.now(timezone.utc) - datetime.fromisoformat(began)).total_seconds()
        return Ending(self.space, time.monotonic() - age_s)


def read_asked(root: Path, name: str) -> Asked:
    """Return a search whose trials are trained elsewhere.

    Raises: UnknownError: there is none. InputError: it cannot be read.
    """
    if not has_search(root, name):
        raise unknown("`search`", f"{shown(name)} is not in the store", "begin it first")
    record = read_search(root, name)
    if not record.trained_elsewhere:
        raise unknown("`search`", f"{name!r} trains its trials itself", "only watch it")
    return Asked(root, name, record, searched_space(record))


def columns_of(space: Space) -> dict[str, type]:
    """Return the type of the store's column for each hyperparameter of every model, its own too.

    Raises: InputError: a column of a model that ships cannot hold one of the space's parameters.
    """
    shipped = parameter_types()
    own = {name: one.types[0] for name, one in space.declared.items()}
    faults = []
    for name, type_ in own.items():
        column = shipped.get(name, type_)
        if column in _HOLDS and type_ not in _HOLDS[column]:
            problem = f"is {type_.__name__}, and the store's column of this name {column.__name__}"
            faults.append(Fault("", f"parameters.{name}", problem, "rename it"))
    if faults:
        raise InputError(faults)
    return {**own, **shipped}


@contextmanager
def writing(root: Path, name: str, columns: Mapping[str, type], **kind: Any) -> Iterator[Writer]:
    """Write a search inside the block; wait for others who write it.

    Raises: BeingWrittenError: another process has been writing it for `WAIT_S` seconds.
    """
    with _GUARD:
        turn = _WRITING.setdefault((root.resolve(), name), _Turn())
    with turn.lock, _writer(root, name, columns, **kind) as writer:
        yield writer


def _writer(root: Path, name: str, columns: Mapping[str, type], resume: bool = True) -> Writer:
    until = time.monotonic() + WAIT_S
    while True:
        try:
            return Writer(root, name, columns, resume=resume)
        except BeingWrittenError:
            if time.monotonic() > until:
                raise
            time.sleep(_ASK_EVERY_S)


def check_client(client: str) -> None:
    """Raise InputError unless this can be a client's id."""
    if not (isinstance(client, str) and _CLIENT.fullmatch(client)):
        fix = "use 1 to 100 letters, digits and signs of ASCII"
        raise input_error("`client_id`", f"{shown(client)} cannot be a client's id", fix)
