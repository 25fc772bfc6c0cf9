"""The command line: make a request of the options, call one action, render with Rich."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import typer

from tune_mnist.cli.app import app_for
from tune_mnist.cli.terminal import Stream, interrupted_code, say, streams
from tune_mnist.errors import InputError, SkippedWarning

# Typer's own parse errors; it exports the leaves of this family only.
_UsageError: type[Exception] = typer.BadParameter.__mro__[1]


def run(arguments: Sequence[str]) -> int:
    """Run one command line; return its exit code: 0, 2 for bad input, 128 + n for signal n."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", SkippedWarning)
        warnings.showwarning = _saying_once(warnings.showwarning)
        with streams() as out:
            code = _run(arguments)
            sys.stdout.flush()
            return code or _code_of(out)


def _code_of(out: Stream) -> int:
    """Return 1 if a part of the output was lost, and say so unless its reader went away."""
    if out.error is None:
        return 0
    if not isinstance(out.error, BrokenPipeError):  # `head`, say, has read enough
        lost = f"stdout: cannot be written ({out.error.strerror}); a part of the output is lost"
        say(f"{lost}, but no result", error=True)
    return 1


def _saying_once(show: Callable[..., None]) -> Callable[..., None]:
    """Return a way to show warnings that prints a line for each thing skipped, the first time."""
    said: set[str] = set()

    def show_once(message: Warning | str, category: type[Warning], *where: Any, **to: Any) -> None:
        if not issubclass(category, SkippedWarning):
            show(message, category, *where, **to)
        elif str(message) not in said:
            said.add(str(message))
            _print_error(message)

    return show_once


def _print_error(error: object) -> None:
    from tune_mnist.cli.words import in_options

    say(in_options(str(error)), error=True)


def _run(arguments: Sequence[str]) -> int:
    try:
        return int(app_for(arguments)(list(arguments), standalone_mode=False) or 0)
    except InputError as error:
        _print_error(error)
        return 2
    except _UsageError as error:
        say(_one_line(error), error=True)
        return 2
    except (KeyboardInterrupt, typer.Abort) as error:
        return interrupted_code(error)


def _one_line(error: Exception) -> str:
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "tune-mnist"
    message = error.format_message() if hasattr(error, "format_message") else str(error)
    return f"{' '.join(message.split()).rstrip('.')}; see {command} --help"
