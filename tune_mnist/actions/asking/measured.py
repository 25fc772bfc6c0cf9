"""What a client says of its training, checked value by value before anything is stored."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pyarrow as pa

from tune_mnist.errors import Fault, InputError, nearest
from tune_mnist.metrics import LATENCIES
from tune_mnist.models.hyperparameters import shown
from tune_mnist.spaces import Space, rungs
from tune_mnist.store.layout import RowKind
from tune_mnist.store.rules import rule_of
from tune_mnist.store.schema import DECLARED
from tune_mnist.wording import is_unicode

OF_A_REPORT = (
    *("step", "fidelity", "train_loss", "train_accuracy"),
    *("val_loss", "val_accuracy", "val_balanced_accuracy", "wall_time_s"),
)
"""What a measurement on the way may say."""

OF_THE_TEST = ("test_accuracy", "test_balanced_accuracy")
OF_A_RESULT = (
    *("train_accuracy", "val_accuracy", "val_balanced_accuracy", *OF_THE_TEST),
    *("train_loss", "val_loss", "wall_time_s", "setup_s", "fit_s", "eval_s"),
    *LATENCIES,
    *("fidelity", "parameters", "multiply_adds", "converged", "seed", "engine", "device", "host"),
)
"""What a result may say."""

_LONGEST = 200  # characters of a text
_MOST_LOSS = 1e300
_WHOLE = 2**53
CLOSE = 1e-9  # 3 * (1 / 9) is not 1 / 3


def checked_report(space: Space, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a measurement on the way, each value in its column's type.

    Raises: InputError: every value that cannot be used, and what is missing.
    """
    needed = ["step", *_compared(space)]
    with _in("`measurement`"):
        return _checked(given, OF_A_REPORT, needed, "reports")


def checked_result(space: Space, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a trial's result, each value in its column's type.

    Raises: InputError: every value that cannot be used, and what is missing.
    """
    needed = [name for name in space.metrics if name != "wall_time_s"]  # the lease has measured it
    needed += [name for name in _compared(space) if name not in needed]
    with _in("`result`"):
        return _checked(given, OF_A_RESULT, needed, "trials")


def whole_fidelity(space: Space, config: Mapping[str, Any]) -> float:
    """Return how far a whole trial of a space with a fidelity gets: its epochs, or 1.0."""
    by_epochs = space.fidelity is not None and space.fidelity.parameter == "epochs"
    return float(config.get("epochs", rungs(space)[-1])) if by_epochs else 1.0


@contextmanager
def _in(where: str) -> Iterator[None]:
    """Let faults inside the block say which part of the call they are in."""
    try:
        yield
    except InputError as error:
        raise error.located(where) from None


def _compared(space: Space) -> list[str]:
    """Return what a scheduler compares trials by."""
    if space.search.scheduler == "none":
        return []
    return ["fidelity", *(one.metric for one in space.objectives if one.metric != "wall_time_s")]


def _checked(
    given: Mapping[str, Any], known: Iterable[str], needed: Iterable[str], kind: RowKind
) -> dict[str, Any]:
    if not isinstance(given, Mapping):
        fix = 'for example {"val_accuracy": 0.98}'
        raise InputError([Fault("", "", f"{shown(given)} is not a mapping", fix)])
    known, found, faults = tuple(known), {}, []
    for name, value in given.items():
        if name not in known:
            faults.append(
                Fault("", _key(name), "is nothing to say here", nearest(str(name), known))
            )
        elif value is not None:
            field = DECLARED[kind].field(name)
            value = float(value) if _is_number(value, field.type) else value
            if what := _wrong(field, value, kind):
                faults.append(Fault("", name, f"{shown(value)} is not {what}", f"give {what}"))
            found[name] = value
    for name in needed:
        if given.get(name) is None:
            faults.append(Fault("", name, "is missing", "the search needs it"))
    if faults:
        raise InputError(faults)
    return found


def _key(name: object) -> str:
    text = name if isinstance(name, str) else shown(name)
    return text.encode("ascii", "backslashreplace").decode()[:60]


def _is_number(value: Any, type_: pa.DataType) -> bool:
    plain = type(value) is int and abs(value) <= _WHOLE
    return bool(plain and pa.types.is_floating(type_))


def _wrong(field: pa.Field, value: Any, kind: RowKind) -> str | None:
    """Return what a value should be and is not; None if it can be stored."""
    type_, rule = field.type, rule_of(kind, field.name)
    if pa.types.is_floating(type_):
        what = rule.what if rule else "a finite number"
        good = type(value) is float and math.isfinite(value) and abs(value) <= _MOST_LOSS
    elif pa.types.is_integer(type_):
        what = rule.what if rule else "a whole number"
        good = type(value) is int and abs(value) <= _WHOLE
    elif pa.types.is_boolean(type_):
        what, good = "true or false", type(value) is bool
    else:
        what = f"a text of at most {_LONGEST} characters"
        good = isinstance(value, str) and 0 < len(value) <= _LONGEST and is_unicode(value)
    return None if good and (rule is None or rule.holds(value)) else what
