"""The command line's own words: errors and notes in options, and commands to copy.

`` `gpus=1` `` becomes `--gpus 1`. The rooms below name a field in backticks, because they do not
know which face asked.
"""

from __future__ import annotations

import re
import shlex
from functools import cache
from pathlib import Path
from typing import Annotated

import typer

from tune_mnist.actions.field_texts import DATA_DIR, RESULTS, S3_ENDPOINT

_FIELD = re.compile(r"`([a-z0-9_]+)(?:=([^`]*))?`")
_OTHER = ("metric", "pareto", "html", "search", "model", "part", "fraction")
"""Options of commands that take no request."""

Results = Annotated[str, typer.Option(help=RESULTS)]
S3Endpoint = Annotated[str | None, typer.Option(help=S3_ENDPOINT)]
"""The store of a command that takes no request; `opened` of both is the folder to read."""

DataDir = Annotated[Path | None, typer.Option(envvar="TUNE_MNIST_DATA", help=DATA_DIR)]

RequestFile = Annotated[
    Path | None,
    typer.Option(help="A JSON file with the fields of a request; options given here win."),
]

ONLY_DATASET = "Only this data set: a name, name@hash, or the first digits of its hash."


def command(*words: str) -> str:
    """Return a command of ours as a person can paste it into a shell."""
    return shlex.join(["python", "-m", "tune_mnist", *words])


def in_options(text: str) -> str:
    """Return the text with each field of a request written as the option that sets it."""
    return _FIELD.sub(_option, text)


def _option(match: re.Match[str]) -> str:
    field, value = match[1], match[2]
    option = "SPACE" if field == "space" else _options().get(field)
    if option is None:
        return match[0]
    return option if value in (None, "true", "false") else f"{option} {value}"


@cache
def _options() -> dict[str, str]:
    from tune_mnist.actions.requests import (
        ConfirmRequest,
        ExportRequest,
        ResumeRequest,
        SearchRequest,
    )
    from tune_mnist.cli.options import option_name
    from tune_mnist.serve.request import ServeRequest

    return {name: option_name(name) for name in _OTHER} | {
        name: option_name(name, field.default)
        for kind in (ConfirmRequest, ExportRequest, ResumeRequest, SearchRequest, ServeRequest)
        for name, field in kind.model_fields.items()
    }
