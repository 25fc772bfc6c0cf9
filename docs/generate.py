"""Write the pages of docs/ that are made from the code, or check that they are up to date.

python -m docs.generate            write docs/cli.md, docs/columns.md and docs/spaces.md
python -m docs.generate --check    exit 1 with a line for each page that is stale, and for each
                                   option, column, sampler, public name, ... without its sentence
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path
from typing import Any, get_args

import typer.main
from pydantic import BaseModel
from pydantic.fields import FieldInfo

import tune_mnist
from tune_mnist.actions.requests import SearchRequest
from tune_mnist.cli.app import whole_app
from tune_mnist.metrics import BETTER, MEASURED
from tune_mnist.models.registry import hyperparameters_of, model_names
from tune_mnist.spaces import (
    SAMPLER_HELP,
    SCHEDULER_HELP,
    Hyperparameter,
    Resources,
    SamplerName,
    SchedulerName,
    Search,
)
from tune_mnist.spaces.domains import DOMAINS
from tune_mnist.store.plans import SearchRecord
from tune_mnist.store.schema import REPORTS, TRIALS

DOCS = Path(__file__).parent
GUIDE = DOCS / "guide" / "python.md"
_MADE = "<!-- Written by `make docs` from the code. Do not edit. -->\n"


def cli_page() -> str:
    """Return the page of all commands, their arguments and options."""
    sections = [
        f"# Command line\n\n{_MADE.rstrip()}",
        "`python -m tune_mnist COMMAND` and `tune-mnist COMMAND` are the same. `--help` after a"
        " command prints what stands here.",
    ]
    for name, command in commands():
        arguments = " ".join(
            f"[{str(one.name).upper()}]" if not one.required else str(one.name).upper()
            for one in command.params
            if one.param_type_name == "argument"
        )
        rows = [
            f"| {_names(one)} | {_type(one)} | {_default(one)} | {_cell(_help(one))} |"
            for one in command.params
            if one.name != "help"
        ]
        head = ["| option | type | default | meaning |", "| --- | --- | --- | --- |"]
        text = " ".join((command.help or "").split())
        title = f"## {name or 'Options without a command'} {arguments}".rstrip()
        sections.append("\n".join([title, "", text, "", *(head + rows if rows else [])]).rstrip())
    return "\n\n".join(sections) + "\n"


def commands() -> Iterator[tuple[str, Any]]:
    """Yield the whole command line, named "", then each command in the order of `--help`."""

    def walk(prefix: str, group: Any) -> Iterator[tuple[str, Any]]:
        for name, command in group.commands.items():
            if getattr(command, "commands", None):
                if getattr(command, "invoke_without_command", False):
                    yield f"{prefix}{name}", command
                yield from walk(f"{prefix}{name} ", command)
            else:
                yield f"{prefix}{name}", command

    whole = typer.main.get_command(whole_app())
    yield "", whole
    yield from walk("", whole)


def columns_page() -> str:
    """Return the page of the store's columns and of the record's keys."""
    parts = [
        f"# Columns of the results store\n\n{_MADE.rstrip()}",
        "Every Parquet file carries these meanings and units in its schema's field metadata."
        " Moments are in UTC.",
        "## trials\n\nOne row a finished trial. Beside these columns, each hyperparameter has a"
        " column of its own, `config.<name>`.\n\n" + _columns(TRIALS),
        "## reports\n\nOne row a measurement: what a trial reached after an epoch or a rung.\n\n"
        + _columns(REPORTS),
        "## searches/&lt;id&gt;.json\n\nThe record of a search.\n\n" + _keys(SearchRecord),
    ]
    return "\n\n".join(parts) + "\n"


def _columns(schema: Any) -> str:
    head = ["| column | type | unit | meaning |", "| --- | --- | --- | --- |"]
    return "\n".join(head + [_column_row(field) for field in schema])


def _column_row(field: Any) -> str:
    unit, meaning = _said(field)
    return f"| `{field.name}` | {field.type} | {unit} | {_cell(meaning)} |"


def _said(field: Any) -> tuple[str, str]:
    metadata = field.metadata or {}
    return metadata.get(b"unit", b"").decode(), metadata.get(b"meaning", b"").decode()


def _keys(model: type[BaseModel]) -> str:
    head = ["| key | meaning |", "| --- | --- |"]
    rows = [f"| `{key}` | {_cell(field.description)} |" for key, field in keys_of(model)]
    return "\n".join(head + rows)


def keys_of(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Yield the dotted keys of a record, those of its parts too."""
    for name, field in model.model_fields.items():
        yield f"{prefix}{name}", field
        kinds = (field.annotation, *getattr(field.annotation, "__args__", ()))
        for kind in kinds:
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from keys_of(kind, f"{prefix}{name}.")


def spaces_page() -> str:
    """Return the page of what a space file can say."""
    domains = [f"| `{name}` | {_first_line(domain)} |" for name, domain in DOMAINS.items()]
    parts = [
        f"# What a space file can say\n\n{_MADE.rstrip()}",
        "The [guide](guide/spaces.md) explains the language; the files in `search_spaces/` are"
        " meant to be copied.",
        "## Domains\n\n| domain | what it is |\n| --- | --- |\n" + "\n".join(domains),
    ]
    for model in model_names():
        rows = [_hyperparameter_row(name, one) for name, one in hyperparameters_of(model).items()]
        head = "| hyperparameter | values | default | matters with | meaning |"
        parts.append(f"## {model}\n\n{head}\n| --- | --- | --- | --- | --- |\n" + "\n".join(rows))
    for title, table in (("Samplers", SAMPLER_HELP), ("Schedulers", SCHEDULER_HELP)):
        names = [f"| `{name}` | {_cell(text)} |" for name, text in table.items()]
        head = f"## {title}\n\n| {title.lower()[:-1]} | what it does, and when to use it |"
        parts.append(f"{head}\n| --- | --- |\n" + "\n".join(names))
    parts += [_metrics(), _settings()]
    return "\n\n".join(parts) + "\n"


def _metrics() -> str:
    """Return what can be an objective, and what a constraint can limit."""
    rows = []
    for name in MEASURED:
        unit, meaning = _said(TRIALS.field(name))
        better = {"max": "higher is better", "min": "lower is better"}.get(BETTER.get(name, ""))
        rows.append(f"| `{name}` | {unit} | {better or 'no'} | {_cell(meaning)} |")
    head = "| metric | unit | objective | meaning |\n| --- | --- | --- | --- |\n"
    return "## Metrics\n\nA constraint can limit each of these.\n\n" + head + "\n".join(rows)


def _settings() -> str:
    """Return the keys of `search` and `resources`; a request has the same, with their meaning."""
    rows = [
        f"| `{part}.{key}` | {_cell(field.description)} | {_setting(field.default)} |"
        f" {_cell(meaning)} |"
        for part, key, field, meaning in settings()
    ]
    head = "| key | values | default | meaning |\n| --- | --- | --- | --- |\n"
    return "## Search and resources\n\n" + head + "\n".join(rows)


def settings() -> Iterator[tuple[str, str, FieldInfo, str | None]]:
    """Yield each key of a space file's `search` and `resources`: part, key, field, meaning."""
    asked = SearchRequest.model_fields
    for key, field in Search.model_fields.items():
        yield "search", key, field, asked[key].description
    for key, field in Resources.model_fields.items():
        in_request = asked.get(f"{key}s_per_trial")
        yield "resources", key, field, in_request.description if in_request else _WHEN


_WHEN = (
    "`resources` may also be a list of such mappings: a trial gets the first whose `when` holds for"
    " its configuration, or 1 core and a whole GPU."
)


def _setting(default: Any) -> str:
    return "–" if default in (None, {}) else f"`{str(default).lower()}`"


def _hyperparameter_row(name: str, one: Hyperparameter) -> str:
    matters = "; ".join(
        f"{other} {' or '.join(map(str, values))}" for other, values in one.matters.items()
    )
    cells = (
        f"`{name}`",
        one.allowed(),
        _setting(one.default),
        matters or "always",
        one.meaning,
    )
    return "| " + " | ".join(map(_cell, cells)) + " |"


def _first_line(thing: Any) -> str:
    return (thing.__doc__ or "").strip().partition("\n")[0]


def _names(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"`{str(parameter.name).upper()}`"
    return "<br>".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))


def _type(parameter: Any) -> str:
    kind = parameter.type_descriptor.annotation
    if isinstance(kind, type) and issubclass(kind, Enum):
        return ", ".join(str(one.value) for one in kind)
    if parameter.multiple:
        return "text, repeatable"
    names = {bool: "flag", Path: "path", str: "text", int: "int", float: "float"}
    return f"{names[get_args(kind)[0]]}, one or more" if get_args(kind) else names[kind]


def _default(parameter: Any) -> str:
    default = parameter.default
    if default is None or default is False or callable(default) or default == ():
        return ""
    return "on" if default is True else f"`{getattr(default, 'value', default)}`"


def _help(parameter: Any) -> str:
    text = " ".join((getattr(parameter, "help", None) or "").split())
    variable = getattr(parameter, "envvar", None)
    return f"{text} Also from `${variable}`." if variable else text


def _cell(text: str | None) -> str:
    return (text or "").replace("|", "\\|")


PAGES: dict[str, Callable[[], str]] = {
    "cli.md": cli_page,
    "columns.md": columns_page,
    "spaces.md": spaces_page,
}


def stale(folder: Path) -> list[str]:
    """Return a line for each page in the folder that differs from what the code makes."""
    found = []
    for name, page in PAGES.items():
        file = folder / name
        if not file.is_file() or file.read_text("utf-8") != page():
            found.append(f"{file}: is stale; run `make docs`")
    return found


def undocumented() -> list[str]:
    """Return a line for each option, column, key, sampler, ... that nothing explains."""
    found = [
        f"{name or 'tune-mnist'}: {_names(one)} has no help"
        for name, command in commands()
        for one in command.params
        if one.name != "help" and not _help(one)
    ]
    found += [f"{name}: the command has no help" for name, one in commands() if not one.help]
    found += [
        f"{kind}: the column {field.name} has no meaning"
        for kind, schema in (("trials", TRIALS), ("reports", REPORTS))
        for field in schema
        if not _said(field)[1]
    ]
    found += [
        f"searches: the key {key} has no description"
        for key, field in keys_of(SearchRecord)
        if not field.description
    ]
    said: dict[str, list[tuple[str, str | None]]] = {
        "sampler": [(name, SAMPLER_HELP.get(name)) for name in get_args(SamplerName)],
        "scheduler": [(name, SCHEDULER_HELP.get(name)) for name in get_args(SchedulerName)],
        "domain": [(name, _first_line(one)) for name, one in DOMAINS.items()],
        "hyperparameter": [
            (f"{model}.{name}", one.meaning)
            for model in model_names()
            for name, one in hyperparameters_of(model).items()
        ],
        "key": [(f"{part}.{key}", meaning) for part, key, _, meaning in settings()],
    }
    found += [
        f"the {kind} {name} has no description"
        for kind, texts in said.items()
        for name, text in texts
        if not text
    ]
    return found


def undeclared(guide: Path) -> list[str]:
    """Return a line for each public name without a docstring or a place in the Python guide."""
    text = guide.read_text("utf-8") if guide.is_file() else ""
    found = []
    for name in tune_mnist.__all__:
        if not getattr(tune_mnist, name).__doc__:
            found.append(f"tune_mnist.{name} has no docstring")
        if f"`{name}" not in text:
            found.append(f"tune_mnist.{name} is not in {guide}")
    return found


def main(arguments: list[str]) -> int:
    """Write the pages, or check them; return the exit code."""
    parser = argparse.ArgumentParser(description="Write or check the generated pages of docs/.")
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if stale")
    if parser.parse_args(arguments).check:
        problems = [*stale(DOCS), *undocumented(), *undeclared(GUIDE)]
        print(*problems, sep="\n", end="\n" if problems else "", file=sys.stderr)
        return 1 if problems else 0
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), "utf-8")
        print(f"wrote {DOCS / name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
