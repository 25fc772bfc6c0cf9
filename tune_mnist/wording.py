"""How values, times, configurations and the store's columns are written for people."""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

FAMILY = ("architecture", "kernel")
"""Hyperparameters that name a family of models; their values are written without a key."""


_OBEYED = ("Cc", "Cf", "Cs", "Zl", "Zp")


def clean(text: str) -> str:
    """Return the text without what a terminal or a browser would obey: `\\x1b` in its place.

    That is every control character but line breaks and tabs, every format character (some reverse
    the direction of writing), and every half of a surrogate pair (in undecodable file names).
    """
    return text if text.isprintable() else "".join(map(_shown, text))


def is_unicode(text: str) -> bool:
    """Return whether any encoding of Unicode can hold a text: it has no half of a surrogate pair.

    JSON can hold such halves, and so can names of files that are not UTF-8.
    """
    return text == text.encode(errors="ignore").decode()


def displayed(path: str) -> str:
    """Return a file's name or path as text that any encoding of Unicode can hold.

    Bytes of a name that are not UTF-8, which Python holds as halves of surrogate pairs, are written
    as escapes, `caf\\xe9`; `undisplayed` reads them.
    """
    escaped = re.sub("[\udc80-\udcff]", lambda half: f"\\x{ord(half[0]) - 0xDC00:x}", path)
    return escaped.encode("utf-8", "backslashreplace").decode()


def undisplayed(path: str) -> str:
    """Return the path that `displayed` wrote."""
    return re.sub(r"\\x([89a-f][0-9a-f])", lambda byte: chr(0xDC00 + int(byte[1], 16)), path)


def _shown(character: str) -> str:
    if character in "\n\t" or unicodedata.category(character) not in _OBEYED:
        return character
    return character.encode("unicode_escape").decode("ascii")


def error_text(error: BaseException) -> str:
    """Return the kind of an error and its message, in one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())


def some(names: Iterable[str], most: int = 3) -> str:
    """Return the first names, and the number of the others: "a, b, c and 4 more"."""
    names = list(names)
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest:,} more" if rest > 0 else "")


def config_text(config: str, *, exact: bool = False) -> str:
    """Return a configuration as a person would write it: "rbf C=10 gamma=scale".

    Args:
        config: JSON object of the hyperparameters, as in the store.
        exact: whether to write all digits of a number, not just four.
    """
    values = json.loads(config)
    first = ("model", *FAMILY)  # of a search over several models
    families = [str(values.pop(family)) for family in first if family in values]
    written = str if exact else value_text
    return " ".join([*families, *(f"{key}={written(value)}" for key, value in values.items())])


def model_text(model: str, config: str) -> str:
    """Return a model with its whole configuration: "svm rbf C=10", "resnet18 epochs=3"."""
    text = config_text(config)
    return text if text.startswith(model) else f"{model} {text}".strip()


def kind_text(model: str, config: str) -> str:
    """Return the model with its architecture or kernel: "resnet18", "svm rbf"."""
    values = json.loads(config)
    kind = " ".join(str(values[name]) for name in FAMILY if name in values)
    return kind if kind.startswith(model) else f"{model} {kind}".strip()


def value_text(value: Any) -> str:
    """Return a hyperparameter's value as people see it: a float with at most four digits."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value).lower() if isinstance(value, bool) else str(value)


def percent(fraction: float) -> str:
    """Return a fraction in percent, with two decimals: thousands of images support no more."""
    return f"{fraction:.2%}"


def duration(seconds: float) -> str:
    """Return a wall time: "0.42 s", "12.3 s", "12 min 03 s", "2 h 05 min"."""
    if seconds < 9.995:
        return f"{seconds:.2f} s"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02d} min"


def milliseconds(seconds: float) -> str:
    """Return a short time with three digits: "0.213 ms", "12.4 ms", "1,230 ms"."""
    digits = max(0, 2 - math.floor(math.log10(1000 * seconds))) if seconds > 0 else 0
    return f"{1000 * seconds:,.{min(digits, 6)}f} ms"


def heading(field: pa.Field) -> str:
    """Return a column's heading for people: "val_accuracy" reads "val accuracy %"."""
    name = field.name.removeprefix("config.")
    unit = _unit(field)
    if unit in ("s", "s/image"):
        name = name.removesuffix("_s")
    return str(name.replace("_", " ")) + (" %" if unit == "fraction" else "")


def meaning(field: pa.Field) -> str:
    """Return what a column holds, in the unit that `cell_text` shows."""
    if field.name == "config":
        return "the hyperparameters"
    text = str(field.metadata[b"meaning"].decode())
    return f"{text} (percent)" if _unit(field) == "fraction" else text


def cell_text(field: pa.Field, value: Any) -> str:
    """Return a value as a table's cell shows it; the heading says when it is in percent."""
    if value is None:
        return "–"
    if field.name == "config":
        return config_text(value)
    if isinstance(value, bool):  # the heading itself marks the rows where it is true
        return heading(field) if value else ""
    unit = _unit(field)
    if unit == "fraction":
        return percent(value).removesuffix("%")
    if unit == "s/image":
        return milliseconds(value)
    return duration(value) if unit == "s" else str(value)


def _unit(field: pa.Field) -> str:
    return str(field.metadata[b"unit"].decode())
