"""The command line: make a request of the options, call one action, render with Rich."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import typer

from tune_mnist.cli.app import app_for
from tune_mnist.errors import InputError, SkippedWarning

# Typer's own parse errors; it exports the leaves of this family only.
_UsageError: type[Exception] = typer.BadParameter.__mro__[1]


def run(arguments: Sequence[str]) -> int:
    """Run one command line; return its exit code: 0, 2 for bad input, 130 when interrupted."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", SkippedWarning)
        warnings.showwarning = _saying_once(warnings.showwarning)
        return _run(arguments)


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

    print(in_options(str(error)), file=sys.stderr)


def _run(arguments: Sequence[str]) -> int:
    try:
        return int(app_for(arguments)(list(arguments), standalone_mode=False) or 0)
    except InputError as error:
        _print_error(error)
        return 2
    except _UsageError as error:
        print(_one_line(error), file=sys.stderr)
        return 2
    except (KeyboardInterrupt, typer.Abort):
        return 130
    except BrokenPipeError:  # the reader of our output, `head` say, went away
        sys.stderr.close()
        return 1


def _one_line(error: Exception) -> str:
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "tune-mnist"
    message = error.format_message() if hasattr(error, "format_message") else str(error)
    return f"{' '.join(message.split()).rstrip('.')}; see {command} --help"
