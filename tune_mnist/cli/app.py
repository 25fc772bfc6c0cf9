"""The commands. Each imports what it needs when it runs, so that `--help` answers at once."""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Annotated

import typer

from tune_mnist.cli.confirm import confirm
from tune_mnist.cli.data import data
from tune_mnist.cli.importance import importance
from tune_mnist.cli.jobs import jobs_app, submit
from tune_mnist.cli.leaderboard import leaderboard
from tune_mnist.cli.model import model_app
from tune_mnist.cli.report import report_app
from tune_mnist.cli.search import resume, search
from tune_mnist.cli.serve import serve
from tune_mnist.cli.spaces import spaces_app
from tune_mnist.cli.status import replay, status
from tune_mnist.cli.terminal import say
from tune_mnist.version import __version__

Command = Callable[..., None]

_TAKE_A_REQUEST = ("search", "resume", "confirm", "data", "submit", "serve")


def whole_app() -> typer.Typer:
    """Return the command line with every option of every command."""
    return app_for(_TAKE_A_REQUEST)


def app_for(words: Container[str]) -> typer.Typer:
    """Return the command line for these words.

    The commands that take a request get their options only where they are called: that loads
    Pydantic, which the list of commands can do without.
    """
    app = typer.Typer(
        name="tune-mnist",
        help="Hyperparameter search for image classifiers on Ray Tune.",
        no_args_is_help=True,
        add_completion=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(invoke_without_command=True)(_options)
    commands = (
        search,
        resume,
        data,
        status,
        leaderboard,
        importance,
        confirm,
        replay,
        submit,
        serve,
    )
    for command in commands:
        called = command.__name__ in _TAKE_A_REQUEST and command.__name__ in words
        app.command()(_with_request(command) if called else command)
    app.add_typer(model_app, name="model")
    app.add_typer(jobs_app, name="jobs")
    app.add_typer(report_app, name="report")
    app.add_typer(spaces_app, name="spaces")
    return app


def _with_request(command: Command) -> Command:
    from tune_mnist.actions import requests
    from tune_mnist.cli.options import with_options
    from tune_mnist.serve.request import ServeRequest

    kinds: tuple[type[requests.Request], ...] = (
        *(requests.SearchRequest, requests.ResumeRequest),
        *(requests.ConfirmRequest, requests.DataRequest, requests.SearchRequest),
        ServeRequest,
    )
    return with_options(command, kinds[_TAKE_A_REQUEST.index(command.__name__)])


def _options(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    if version:
        say(__version__)
        raise typer.Exit
