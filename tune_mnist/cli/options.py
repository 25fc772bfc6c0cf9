"""The command line of a request: its options made of its fields, its fields made of the options.

A field `time_budget_s` is the option `--time-budget`; `share`, true by default, is `--no-share`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, get_args

import typer
from pydantic.fields import FieldInfo

from tune_mnist.actions.requests import (
    AnyRequest,
    Request,
    make_request,
    read_request,
)

_NAMED = {"space_file": "--space"}
_VARIABLES = {"data_dir": "TUNE_MNIST_DATA", "address": "RAY_ADDRESS"}


def option_name(field: str, default: Any = None) -> str:
    """Return the option of a request's field."""
    plain = field.removesuffix("_s").replace("_", "-")
    return _NAMED.get(field, f"--no-{plain}" if default is True else f"--{plain}")


def parameters_of(kind: type[Request], *, from_file: bool) -> list[inspect.Parameter]:
    """Return a command's parameters as Typer reads them, one a field.

    Args:
        kind: the request. If it has a subject, that is its first field, which is given without an
            option's name, and may be left out if it has a default.
        from_file: whether a file may give that field too.
    """
    if not kind.has_subject:
        return [_option(name, field) for name, field in kind.model_fields.items()]
    [(name, field), *others] = kind.model_fields.items()
    how = typer.Argument(help=field.description, show_default=False)
    first = (
        _parameter(name, Annotated[str | None, how], None)
        if from_file or not field.is_required()
        else _parameter(name, Annotated[str, how], inspect.Parameter.empty)
    )
    return [first, *(_option(name, field) for name, field in others)]


def _option(name: str, field: FieldInfo) -> inspect.Parameter:
    kinds = (field.annotation, *get_args(field.annotation))
    kind = next(one for one in (bool, int, float, str, Path) if one in kinds)
    option = typer.Option(
        f"--{name}/--no-{name}" if field.default is True else option_name(name),
        help=field.description,
        envvar=_VARIABLES.get(name),
        show_default=field.default not in (None, (), False, True),
    )
    if tuple in [getattr(one, "__origin__", one) for one in kinds]:
        return _parameter(name, Annotated[list[str] | None, option], None)
    if kind is bool:
        return _parameter(name, Annotated[bool, option], field.default)
    return _parameter(name, Annotated[kind | None, option], field.default)


def _parameter(name: str, kind: Any, default: Any) -> inspect.Parameter:
    how = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, how, default=default, annotation=kind)


def with_options(command: Callable[..., None], kind: type[Request]) -> Callable[..., None]:
    """Return a command that has a request's options beside its own.

    Args:
        command: takes the context and its own parameters by name.
        kind: the request that it makes of them with `asked_for`.
    """

    def called(**given: Any) -> None:
        command(**{name: given[name] for name in own})

    own = inspect.signature(command, eval_str=True).parameters
    context, *rest = own.values()
    both = [context, *parameters_of(kind, from_file="request" in own), *rest]
    keyword = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in both]
    called.__name__, called.__doc__ = command.__name__, command.__doc__
    called.__signature__ = inspect.Signature(keyword)  # type: ignore[attr-defined]  # for Typer
    called.__annotations__ = {one.name: one.annotation for one in keyword}
    return called


def asked_for(
    context: typer.Context, kind: type[AnyRequest], file: Path | None = None
) -> AnyRequest:
    """Return the request that a command line makes.

    Args:
        context: of the command; what was given there counts more than the file.
        kind: the request.
        file: a JSON file with the rest of the request.

    Raises: InputError: one fault for each field that cannot be used.
    """
    given = _given(context, kind)
    if file is None:
        return make_request(kind, given)
    return make_request(kind, {**read_request(file), **given}, str(file), beside=given)


def _given(context: typer.Context, kind: type[Request]) -> Mapping[str, Any]:
    """Return what was typed, or set in the environment, by field."""
    found: dict[str, Any] = {}
    for name in kind.model_fields:
        source = context.get_parameter_source(name)
        if source is not None and source.name in ("COMMANDLINE", "ENVIRONMENT"):
            found[name] = context.params[name]
    return found
