"""The command line: parse, call one function, render with Rich.

Commands import what they need when they run, so that `--help` is instant.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import typer

from tune_mnist.cli.confirm import confirm
from tune_mnist.cli.importance import importance
from tune_mnist.cli.leaderboard import leaderboard
from tune_mnist.cli.report import report_app
from tune_mnist.cli.resume import replay, resume, status
from tune_mnist.cli.search import search
from tune_mnist.cli.spaces import spaces_app
from tune_mnist.errors import InputError, SkippedWarning
from tune_mnist.version import __version__

app = typer.Typer(
    name="tune-mnist",
    help="Hyperparameter search for image classifiers on Ray Tune.",
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(search)
app.command()(resume)
app.command()(status)
app.command()(leaderboard)
app.command()(importance)
app.command()(confirm)
app.command()(replay)
app.add_typer(report_app, name="report")
app.add_typer(spaces_app, name="spaces")

# Typer's own parse errors; it exports the leaves of this family only.
_UsageError: type[Exception] = typer.BadParameter.__mro__[1]


@app.callback(invoke_without_command=True)
def _options(
    version: bool = typer.Option(False, "--version", help="Print the version and exit."),
) -> None:
    if version:
        print(__version__)
        raise typer.Exit


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
            print(message, file=sys.stderr)

    return show_once


def _run(arguments: Sequence[str]) -> int:
    try:
        return int(app(list(arguments), standalone_mode=False) or 0)
    except InputError as error:
        print(error, file=sys.stderr)
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
