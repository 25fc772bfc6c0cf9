"""What a person did wrong, one line a fault: where, which key, which value, and the fix.

Every room may raise `InputError`; the command line prints it to stderr and exits with code 2.
Only this module puts the line together.
"""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Fault:
    """One mistake in something a person gave us.

    A room below the command line does not know which face asked: the command line, a notebook or
    the HTTP service. So it names no option and no command. It names a field of the request in
    backticks, with a value if there is one to give (`trials`, `trials=8`), and each face says it
    in its own words (the command line: cli/words.py). Where the fix is a command, it says so in
    plain words: "resume the search svm-1".

    Args:
        where: the file or folder that has the mistake, or the request's field in backticks.
        key: the dotted key inside a file ("parameters.C"); "" if there is none.
        problem: what is wrong, including the bad value.
        fix: what to write or do instead.
    """

    where: str
    key: str
    problem: str
    fix: str

    def __str__(self) -> str:
        parts = [self.where, self.key, self.problem] if self.key else [self.where, self.problem]
        text = said(f"{': '.join(parts)}; {self.fix}")
        return " ".join(text.split())  # one line, whatever a value or a library put in


_SAID: dict[str, str] = {}


def say_instead(path: str, words: str) -> None:
    """Write `words` wherever a line would name this path: a copy stands for a store elsewhere."""
    _SAID[path] = words


def said(text: str) -> str:
    """Return the text with each path that stands for something else written as that."""
    for path, words in _SAID.items():
        text = text.replace(path, words)
    return text


class InputError(Exception):
    """Input that cannot be used. It holds every fault found, so they can all be fixed at once."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))

    def located(self, where: object) -> InputError:
        """Return the same error with every fault in this file or search."""
        return InputError(replace(fault, where=str(where)) for fault in self.faults)

    def __reduce__(self) -> tuple[type[InputError], tuple[tuple[Fault, ...]]]:
        return type(self), (self.faults,)


def input_error(where: object, problem: str, fix: str, key: str = "") -> InputError:
    """Return an `InputError` of one fault, for the caller to raise."""
    return InputError([Fault(str(where), key, problem, fix)])


def first_faults(faults: Sequence[Fault], most: int, others: Fault) -> InputError:
    """Return an `InputError` of the first faults, for the caller to raise.

    Args:
        faults: at least one.
        most: how many of them are named.
        others: said of the rest, if there are more; its problem, after their number.
    """
    rest = len(faults) - most
    more = [replace(others, problem=f"{rest:,} {others.problem}")] if rest > 0 else []
    return InputError([*faults[:most], *more])


class SkippedWarning(UserWarning):
    """Something in the store is not a result and was left out; one line."""


def warn_skipped(where: object, problem: str, fix: str) -> None:
    """Warn of what was left out, and how to repair it; the command line prints each line once."""
    warnings.warn(str(Fault(str(where), "", problem, fix)), SkippedWarning, stacklevel=2)


def warn_left_out(error: InputError, done: str = "left out") -> None:
    """Warn of what cannot be used, and of what was done instead of using it."""
    for fault in error.faults:
        where = f"{fault.where}: {fault.key}" if fault.key else fault.where
        warn_skipped(where, f"{done}: {fault.problem}", fault.fix)


def nearest(name: str, known: Sequence[str]) -> str:
    """Return "did you mean X?" for the known name closest to `name`, else the list of all."""
    close = difflib.get_close_matches(name.lower(), [k.lower() for k in known], n=1, cutoff=0.5)
    if close:
        match = next(k for k in known if k.lower() == close[0])
        return f"did you mean {match}?"
    return f"known: {', '.join(known)}"
