"""The command line's own words: errors and notes in options, and commands to copy.

`` `gpus=1` `` becomes `--gpus 1`. The rooms below name a field in backticks, because they do not
know which face asked.
"""

from __future__ import annotations

import re
import shlex
from functools import cache

_FIELD = re.compile(r"`([a-z0-9_]+)(?:=([^`]*))?`")
_OTHER = ("metric", "pareto", "html", "search", "model", "part", "fraction")
"""Options of commands that take no request."""

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
    from tune_mnist.actions.requests import ConfirmRequest, ResumeRequest, SearchRequest
    from tune_mnist.cli.options import option_name

    return {name: option_name(name) for name in _OTHER} | {
        name: option_name(name, field.default)
        for kind in (ConfirmRequest, ResumeRequest, SearchRequest)
        for name, field in kind.model_fields.items()
    }
