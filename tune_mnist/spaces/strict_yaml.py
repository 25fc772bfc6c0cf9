"""Read a small YAML file into plain Python values, and refuse whatever could surprise.

Refused are tags (no Python objects), aliases (no expansion bombs), duplicate keys, NaN and
infinity. Scalars follow YAML 1.2: 1e-3 is a number, `no` is a word and 010 is ten. Every returned
value is None, a bool, an int (64 bits), a finite float, a str, a list, or a dict with str keys.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from tune_mnist.errors import Fault, InputError, input_error

MAX_BYTES = 100_000
MAX_DEPTH = 20

_START_OVER = "copy a space that ships, svm for example"


class _Yaml12Loader(yaml.SafeLoader):
    """Recognises scalars by YAML 1.2's core schema; PyYAML itself follows YAML 1.1."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012


_NULL, _BOOL, _INT, _FLOAT, _NONFINITE = "null", "bool", "int", "float", "nonfinite"
for _tag, _pattern, _first in (
    (_NULL, r"(~|null|Null|NULL|)\Z", ["~", "n", "N", ""]),
    (_BOOL, r"(true|True|TRUE|false|False|FALSE)\Z", list("tTfF")),
    (_INT, r"[-+]?[0-9]+\Z", list("-+0123456789")),
    (_FLOAT, r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z", list("-+.0123456789")),
    (_NONFINITE, r"([-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))\Z", list("-+.")),
):
    _Yaml12Loader.add_implicit_resolver(_tag, re.compile(_pattern), _first)


def _number(text: str) -> int | float:
    """Return a float, or an int if the value is whole, so that 1e3 can be used as an integer."""
    value = float(text)
    whole = "." not in text and value.is_integer() and abs(value) < 2**53
    return int(value) if whole else value


_CONSTRUCT: dict[str, Callable[[str], Any]] = {
    _NULL: lambda text: None,  # noqa: ARG005
    _BOOL: lambda text: text.lower() == "true",
    _INT: int,
    _FLOAT: _number,
    _NONFINITE: lambda text: math.nan,  # noqa: ARG005  # refused right after
}


def read_yaml(path: Path) -> Any:
    """Return the single document of a YAML file.

    Args:
        path: a UTF-8 file of at most `MAX_BYTES` bytes, nested at most `MAX_DEPTH` deep.

    Raises:
        InputError: the file cannot be read, is not YAML, is empty, or holds something that this
            module refuses.
    """
    text = _read_text(path)
    try:
        _refuse_tricks(path, text)
        root = yaml.compose(text, Loader=_Yaml12Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f"line {mark.line + 1}" if mark else ""
        fix = "write one `key: value` per line, indented with spaces"
        raise input_error(path, f"not YAML: {error.problem}", fix, line) from None
    except yaml.YAMLError as error:  # a control character: it has a position but no mark
        raise input_error(path, f"not YAML: {error}", "save it as plain text") from None
    if root is None:
        raise input_error(path, "is empty", _START_OVER)
    faults: list[Fault] = []
    tree = _value(root, "", str(path), faults)
    if faults:
        raise InputError(faults)
    return tree


def _read_text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        fix = "check the path, or name a space that ships"
        raise input_error(path, "no such file", fix) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        problem = getattr(error, "strerror", None) or str(error)
        raise input_error(path, f"cannot be read: {problem}", "give a YAML file") from None
    if len(raw) > MAX_BYTES:
        raise input_error(path, f"is larger than {MAX_BYTES} bytes", _START_OVER)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        problem = f"is not UTF-8 text (byte {error.start} is 0x{raw[error.start]:02x})"
        raise input_error(path, problem, "save it as UTF-8") from None


def _refuse_tricks(path: Path, text: str) -> None:
    """Check the parser's events first, so that nothing dangerous is ever composed."""
    depth = 0
    for event in yaml.parse(text, Loader=_Yaml12Loader):
        line = f"line {event.start_mark.line + 1}" if event.start_mark else ""
        if isinstance(event, yaml.AliasEvent):
            fix = "write the value out where it is used"
            raise input_error(path, f"*{event.anchor} is an alias", fix, line)
        if isinstance(event, yaml.NodeEvent) and getattr(event, "tag", None) is not None:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")  # type: ignore[attr-defined]
            raise input_error(path, f"{tag} is a tag", "write the plain value", line)
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise input_error(path, f"nested more than {MAX_DEPTH} deep", _START_OVER, line)


def _value(node: yaml.Node, key: str, where: str, faults: list[Fault]) -> Any:
    """Return the node's value; if it has a fault, add that to `faults` and return None for it."""
    if isinstance(node, yaml.ScalarNode):
        return _scalar(node, key, where, faults)
    if isinstance(node, yaml.SequenceNode):
        return [_value(n, f"{key}[{i}]", where, faults) for i, n in enumerate(node.value)]
    mapping: dict[str, Any] = {}
    for name_node, value_node in node.value:
        if not isinstance(name_node, yaml.ScalarNode):
            line = f"line {name_node.start_mark.line + 1}"
            faults.append(Fault(where, line, "a list or mapping as key", "a key is one word"))
            continue
        name: str = name_node.value
        dotted = f"{key}.{name}" if key else name
        if name in mapping:
            faults.append(Fault(where, dotted, "given twice", "keep one of them"))
        mapping[name] = _value(value_node, dotted, where, faults)
    return mapping


def _scalar(node: yaml.ScalarNode, key: str, where: str, faults: list[Fault]) -> Any:
    try:
        value = _CONSTRUCT.get(node.tag, str)(node.value)
    except ValueError:  # Python refuses to convert more than 4,300 digits
        value = math.inf
    finite = not isinstance(value, float) or math.isfinite(value)
    if finite and not (isinstance(value, int) and abs(value) >= 2**63):
        return value
    shown = node.value if len(node.value) <= 40 else f"{node.value[:40]}..."
    faults.append(Fault(where, key, f"{shown} is not a finite 64-bit number", "for example 0.001"))
    return None
