"""A trainer that is not ours, in a microsecond, and the spaces it is asked with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tune_mnist.actions.asking import Suggested, begin, complete, report, suggest

PARAMETERS: dict[str, Any] = {
    "lr": {"log_uniform": [0.001, 1.0]},
    "width": {"int_uniform": [4, 64]},
    "nesterov": {"choice": [False, True]},
}


def space(parameters: dict[str, Any] | None = None, **search: Any) -> dict[str, Any]:
    """Return a space of random search, with these values of `search`."""
    return {
        "model": "external/toy",
        "dataset": "toy",
        "parameters": PARAMETERS if parameters is None else parameters,
        "search": {"sampler": "random", "trials": 6, **search},
    }


def accuracy(config: dict[str, Any]) -> float:
    """Return what the trainer measures: always the same for a configuration."""
    return float(config.get("lr", 0.5)) / 2 + float(config.get("width", 4)) / 200


def train(root: Path, client: str = "a", search: str = "s") -> Suggested:
    """Train what is suggested until there is no more; return the last answer."""
    while True:
        told = suggest(root, search, client)
        if not told.trials:
            return told
        for one in told.trials:
            complete(root, search, one.trial, client, {"val_accuracy": accuracy(one.config)})


def begun(tmp_path: Path, **search: Any) -> Path:
    """Return a store with a search "s" that has begun."""
    root = tmp_path / "results"
    begin(root, "s", space(**search))
    return root


def epochs(root: Path, client: str, trial: str, values: list[float]) -> list[bool]:
    """Report an epoch a value; return whether each answer was to stop."""
    return [
        report(
            root, "s", trial, client, {"step": step, "fidelity": step, "val_accuracy": value}
        ).stop
        for step, value in enumerate(values, start=1)
    ]
