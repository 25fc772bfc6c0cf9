"""Why a call is refused, for whoever must say it in another way than by its line.

Any other `InputError` is a value that cannot be used. `BeingWrittenError` (store/lock.py) says that
another process has been writing the search for too long; the same call may succeed later.
"""

from __future__ import annotations

from tune_mnist.errors import Fault, InputError


class UnknownError(InputError):
    """There is no such search or trial, or it is not trained elsewhere."""


class ConflictError(InputError):
    """The call contradicts what has happened: another result, another client, another space."""


def unknown(where: str, problem: str, fix: str) -> UnknownError:
    """Return an `UnknownError` of one fault, for the caller to raise."""
    return UnknownError([Fault(where, "", problem, fix)])


def conflict(where: str, problem: str, fix: str) -> ConflictError:
    """Return a `ConflictError` of one fault, for the caller to raise."""
    return ConflictError([Fault(where, "", problem, fix)])
