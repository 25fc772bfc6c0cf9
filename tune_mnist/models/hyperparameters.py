"""What a hyperparameter is: which values it takes, its default, and when it matters.

Each model declares its own (`training/models/`). The space language, the store's typed columns,
error messages and documentation are made from these declarations.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tune_mnist.errors import input_error, nearest

Device = Literal["cpu", "gpu"]
Scalar = bool | int | float | str
Config = dict[str, Scalar]


@dataclass(frozen=True)
class Hyperparameter:
    """One hyperparameter of a model.

    Args:
        meaning: what it is, in a few words for people.
        types: the Python types of its values. The first is the type of its column in the store.
        default: its value in a space that does not search it; None leaves it out.
        words: the allowed values of type str.
        low, high: bounds of its numbers. Integers include both; floats include `high`, and `low`
            only with `from_low`.
        from_low: whether a float may be `low`.
        matters: other hyperparameters (or "device"), each with the values under which this one
            changes anything. Under any other value it is left out of the configuration.
        changeable: whether a running training can continue with another value.
    """

    meaning: str
    types: tuple[type, ...]
    default: Scalar | None
    words: tuple[str, ...] = ()
    low: float = 0
    high: float = math.inf
    from_low: bool = False
    matters: Mapping[str, tuple[Scalar, ...]] = field(default_factory=dict)
    changeable: bool = False

    def allowed(self) -> str:
        """Return the allowed values in words, for example "a number above 0"."""
        if bool in self.types:
            return "true or false"
        parts = list(self.words)
        bounded = math.isfinite(self.high)
        if int in self.types:
            top = f" to {self.high:g}" if bounded else " up"
            parts.append(f"a whole number from {self.low:g}{top}")
        if float in self.types:
            top = f", at most {self.high:g}" if bounded else ""
            parts.append(f"a number {'from' if self.from_low else 'above'} {self.low:g}{top}")
        return f"{', '.join(parts[:-1])} or {parts[-1]}" if parts[1:] else parts[0]


def accept(name: str, hyperparameter: Hyperparameter, value: Any, key: str) -> Scalar:
    """Return the value in the hyperparameter's type: for a float, 1 becomes 1.0.

    Raises:
        InputError: it is not an allowed value. The fault has `key` as its key and names no file.
    """
    types = hyperparameter.types
    kind = type(value)
    if kind is int and float in types and int not in types:
        kind, value = float, float(value)
    if kind is str and kind in types and value in hyperparameter.words:
        return str(value)
    if kind is bool and kind in types:
        return bool(value)
    if kind is int and kind in types and hyperparameter.low <= value <= hyperparameter.high:
        return int(value)
    above = kind is float and (
        value > hyperparameter.low or (hyperparameter.from_low and value == hyperparameter.low)
    )
    within = above and value <= hyperparameter.high
    if within and kind in types and math.isfinite(value):
        return float(value)
    fix = f"give {hyperparameter.allowed()}"
    if kind is str and hyperparameter.words:
        close = nearest(value, hyperparameter.words)
        fix = close if close.startswith("did you mean") else fix
    raise input_error("", f"{name} cannot be {shown(value)}", fix, key)


def shown(value: object) -> str:
    """Return a value as short text, about as YAML would write it."""
    text = repr(value)
    text = {"True": "true", "False": "false", "None": "nothing"}.get(text, text)
    return text if len(text) <= 60 else f"{text[:57]}..."
