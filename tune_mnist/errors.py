"""What a person did wrong, in one line a fault: where, which key, which value, the fix.

Every room may raise `InputError`; only the command line prints it (stderr, exit code 2).
The wording is put together here and nowhere else.
"""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """One mistake in something a person gave us.

    Args:
        where: the file, folder or command-line option it stands in.
        key: the dotted key inside a file ("parameters.C"), or "" where there is none.
        problem: what is wrong, with the bad value in it.
        fix: what to write or do instead.
    """

    where: str
    key: str
    problem: str
    fix: str

    def __str__(self) -> str:
        parts = [self.where, self.key, self.problem] if self.key else [self.where, self.problem]
        text = f"{': '.join(parts)}; {self.fix}"
        return " ".join(text.split())  # one line, whatever a value or a library put in


class InputError(Exception):
    """Input that cannot be used; holds every fault found, so one round trip mends them all."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))

    def __reduce__(self) -> tuple[type[InputError], tuple[tuple[Fault, ...]]]:
        return type(self), (self.faults,)


def input_error(where: object, problem: str, fix: str, key: str = "") -> InputError:
    """Return an `InputError` of one fault, to be raised."""
    return InputError([Fault(str(where), key, problem, fix)])


class SkippedWarning(UserWarning):
    """Something in the store that is not a result, left out of what was read; one line."""


def warn_skipped(where: object, problem: str, fix: str) -> None:
    """Say what was left out and how to mend it; the command line prints each such line once."""
    warnings.warn(str(Fault(str(where), "", problem, fix)), SkippedWarning, stacklevel=2)


def nearest(name: str, known: Sequence[str]) -> str:
    """Return "did you mean X?" for the known name closest to `name`, else the list of all."""
    close = difflib.get_close_matches(name.lower(), [k.lower() for k in known], n=1, cutoff=0.5)
    if close:
        match = next(k for k in known if k.lower() == close[0])
        return f"did you mean {match}?"
    return f"known: {', '.join(known)}"
