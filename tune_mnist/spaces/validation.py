"""Turn Pydantic's errors about one part of a space into our own: one `Fault` a key.

The faults name the key inside the file; `read_space` adds the file, `override` the request's field.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import takewhile
from typing import Any, TypeVar, get_args

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from tune_mnist.errors import Fault, InputError, nearest
from tune_mnist.models.hyperparameters import shown
from tune_mnist.spaces.domains import Section

AnySection = TypeVar("AnySection", bound=Section)


@contextmanager
def gathering(faults: list[Fault]) -> Iterator[None]:
    """Add the faults raised inside the `with` to the list, then continue after it."""
    try:
        yield
    except InputError as error:
        faults.extend(error.faults)


def validated(section: type[AnySection], raw: Any, key: str) -> AnySection:
    """Return the part of a space that `raw` describes.

    Args:
        section: the kind of part.
        raw: plain values from YAML or a request.
        key: the part's dotted key, "" for the whole file.

    Raises:
        InputError: one fault for each key that is wrong.
    """
    try:
        return section.model_validate(raw)
    except ValidationError as error:
        faults = [_fault(details, raw, key, section.model_fields) for details in error.errors()]
        raise InputError({fault.key: fault for fault in faults}.values()) from None


def _fault(error: ErrorDetails, raw: Any, key: str, fields: Mapping[str, FieldInfo]) -> Fault:
    names = [str(part) for part in takewhile(lambda part: isinstance(part, str), error["loc"])]
    dotted = ".".join([key, *names] if key else names)
    context = error.get("ctx", {})
    if error["type"] == "broken_rule":
        return Fault("", dotted, context["problem"], context["fix"])
    if not names:
        first, field = next(iter(fields.items()))
        fix = f"for example {{{first}: {_example(field)}}}"
        return Fault("", dotted, f"{shown(raw)} is not a mapping", fix)
    name = names[0]
    if error["type"] == "extra_forbidden":
        return Fault("", dotted, f"not a key of {key or 'a space'}", nearest(name, list(fields)))
    field = fields[name]
    if name not in raw:
        return Fault("", dotted, "is missing", f"add {name}: {_example(field)}")
    fix = f"for example {_example(field)}"
    if error["type"] == "literal_error":
        fix = nearest(str(raw[name]), get_args(field.annotation))
    return Fault("", dotted, f"{shown(raw[name])} is not {field.description}", fix)


def _example(field: FieldInfo) -> str:
    return str(field.examples[0]) if field.examples else " or ".join(get_args(field.annotation))
